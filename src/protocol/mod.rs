//! What travels on the wire, without doing any input or output: fed with bytes, it says what they mean and what to answer.
//!
//! | step | from | bytes |
//! |---|---|---|
//! | 1 | server | `Enter your nickname: ` (no LF: it is a prompt) |
//! | 2 | client | `NICKNAME` LF, within 30 s |
//! | 3a | server | `Nickname refused: REASON` LF, then step 1 again; after the third one `Chat refused: REASON` LF and close |
//! | 3b | server | `Waiting for a companion...` LF, when this client is the first of a pair; then 3c once the other has come |
//! | 3c | server | `Connected to NICKNAME` LF: the pair is complete |
//! | any | server | `Chat refused: REASON` LF and close: full, too slow, busy, stopping |
//!
//! Lines end with LF; a CR before it is ignored. No line of the handshake is longer than [`HANDSHAKE_LINE`] bytes.
//! Behind 3c the stream is the companion: the server adds nothing, drops nothing, changes nothing, until one side ends.
//! What a client sends behind its nickname is the start of its conversation and reaches the companion first.
//! A message is a line of text; an end shows one longer than [`MESSAGE_PIECE`] bytes in pieces.
//! End of stream in one direction is passed on as end of stream in that direction.

#[cfg(feature = "peer")]
pub mod announcement;
mod arrival;
mod greeting;
mod lines;
#[cfg(feature = "peer")]
pub mod peer;
#[cfg(feature = "peer")]
pub mod tracker;

#[cfg(feature = "peer")]
pub use announcement::Announcement;
pub use arrival::{Arrival, Step};
pub use greeting::Said;
pub use lines::{Line, Lines};
#[cfg(feature = "peer")]
pub use peer::{Hello, Id, PeerLine};
#[cfg(feature = "peer")]
pub use tracker::TrackerLine;

/// The longest line of the handshake, in bytes without its end.
pub const HANDSHAKE_LINE: usize = 512;

/// The longest piece of a message that is held in memory and shown at once, in bytes.
pub const MESSAGE_PIECE: usize = 64 * 1024;

/// How many nicknames a client may try.
pub const TRIES: usize = 3;

/// What the server says first.
pub const PROMPT: &str = "Enter your nickname: ";
pub(crate) const WAITING: &str = "Waiting for a companion...";
const CONNECTED: &str = "Connected to ";
const NICKNAME_REFUSED: &str = "Nickname refused: ";
const CHAT_REFUSED: &str = "Chat refused: ";

/// The line that tells a client why it is sent away.
pub fn refusal(reason: impl std::fmt::Display) -> String {
    format!("{CHAT_REFUSED}{reason}\n")
}

/// The reason in the line that sends somebody away; `None` when it is another line.
#[cfg(feature = "peer")]
pub fn chat_refused(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(CHAT_REFUSED.as_bytes())
}

/// The line that completes a pair.
pub fn connected_to(companion: &crate::nickname::Nickname) -> String {
    format!("{CONNECTED}{companion}\n")
}

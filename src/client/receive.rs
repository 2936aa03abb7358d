//! The reader thread: the socket to the screen.

use std::sync::mpsc::Sender;
use std::time::Duration;

use log::debug;

use super::{Chat, End, LOG_TARGET, lost};
use crate::net::is_timeout;
use crate::nickname::Nickname;
use crate::protocol::{HANDSHAKE_LINE, Lines, MESSAGE_PIECE, Said};
use crate::text::printable;

/// How long a server may take to ask for a nickname.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// How long it may take from its question for a nickname to its verdict: it allows 30 s for the answer.
const VERDICT: Duration = Duration::from_secs(45);

/// What the server has made it the writer's turn to do.
pub(super) enum Turn {
    GiveNickname,
    /// The server has taken the nickname.
    Talk,
    /// The companion is there, and would see the end of what we say.
    MayEnd,
}

/// Receives until the stream ends.
pub(super) fn receive(chat: &Chat, turn: &Sender<Turn>) -> End {
    let ended = meet(chat, turn).and_then(|(companion, words)| listen(chat, &words).map(|()| companion));
    ended.map_or_else(|end| end, End::Companion)
}

/// Everything until there is a companion. Returns it, and what it has said already.
fn meet(chat: &Chat, turn: &Sender<Turn>) -> Result<(Nickname, Vec<u8>), End> {
    if chat.screen.is_terminal() {
        chat.show(format!("🔌 Connected to chat server at {}\nType /exit to quit\n\n", chat.place).as_bytes())?;
    }
    let (mut lines, mut buffer) = (Lines::new(HANDSHAKE_LINE), [0; 1024]);
    let (mut asked, mut limit) = (false, Some(FIRST_WORD));
    // The writer is gone only when the chat is over.
    let tell = |next| drop(turn.send(next));
    let stranger =
        |said: &str| End::Failed(format!("{} is not a chat server: {said}; are host and port right?", chat.place));
    loop {
        while let Some(said) = Said::next(&mut lines, asked) {
            debug!(target: LOG_TARGET, "the server said {said:?}");
            match said {
                Said::Asked => {
                    (asked, limit) = (true, Some(VERDICT));
                    tell(Turn::GiveNickname);
                }
                Said::NicknameRefused(reason) => {
                    let refused = format!("Nickname refused: {reason}");
                    if chat.nickname.is_some() || !chat.screen.is_terminal() {
                        return Err(End::Failed(refused));
                    }
                    chat.status("🚫", &refused)?;
                }
                Said::ChatRefused(reason) => return Err(End::Failed(format!("Chat refused: {reason}"))),
                Said::Waiting => {
                    limit = None;
                    chat.status("⏳", "Waiting for a companion...")?;
                    tell(Turn::Talk);
                }
                Said::Connected(companion) => {
                    let who = if chat.screen.is_terminal() { "Companion: " } else { "" };
                    chat.status("💬", &format!("{who}Connected to {companion}"))?;
                    tell(Turn::Talk);
                    tell(Turn::MayEnd);
                    return Ok((companion, lines.rest().to_vec()));
                }
                Said::Strange(words) => return Err(stranger(&format!("it said \"{words}\""))),
            }
        }
        match chat.socket.limit_reads(limit).and_then(|()| chat.socket.read(&mut buffer)) {
            Ok(words @ [_, ..]) => lines.push(words),
            Ok(_) if !asked => return Err(stranger("it closed the connection without asking for a nickname")),
            Ok(_) => return Err(lost("the server has gone")),
            Err(error) if !is_timeout(&error) => return Err(lost(error)),
            Err(_) if !asked => return Err(stranger("it asked for no nickname within 10 seconds")),
            Err(_) => return Err(lost("the server does not answer")),
        }
    }
}

/// Shows what the companion says until it ends.
fn listen(chat: &Chat, words: &[u8]) -> Result<(), End> {
    chat.socket.expect_answers();
    chat.socket.limit_reads(None).map_err(lost)?;
    let mut lines = Lines::new(MESSAGE_PIECE);
    let mut buffer = vec![0; 64 * 1024];
    lines.push(words);
    loop {
        show_lines(chat, &mut lines)?;
        match chat.socket.read(&mut buffer).map_err(lost)? {
            // The last line may lack its end.
            [] if !lines.rest().is_empty() => lines.push(b"\n"),
            [] => break,
            words => lines.push(words),
        }
    }
    chat.socket.close_in_order();
    Ok(())
}

/// Shows the lines that are complete, all at once.
fn show_lines(chat: &Chat, lines: &mut Lines) -> Result<(), End> {
    let mut text = Vec::new();
    while let Some(line) = lines.next_line() {
        if chat.screen.is_terminal() {
            text.extend_from_slice(format!("💬 Companion: {}\n", printable(line.text)).as_bytes());
        } else {
            text.extend_from_slice(line.text);
            text.extend_from_slice(if line.ended { b"\n" } else { b"" });
        }
    }
    if text.is_empty() { Ok(()) } else { chat.show(&text) }
}

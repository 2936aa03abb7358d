//! What a node and a tracker say to each other: lines that end with LF, at most [`super::HANDSHAKE_LINE`] bytes.
//!
//! | from | line | meaning |
//! |---|---|---|
//! | tracker | `Enter your nickname: ` (no LF) | the greeting of every server of this house |
//! | node | `/peer 1 ID PORT AGE ROOM NAME` | joins, as in [`super::PeerLine`]; the first line, within 30 s |
//! | node | `/ping` | every 20 s. Whoever is silent for 60 s is off the list |
//! | tracker | `/member ID ADDRESS NAME` | is in the room: those already there, then each that comes; 256 are heard, and then 10 a second |
//! | tracker | `/gone ID` | has left the room |
//! | tracker | `/ping` | ends the list of those already there, and answers each `/ping`. A tracker that is silent for 60 s is gone |
//! | tracker | `Chat refused: REASON` | and closes: full, room full, too slow, busy, stopping |
//!
//! The address is the one the tracker sees, with the port the member gave. Presence is the open connection: whoever
//! disconnects is off the list at that moment. A member that does not read what it is told is disconnected.

use std::fmt;
use std::net::SocketAddr;

use super::peer::{parse, word, words};
use super::{CHAT_REFUSED, Id, chat_refused};
use crate::nickname::Nickname;

/// What a tracker tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackerLine {
    /// Is in the room, and can be dialled there.
    Member(Id, SocketAddr, Nickname),
    /// Has left the room.
    Gone(Id),
    /// A sign of life.
    Ping,
    /// The tracker will not have us (foreign text).
    Refused(Vec<u8>),
}

impl TrackerLine {
    /// What the line means; `None` when it means nothing here.
    pub fn parse(line: &[u8]) -> Option<Self> {
        if let Some(reason) = chat_refused(line) {
            return Some(Self::Refused(reason.to_vec()));
        }
        match word(line) {
            (b"/member", rest) => {
                let ([id, address], name) = words(rest);
                Some(Self::Member(parse(id)?, parse(address)?, Nickname::from_bytes(name).ok()?))
            }
            (b"/gone", id) => Some(Self::Gone(parse(id)?)),
            (b"/ping", b"") => Some(Self::Ping),
            _ => None,
        }
    }
}

impl fmt::Display for TrackerLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(id, address, name) => writeln!(f, "/member {id} {address} {name}"),
            Self::Gone(id) => writeln!(f, "/gone {id}"),
            Self::Ping => writeln!(f, "/ping"),
            Self::Refused(reason) => writeln!(f, "{CHAT_REFUSED}{}", String::from_utf8_lossy(reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_member_is_understood_as_it_was_meant(id: u64, ip: [u8; 4], port: u16, name in "[a-z日]{1,32}") {
            for line in [TrackerLine::Member(Id(id), (ip, port).into(), name.parse().unwrap()), TrackerLine::Gone(Id(id))] {
                prop_assert_eq!(TrackerLine::parse(line.to_string().trim_end().as_bytes()), Some(line));
            }
        }

        #[test]
        fn any_bytes_are_a_line_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = TrackerLine::parse(&bytes);
        }
    }
}

//! What two peers say to each other.
//!
//! Whoever listens greets as a server does, so that a person with `nc` can be a guest; a dialling peer answers with a line
//! that cannot be a nickname.
//!
//! | step | from | bytes |
//! |---|---|---|
//! | 1 | listener | `Enter your nickname: ` (no LF) |
//! | 2 | dialler | `/peer 1 ID PORT AGE ROOM NAME` LF, within 30 s |
//! | 3 | listener | `/peer 1 ID PORT AGE ROOM NAME` LF, or `Chat refused: REASON` LF and close (another room, itself, leaving) |
//! | 4 | the one with the smaller ID | `/adopt` LF, or `Chat refused: already connected` LF (or full) and close |
//! | 5 | the other | nothing; but `Chat refused: REASON` LF, or `/bye` LF, and close when it is full, or about to leave |
//!
//! `1` is the version; `ID` 16 hexadecimal digits, chosen at random at each start; `PORT` the one it can be dialled at, 0 for
//! none; `AGE` the seconds since it came; `ROOM` and `NAME` are nicknames. Only the peer with the smaller ID decides which
//! connection of the two is the one, so two that dial each other end up with exactly one, and nothing is said on the other.
//! Who is told `/adopt` by a member at the same host gives its old connection with that up. Each answer may take 10 s.
//!
//! From then on each sends lines; one that it does not know is passed over:
//!
//! | line | meaning |
//! |---|---|
//! | `/say TEXT` | to everybody in the room |
//! | `/to TEXT` | to this member only |
//! | `/guest NAME TEXT` | what a guest of the sender says to everybody |
//! | `/know ID ADDRESS NAME` | a member the sender is connected with, and where it can be dialled; at most 128 are heard |
//! | `/history` | asks for what was said before; answered three times, and then once in 10 s |
//! | `/told SECONDS WHO: TEXT` | answers it: one message, said at this time since 1970 by `WHO`; at most [`HISTORY`] of them and [`HISTORY_BYTES`], all from before the two met |
//! | `/told-all` | that was all |
//! | `/ping` | nothing; sent after 15 s of silence. Whoever hears nothing for 45 s takes the other for lost |
//! | `/bye` | the sender leaves; the end of the stream follows. An end without it is a lost connection |
//!
//! `TEXT` is the rest of the line, at most [`super::MESSAGE_PIECE`] bytes; a line is at most [`PEER_LINE`] bytes.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use super::MESSAGE_PIECE;
use crate::nickname::Nickname;

/// The longest line between peers, in bytes: a message and what stands before it.
pub const PEER_LINE: usize = MESSAGE_PIECE + 1024;

/// How many messages a member remembers, and tells at most.
pub const HISTORY: usize = 200;

/// The most that is told of what was said before, in bytes on the wire.
pub const HISTORY_BYTES: usize = 256 * 1024;

/// Why one of two connections between the same nodes is refused.
pub const ALREADY_CONNECTED: &str = "already connected";

/// Tells nodes apart; random, so neither names nor addresses have to be unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Id {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten().ok_or(())
    }
}

/// How a node introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Who it is.
    pub id: Id,
    /// The port it can be dialled at; 0 for none.
    pub port: u16,
    /// How long it has been there, in seconds.
    pub age: u64,
    /// The conversation it takes part in.
    pub room: Nickname,
    /// What it is called.
    pub name: Nickname,
}

impl fmt::Display for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, port, age, room, name } = self;
        write!(f, "/peer 1 {id} {port} {age} {room} {name}")
    }
}

/// One line between peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerLine {
    /// See [`Hello`].
    Hello(Hello),
    /// This connection is the one.
    Adopt,
    /// To everybody (foreign text).
    Say(Vec<u8>),
    /// To this member only (foreign text).
    To(Vec<u8>),
    /// What a guest of the sender says (foreign text).
    Guest(Nickname, Vec<u8>),
    /// A member, and where it can be dialled.
    Know(Id, SocketAddr, Nickname),
    /// Asks for what was said before.
    History,
    /// One message of before: seconds since 1970, `WHO: TEXT` (foreign text).
    Told(u64, Vec<u8>),
    /// That was all of them.
    ToldAll,
    /// A sign of life.
    Ping,
    /// The sender leaves.
    Bye,
}

impl PeerLine {
    /// What the line means; `None` when it means nothing here.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let (verb, rest) = word(line);
        let end = rest.is_empty();
        Some(match verb {
            b"/peer" => {
                let ([version, id, port, age, room], name) = words(rest);
                if version != b"1" {
                    return None;
                }
                let (room, name) = (Nickname::from_bytes(room).ok()?, Nickname::from_bytes(name).ok()?);
                Self::Hello(Hello { id: parse(id)?, port: parse(port)?, age: parse(age)?, room, name })
            }
            b"/adopt" if end => Self::Adopt,
            b"/say" => Self::Say(rest.to_vec()),
            b"/to" => Self::To(rest.to_vec()),
            b"/guest" => {
                let (name, text) = word(rest);
                Self::Guest(Nickname::from_bytes(name).ok()?, text.to_vec())
            }
            b"/know" => {
                let ([id, address], name) = words(rest);
                Self::Know(parse(id)?, parse(address)?, Nickname::from_bytes(name).ok()?)
            }
            b"/history" if end => Self::History,
            b"/told" => {
                let (seconds, text) = word(rest);
                Self::Told(parse(seconds)?, text.to_vec())
            }
            b"/told-all" if end => Self::ToldAll,
            b"/ping" if end => Self::Ping,
            b"/bye" if end => Self::Bye,
            _ => return None,
        })
    }

    /// The line with its LF.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (head, text): (String, &[u8]) = match self {
            Self::Hello(hello) => (hello.to_string(), b""),
            Self::Adopt => ("/adopt".into(), b""),
            Self::Say(text) => ("/say ".into(), text),
            Self::To(text) => ("/to ".into(), text),
            Self::Guest(name, text) => (format!("/guest {name} "), text),
            Self::Know(id, address, name) => (format!("/know {id} {address} {name}"), b""),
            Self::History => ("/history".into(), b""),
            Self::Told(seconds, text) => (format!("/told {seconds} "), text),
            Self::ToldAll => ("/told-all".into(), b""),
            Self::Ping => ("/ping".into(), b""),
            Self::Bye => ("/bye".into(), b""),
        };
        [head.as_bytes(), text, b"\n"].concat()
    }
}

/// The first word and what follows the space behind it.
pub(super) fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = line.splitn(2, |&byte| byte == b' ');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// The first `N` words and the rest.
pub(super) fn words<const N: usize>(mut line: &[u8]) -> ([&[u8]; N], &[u8]) {
    let first = std::array::from_fn(|_| {
        let (first, rest) = word(line);
        line = rest;
        first
    });
    (first, line)
}

pub(super) fn parse<T: FromStr>(word: &[u8]) -> Option<T> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name() -> impl Strategy<Value = Nickname> {
        "[a-z日é]{1,32}".prop_map(|name| name.parse().unwrap())
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>().prop_filter("no line end", |&byte| byte != b'\n'), 0..100)
    }

    fn line() -> impl Strategy<Value = PeerLine> {
        let id = any::<u64>().prop_map(Id);
        let hello = (id, any::<u16>(), any::<u64>(), name(), name())
            .prop_map(|(id, port, age, room, name)| PeerLine::Hello(Hello { id, port, age, room, name }));
        prop_oneof![
            hello,
            text().prop_map(PeerLine::Say),
            text().prop_map(PeerLine::To),
            (name(), text()).prop_map(|(name, text)| PeerLine::Guest(name, text)),
            (any::<u64>(), any::<[u8; 16]>(), any::<u16>(), name()).prop_map(|(id, ip, port, name)| PeerLine::Know(
                Id(id),
                SocketAddr::from((ip, port)),
                name
            )),
            (any::<u64>(), text()).prop_map(|(seconds, text)| PeerLine::Told(seconds, text)),
            Just(PeerLine::Adopt),
            Just(PeerLine::History),
            Just(PeerLine::ToldAll),
            Just(PeerLine::Ping),
            Just(PeerLine::Bye),
        ]
    }

    proptest! {
        #[test]
        fn every_line_is_understood_as_it_was_meant(line in line()) {
            let bytes = line.to_bytes();
            prop_assert_eq!(PeerLine::parse(bytes.strip_suffix(b"\n").unwrap()), Some(line));
        }

        #[test]
        fn any_bytes_are_a_line_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = PeerLine::parse(&bytes);
        }

        #[test]
        fn a_broken_line_is_never_a_hello(cut in 0_usize..40) {
            let hello = b"/peer 1 0123456789abcdef 9000 12 lobby alice";
            prop_assert!(!matches!(PeerLine::parse(&hello[..cut.min(39)]), Some(PeerLine::Hello(_))));
        }
    }
}

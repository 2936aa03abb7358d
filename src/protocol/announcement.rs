//! What a node shouts into the local network: one datagram, `p2p-chat 1 ID PORT ROOM`.
//!
//! It goes by UDP to port 7473: to the broadcast address of each IPv4 interface, and to the multicast group `ff12::7473`
//! (link-local, transient: RFC 4291, 2.7) on each IPv6 one. `ID`, `PORT` and `ROOM` are as in [`super::PeerLine`]. Whoever
//! hears it may dial the sender's address at that port: the datagram cannot name another host.

use std::fmt;

use super::Id;
use super::peer::{parse, words};
use crate::nickname::Nickname;

/// The longest announcement, in bytes: a room of 32 four-byte characters, and everything else at its longest. A larger
/// datagram is none.
pub const ANNOUNCEMENT: usize = 200;

/// A node that can be dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Who it is.
    pub id: Id,
    /// The port it can be dialled at.
    pub port: u16,
    /// The conversation it takes part in.
    pub room: Nickname,
}

impl Announcement {
    /// What a datagram says; `None` when it is no announcement.
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        let ([magic, version, id, port], room) = words(datagram);
        if magic != b"p2p-chat" || version != b"1" || datagram.len() > ANNOUNCEMENT {
            return None;
        }
        let announcement = Self { id: parse(id)?, port: parse(port)?, room: Nickname::from_bytes(room).ok()? };
        (announcement.port != 0).then_some(announcement)
    }
}

impl fmt::Display for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p2p-chat 1 {} {} {}", self.id, self.port, self.room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_announcement_is_understood_as_it_was_meant(id: u64, port in 1_u16.., room in "\\PC{1,32}") {
            if let Ok(room) = room.parse() {
                let announcement = Announcement { id: Id(id), port, room };
                let datagram = announcement.to_string();
                prop_assert!(datagram.len() <= ANNOUNCEMENT);
                prop_assert_eq!(Announcement::parse(datagram.as_bytes()), Some(announcement));
            }
        }

        #[test]
        fn any_datagram_is_an_announcement_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(Announcement::parse(&bytes), None);
        }
    }
}

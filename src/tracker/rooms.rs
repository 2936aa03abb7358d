//! Who is in which room. Pure state: knows no socket and no thread.

use std::collections::HashMap;

use crate::nickname::Nickname;

/// The rooms of a tracker. A room is there as long as somebody is in it.
#[derive(Debug)]
pub(super) struct Rooms<Member> {
    largest: usize,
    rooms: HashMap<Nickname, Vec<Member>>,
}

impl<Member: Clone + PartialEq> Rooms<Member> {
    /// Rooms with at most `largest` members each.
    pub(super) fn new(largest: usize) -> Self {
        Self { largest, rooms: HashMap::new() }
    }

    /// Takes the member in and returns who was there before; `None` when the room is full.
    pub(super) fn join(&mut self, room: &Nickname, member: Member) -> Option<Vec<Member>> {
        let members = self.rooms.entry(room.clone()).or_default();
        if members.len() >= self.largest {
            return None;
        }
        let others = members.clone();
        members.push(member);
        Some(others)
    }

    /// The member is gone. Returns who is still there.
    pub(super) fn leave(&mut self, room: &Nickname, member: &Member) -> Vec<Member> {
        let Some(members) = self.rooms.get_mut(room) else { return Vec::new() };
        members.retain(|other| other != member);
        let others = members.clone();
        if others.is_empty() {
            self.rooms.remove(room);
        }
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_there_as_long_as_somebody_is_in_it() {
        let mut rooms = Rooms::new(2);
        let [tea, pub_] = ["tea", "pub"].map(|name| name.parse::<Nickname>().unwrap());
        assert_eq!(rooms.join(&tea, 1), Some(vec![]));
        assert_eq!(rooms.join(&pub_, 2), Some(vec![]), "rooms are apart");
        assert_eq!(rooms.join(&tea, 3), Some(vec![1]));
        assert_eq!(rooms.join(&tea, 4), None, "it is full");
        assert_eq!(rooms.leave(&tea, &1), [3]);
        assert_eq!(rooms.leave(&tea, &1), [3], "gone is gone");
        assert_eq!(rooms.leave(&tea, &3), []);
        assert_eq!(rooms.rooms.len(), 1);
    }
}

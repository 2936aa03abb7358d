//! Who is in the conversation, and what was said. Pure state: knows no socket and no thread.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::SystemTime;

use crate::nickname::Nickname;
use crate::protocol::Id;
use crate::protocol::peer::{HISTORY, HISTORY_BYTES};

/// The most members a conversation has beside ourselves: each costs two threads and a connection.
pub(super) const MEMBERS: usize = 128;

/// The most guests of one node.
pub(super) const GUESTS: usize = 16;

/// A member, connected by `link`.
#[derive(Clone, Debug)]
pub(super) struct Member<Link> {
    pub(super) name: Nickname,
    /// Where it can be dialled; port 0: nowhere.
    pub(super) address: SocketAddr,
    /// When it came into the conversation, by its own word.
    pub(super) since: SystemTime,
    /// When we met it.
    pub(super) met: SystemTime,
    pub(super) link: Link,
}

/// One message: `WHO: TEXT` (foreign text).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) at: SystemTime,
    pub(super) text: Vec<u8>,
}

/// Why a connection is not taken as a member's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    Connected,
    Full,
    /// We are about to go.
    Leaving,
}

/// The conversation as one member sees it.
#[derive(Debug)]
pub(super) struct Mesh<Link> {
    id: Id,
    name: Nickname,
    members: BTreeMap<Id, Member<Link>>,
    /// Those who were members once, up to as many as can be there at once; and how often somebody came.
    met: BTreeSet<Id>,
    arrivals: usize,
    guests: Vec<(Nickname, Link)>,
    history: VecDeque<Message>,
    /// The member whose history we have asked for, and how much of it we have heard: messages and bytes.
    asked: Option<(Id, usize, usize)>,
}

impl<Link: Clone + PartialEq> Mesh<Link> {
    pub(super) fn new(id: Id, name: Nickname) -> Self {
        let (members, met) = (BTreeMap::new(), BTreeSet::new());
        Self { id, name, members, met, arrivals: 0, guests: Vec::new(), history: VecDeque::new(), asked: None }
    }

    /// Takes a connection as the one with this member, when there is none yet. Returns the other members.
    pub(super) fn adopt(&mut self, id: Id, member: Member<Link>) -> Result<Vec<(Id, Member<Link>)>, NotTaken> {
        if id == self.id || self.members.contains_key(&id) {
            return Err(NotTaken::Connected);
        }
        if self.members.len() >= MEMBERS {
            return Err(NotTaken::Full);
        }
        let others = self.members().map(|(id, other)| (id, other.clone())).collect();
        self.members.insert(id, member);
        self.arrivals += 1;
        if self.met.len() < MEMBERS {
            self.met.insert(id);
        }
        Ok(others)
    }

    /// The member is gone, when this was its connection.
    pub(super) fn remove(&mut self, id: Id, link: &Link) -> Option<Member<Link>> {
        if self.members.get(&id).is_some_and(|member| member.link == *link) { self.members.remove(&id) } else { None }
    }

    pub(super) fn get(&self, id: Id) -> Option<&Member<Link>> {
        self.members.get(&id)
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (Id, &Member<Link>)> {
        self.members.iter().map(|(id, member)| (*id, member))
    }

    /// A guest comes. `false` when there are too many, or one is called so.
    pub(super) fn welcome(&mut self, name: &Nickname, link: &Link) -> bool {
        let taken = self.guests.iter().map(|(name, _)| name).chain([&self.name]).any(|other| other.is_like(name));
        let fits = !taken && self.guests.len() < GUESTS;
        if fits {
            self.guests.push((name.clone(), link.clone()));
            self.arrivals += 1;
        }
        fits
    }

    pub(super) fn guests(&self) -> &[(Nickname, Link)] {
        &self.guests
    }

    /// The guest is gone.
    pub(super) fn dismiss(&mut self, link: &Link) {
        self.guests.retain(|(_, other)| other != link);
    }

    /// How many there are beside ourselves.
    pub(super) fn len(&self) -> usize {
        self.members.len() + self.guests.len()
    }

    /// How many have been there beside ourselves, and guests that still are.
    pub(super) fn have_come(&self) -> usize {
        self.met.len() + self.guests.len()
    }

    /// How often somebody came.
    pub(super) fn arrivals(&self) -> usize {
        self.arrivals
    }

    pub(super) fn is_connected_at(&self, address: SocketAddr) -> bool {
        self.members.values().any(|member| member.address == address)
    }

    /// What a member is called: its name, with its address, and its port, as far as needed to tell it from others. A name that
    /// looks like another's label never stands alone.
    pub(super) fn label(&self, id: Id) -> Option<String> {
        self.members.get(&id).map(|member| self.label_of(id, member))
    }

    fn label_of(&self, id: Id, Member { name, address, .. }: &Member<Link>) -> String {
        let others = self.members.iter().filter(|(other, _)| **other != id).map(|(_, member)| member);
        let same: Vec<_> = others.filter(|other| other.name.is_like(name)).collect();
        if name.to_string().contains('@') || same.iter().any(|other| other.address.ip() == address.ip()) {
            format!("{name}@{address}")
        } else if !same.is_empty() || self.name.is_like(name) {
            format!("{name}@{}", address.ip())
        } else {
            name.to_string()
        }
    }

    /// The members with their labels, who has been there longest first.
    pub(super) fn by_age(&self) -> Vec<(String, &Member<Link>)> {
        let mut members: Vec<_> = self.members().map(|(id, member)| (self.label_of(id, member), member)).collect();
        members.sort_by_key(|(_, member)| member.since);
        members
    }

    /// The connections with those who are called so: a label is one member's; a name, or a name with an address, may be
    /// several members', and a name a guest's.
    pub(super) fn find(&self, called: &str) -> Vec<(String, Link)> {
        let members = self.by_age();
        if let Some((label, member)) = members.iter().find(|(label, _)| label == called) {
            return vec![(label.clone(), member.link.clone())];
        }
        let is_called = |name: &Nickname| called.parse().is_ok_and(|called| name.is_like(&called));
        let is_it = |member: &Member<Link>| {
            is_called(&member.name) || format!("{}@{}", member.name, member.address.ip()) == called
        };
        let members = members.into_iter().filter(|(_, member)| is_it(member));
        let guests = self.guests.iter().filter(|(name, _)| is_called(name));
        let members = members.map(|(label, member)| (label, member.link.clone()));
        members.chain(guests.map(|(name, link)| (name.to_string(), link.clone()))).collect()
    }

    /// Asks the member who has been there longest for its history, when that is longer than `than`.
    pub(super) fn ask_oldest(&mut self, than: SystemTime) -> Option<(String, Link)> {
        let older = self.members().filter(|(_, member)| member.since < than);
        let (id, member) = older.min_by_key(|(_, member)| member.since)?;
        let asked = (self.label_of(id, member), member.link.clone());
        self.asked = Some((id, 0, 0));
        Some(asked)
    }

    /// Whether the member may tell one message of so many bytes: only who was asked, and no more than it was asked for.
    pub(super) fn may_tell(&mut self, id: Id, bytes: usize) -> bool {
        let Some((_, messages, told)) = self.asked.as_mut().filter(|(asked, ..)| *asked == id) else { return false };
        (*messages, *told) = (*messages + 1, *told + bytes);
        *messages <= HISTORY && *told <= HISTORY_BYTES
    }

    /// The member has told everything: how many messages that was, when it was asked.
    pub(super) fn told_all(&mut self, id: Id) -> Option<usize> {
        self.asked.take_if(|(asked, ..)| *asked == id).map(|(_, messages, _)| messages.min(HISTORY))
    }

    pub(super) fn remember(&mut self, message: Message) {
        if self.history.len() >= HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(message);
    }

    pub(super) fn history(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.history.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, address: &str, link: u32) -> Member<u32> {
        let since = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(link.into());
        Member { name: name.parse().unwrap(), address: address.parse().unwrap(), since, met: since, link }
    }

    fn mesh(members: &[(u64, &str, &str)]) -> Mesh<u32> {
        let mut mesh = Mesh::new(Id(0), "alice".parse().unwrap());
        for (link, (id, name, address)) in members.iter().enumerate() {
            mesh.adopt(Id(*id), member(name, address, u32::try_from(link).unwrap())).unwrap();
        }
        mesh
    }

    #[test]
    fn one_connection_a_member_and_none_with_oneself() {
        let mut mesh = mesh(&[(1, "bob", "10.0.0.1:1")]);
        assert_eq!(mesh.adopt(Id(1), member("bob", "10.0.0.1:2", 9)).unwrap_err(), NotTaken::Connected);
        assert_eq!(mesh.adopt(Id(0), member("alice", "10.0.0.1:2", 9)).unwrap_err(), NotTaken::Connected);
        assert!(mesh.remove(Id(1), &9).is_none(), "not that connection");
        assert!(mesh.remove(Id(1), &0).is_some());
        assert_eq!(mesh.len(), 0);
    }

    #[test]
    fn names_that_clash_are_told_apart_by_address_and_port() {
        let mesh = mesh(&[
            (1, "bob", "10.0.0.1:1"),
            (2, "carol", "10.0.0.2:1"),
            (3, "Carol", "10.0.0.3:1"),
            (4, "dave", "10.0.0.4:1"),
            (5, "dave", "10.0.0.4:2"),
            (6, "ALICE", "10.0.0.5:1"),
            (7, "dave@10.0.0.4:1", "10.0.0.6:1"),
        ]);
        let labels: Vec<_> = (1..=7).filter_map(|id| mesh.label(Id(id))).collect();
        let expected = [
            "bob",
            "carol@10.0.0.2",
            "Carol@10.0.0.3",
            "dave@10.0.0.4:1",
            "dave@10.0.0.4:2",
            "ALICE@10.0.0.5",
            "dave@10.0.0.4:1@10.0.0.6:1",
        ];
        assert_eq!(labels, expected);
        assert_eq!(mesh.find("dave@10.0.0.4:2"), [("dave@10.0.0.4:2".to_owned(), 4)]);
        assert_eq!(mesh.find("carol").len(), 2);
        assert_eq!(mesh.find("dave@10.0.0.4").len(), 2);
        assert_eq!(mesh.label(Id(9)), None);
    }

    #[test]
    fn only_the_last_200_messages_are_remembered() {
        let mut mesh = mesh(&[]);
        for number in 0..=HISTORY {
            let text = number.to_string().into();
            mesh.remember(Message { at: SystemTime::UNIX_EPOCH, text });
        }
        assert_eq!(mesh.history().count(), HISTORY);
        assert_eq!(mesh.history().next().unwrap().text, b"1");
    }

    #[test]
    fn the_oldest_member_is_asked_when_it_is_older_than_oneself() {
        let mut mesh = mesh(&[(1, "bob", "10.0.0.1:1"), (2, "carol", "10.0.0.2:1")]);
        let at = |seconds| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        assert!(mesh.ask_oldest(at(0)).is_none());
        assert!(!mesh.may_tell(Id(1), 1), "nobody was asked");
        assert_eq!(mesh.ask_oldest(at(5)), Some(("bob".to_owned(), 0)));
        assert!(mesh.may_tell(Id(1), HISTORY_BYTES));
        assert!(!mesh.may_tell(Id(2), 1), "another was asked");
        assert!(!mesh.may_tell(Id(1), 1), "that is too much");
    }
}

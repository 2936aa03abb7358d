//! What all threads of a node share, and what they do with it together.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::dials::Dials;
use super::link::{Link, send_to_all};
use super::mesh::{Mesh, Message};
use super::tokens::Tokens;
use crate::logging::local_time;
use crate::nickname::Nickname;
use crate::protocol::{Hello, Id, Lines, MESSAGE_PIECE, PeerLine};
use crate::stop::Stop;
use crate::sync::{FOREVER, lock, wait_while};
use crate::terminal::Screen;
use crate::text::printable;

/// How often we say at once, and each second in the long run, that somebody cannot be reached: others decide how often that is.
const COMPLAINTS: f64 = 16.0;
const COMPLAINTS_PER_SECOND: f64 = 0.1;

/// A node.
pub(super) struct Node {
    pub(super) id: Id,
    pub(super) name: Nickname,
    pub(super) room: Nickname,
    /// The port it can be dialled at.
    pub(super) port: u16,
    pub(super) since: SystemTime,
    pub(super) screen: Screen,
    /// Set when our user leaves, by whatever way.
    pub(super) leave: Stop,
    pub(super) mesh: Mutex<Mesh<Link>>,
    /// Somebody has come or gone.
    pub(super) changed: Condvar,
    pub(super) dials: Mutex<Dials>,
    /// There is somebody new to dial.
    pub(super) learned: Condvar,
    /// How often we may say that somebody cannot be reached: others decide whom we are told of.
    pub(super) complaints: Mutex<Tokens>,
}

/// A text in messages that are short enough: bytes that were not UTF-8 have become three each when they were typed.
pub(super) fn pieces(text: &str) -> Vec<Vec<u8>> {
    let mut lines = Lines::new(MESSAGE_PIECE);
    lines.push(text.as_bytes());
    lines.push(b"\n");
    std::iter::from_fn(|| lines.next_line().map(|piece| piece.text.to_vec())).collect()
}

/// A number that nobody can foresee, from the keys the standard library draws for its hash tables.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A number from 0 to 1.
pub(super) fn chance() -> f64 {
    f64::from(u32::try_from(random() >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

impl Node {
    pub(super) fn new(name: Nickname, room: Nickname, port: u16, screen: Screen, leave: Stop) -> Self {
        let id = Id(random());
        Self {
            id,
            room,
            port,
            since: SystemTime::now(),
            screen,
            leave,
            mesh: Mutex::new(Mesh::new(id, name.clone())),
            changed: Condvar::new(),
            dials: Mutex::default(),
            learned: Condvar::new(),
            complaints: Mutex::new(Tokens::new(COMPLAINTS, COMPLAINTS_PER_SECOND)),
            name,
        }
    }

    pub(super) fn hello(&self) -> Vec<u8> {
        let age = self.since.elapsed().unwrap_or_default().as_secs();
        let hello = Hello { id: self.id, port: self.port, age, room: self.room.clone(), name: self.name.clone() };
        PeerLine::Hello(hello).to_bytes()
    }

    /// Says something about the chat. A screen that is gone ends the node.
    pub(super) fn status(&self, mark: &str, text: &str) {
        if self.screen.status(mark, text).is_err() {
            self.leave.trigger();
        }
    }

    /// Shows whole lines, all at once.
    pub(super) fn show(&self, lines: &[u8]) {
        if !lines.is_empty() && self.screen.show(lines).is_err() {
            self.leave.trigger();
        }
    }

    /// One message as this screen shows it, with the time at which it arrived.
    pub(super) fn line(&self, mark: &str, who: &str, text: &[u8]) -> Vec<u8> {
        if self.screen.is_terminal {
            let now = local_time(SystemTime::now());
            let minute = now.get(11..16).unwrap_or_default();
            format!("{mark} {minute} {who}: {}\n", printable(text)).into_bytes()
        } else {
            // To many programs a CR ends a line, and what follows would be said by whomever it names.
            let text: Vec<_> = text.iter().copied().filter(|&byte| byte != b'\r').collect();
            [who.as_bytes(), b": ", &text, b"\n"].concat()
        }
    }

    /// Somebody has said something to everybody: it is remembered, and our guests hear it, but not the one who said it.
    /// Returns who was a member then: whoever comes later finds it in the history.
    pub(super) fn heard(&self, who: &str, text: &[u8], from: Option<&Link>) -> Vec<Link> {
        let text = [who.as_bytes(), b": ", text].concat();
        let (guests, members): (Vec<_>, _) = {
            let mut mesh = lock(&self.mesh);
            mesh.remember(Message { at: SystemTime::now(), text: text.clone() });
            let guests = mesh.guests().iter().map(|(_, link)| link.clone()).filter(|link| Some(link) != from);
            (guests.collect(), mesh.members().map(|(_, member)| member.link.clone()).collect())
        };
        if !guests.is_empty() {
            // Nothing else cleans the text on its way to their terminals. Nobody waits for a guest that does not read.
            let line = format!("{}\n", printable(&text)).into_bytes().into();
            guests.iter().for_each(|link| link.send_by(&line, Instant::now()));
        }
        members
    }

    /// Our user says something to everybody. Returns whether anybody is there to hear it.
    pub(super) fn say(&self, text: &str) -> bool {
        for piece in pieces(text) {
            let members = self.heard(&self.name.to_string(), &piece, None);
            send_to_all(&members, &PeerLine::Say(piece).to_bytes());
        }
        lock(&self.mesh).len() > 0
    }

    /// A member, or a tracker, says that somebody can be dialled at this address.
    pub(super) fn told(&self, id: Id, address: SocketAddr, name: Nickname) {
        if id != self.id && lock(&self.mesh).get(id).is_none() {
            self.learn(address, Some(name), Instant::now());
        }
    }

    /// Learns of an address from an announcement, or (`told`) by name from a member or a tracker; it is dialled, not before `due`,
    /// when that is called for. Returns whether it is.
    pub(super) fn learn(&self, address: SocketAddr, told: Option<Nickname>, due: Instant) -> bool {
        if lock(&self.mesh).is_connected_at(address) {
            return false;
        }
        let dials = lock(&self.dials).learn(address, told, due);
        if dials {
            self.learned.notify_all();
        }
        dials
    }

    /// Our user leaves: wakes all who wait for somebody.
    pub(super) fn wake(&self) {
        drop((lock(&self.mesh), lock(&self.dials)));
        self.changed.notify_all();
        self.learned.notify_all();
    }

    /// Waits until so many others have come and one of them is there, or our user leaves. Those who have spoken and left count:
    /// of many that wait for each other the last would wait for ever.
    pub(super) fn wait_for_others(&self, count: usize) {
        let mesh = lock(&self.mesh);
        let before = mesh.arrivals();
        let waits = |mesh: &mut Mesh<Link>| {
            let nobody = mesh.len() == 0 && mesh.arrivals() == before;
            (nobody || mesh.have_come() < count) && !self.leave.is_set()
        };
        drop(wait_while(&self.changed, mesh, FOREVER, waits));
    }

    /// Waits for an address to dial; `None` when our user leaves.
    pub(super) fn next_dial(&self) -> Option<SocketAddr> {
        let mut dials = lock(&self.dials);
        while !self.leave.is_set() {
            let now = Instant::now();
            let due = match dials.next(now) {
                Ok(address) => return Some(address),
                Err(due) => due,
            };
            let pause = due.map_or(Duration::from_secs(3600), |due| due - now);
            let (wait, _) = self.learned.wait_timeout(dials, pause).unwrap_or_else(PoisonError::into_inner);
            dials = wait;
        }
        None
    }
}

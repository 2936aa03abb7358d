//! A chat without a server: every node is client and server at once, and has one connection with each other.
//!
//! | file | what it does |
//! |---|---|
//! | `meet` | two nodes introduce themselves and agree on one connection |
//! | `converse` | what they say to each other until one is gone |
//! | `guest` | a person with a plain connection |
//! | `mesh` | who is there, and what was said (pure state) |
//! | `dials` | whom to dial, and when (pure state) |
//! | `lan`, `retry` | ways of meeting: by announcement; by a place that the user named, which may be a tracker |
//! | `link`, `outbox` | one connection, and the bounded queue in front of it |
//! | `talk` | the keyboard |
//! | `tokens` | how often something may happen that others can cause |
//! | `node` | what all threads share |
//!
//! Each connection has a thread that reads and one that writes. What travels on it is in [`crate::protocol::peer`].

mod converse;
mod dials;
mod guest;
mod lan;
mod link;
mod meet;
mod mesh;
mod node;
mod outbox;
mod retry;
mod talk;
mod tokens;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::str::FromStr;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use std::{io, thread};

pub use lan::Lan;
use link::{Link, PATIENCE};
use mesh::{GUESTS, MEMBERS};
use node::{Node, chance};

use crate::net;
use crate::nickname::Nickname;
use crate::pool::Pool;
use crate::protocol::PeerLine;
use crate::reception::{self, Client};
use crate::stop::{self, Stop};
use crate::sync::{FOREVER, lock, wait_while};
use crate::terminal::{self, Keyboard};

/// What the log lines of a node are filed under.
pub const LOG_TARGET: &str = "chat_peer";

/// Connections at once that have not said yet who they are.
const HANDSHAKES: usize = 64;
/// Addresses that are dialled at once, beside those that have become members; more are not due (see `dials`).
const DIALS: usize = 16;
/// How long leaving may take when a person wants to go; a script's words get [`PATIENCE`].
const FAREWELL: Duration = Duration::from_secs(1);

/// `HOST:PORT`, an IPv6 address in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = text.rsplit_once(':').ok_or("it is no HOST:PORT, such as 0.0.0.0:9000")?;
        if host.is_empty() || (host.contains(':') && !host.starts_with('[')) {
            return Err("it needs a host, an IPv6 address in brackets: HOST:PORT".to_owned());
        }
        let port = port.parse().map_err(|_| format!("{port} is no port: 0 to 65535"))?;
        Ok(Self { host: host.to_owned(), port })
    }
}

/// Who a node is, and how it meets others.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What it is called.
    pub name: Nickname,
    /// The conversation it takes part in.
    pub room: Nickname,
    /// Where it listens; otherwise at a free port of `host`.
    pub listen: Option<Place>,
    /// The address of the interface it keeps to; otherwise every address.
    pub host: Option<IpAddr>,
    /// Whom it dials.
    pub connect: Vec<Place>,
    /// Trackers that name others.
    pub trackers: Vec<Place>,
    /// How it finds others on the local network.
    pub lan: Option<Lan>,
    /// How many others have to have come before the first line is sent.
    /// By default 1 for a script, whose lines would be lost otherwise, and 0 for a person.
    pub wait: Option<usize>,
}

/// Chats until our user leaves. Some threads stay behind: a program ends after it.
///
/// # Errors
/// It cannot listen, or the terminal cannot be used.
pub fn run(settings: Settings) -> io::Result<()> {
    let (listeners, port) = listen(settings.listen.as_ref(), settings.host)?;
    let (keyboard, screen) = terminal::open()?;
    if settings.wait.is_some() && screen.is_terminal {
        return Err(io::Error::other("--wait is for scripts, and standard input is a terminal: leave it out"));
    }
    let (leave, signalled, closing) = (Stop::default(), Stop::default(), screen.clone());
    let (leaving, interrupted) = (leave.clone(), signalled.clone());
    let on_first = move || {
        interrupted.trigger();
        leaving.trigger();
    };
    stop::on_signal(on_first, move || closing.close())?;

    let Settings { name, room, .. } = settings;
    let node = Arc::new(Node::new(name, room, port, screen, leave));
    node.status("🔌", &format!("{} in the room {}, reachable at port {port}", node.name, node.room));
    if node.screen.is_terminal {
        node.show(b"Type /exit to quit, /help for more\n\n");
    }
    let (leaving, welcoming) = (Stop::default(), Arc::clone(&node));
    let serve = move |client: &Arc<Client>| meet::accepted(&welcoming, client);
    let (received, all_received) = mpsc::channel();
    let ending = leaving.clone();
    thread::spawn(move || {
        reception::run(&listeners, LOG_TARGET, MEMBERS + GUESTS + HANDSHAKES, PATIENCE, &ending, serve);
        received.send(())
    });
    for Place { host, port } in settings.connect {
        retry::connect(&node, host, port);
    }
    for Place { host, port } in settings.trackers {
        retry::track(&node, host, port);
    }
    if let Some(lan) = settings.lan {
        lan::start(&node, lan);
    }
    let dialler = Arc::clone(&node);
    thread::spawn(move || dial(&dialler));
    let wait = settings.wait.unwrap_or(usize::from(!node.screen.is_terminal));
    let talker = Arc::clone(&node);
    thread::spawn(move || type_and_leave(&talker, keyboard, wait));

    node.leave.wait_for(FOREVER);
    let hurry = signalled.is_set() || node.screen.is_terminal;
    let behind = leave_all(&node, hurry);
    node.screen.close();
    leaving.trigger();
    // A worker whose words nobody takes from our standard output stays behind.
    let _ = all_received.recv_timeout(FAREWELL);
    if behind.is_empty() || hurry {
        return Ok(());
    }
    Err(io::Error::other(format!("not everything was delivered to {}", behind.join(", "))))
}

/// The place that was given, or a free port: of the interface that was given, or of every address of both kinds.
fn listen(place: Option<&Place>, host: Option<IpAddr>) -> io::Result<(Vec<TcpListener>, u16)> {
    match (place, host) {
        (Some(Place { host, port }), _) => net::listen(host, *port),
        (None, Some(host)) => net::listen(&host.to_string(), 0),
        (None, None) => net::listen(&Ipv6Addr::UNSPECIFIED.to_string(), 0)
            .or_else(|_| net::listen(&Ipv4Addr::UNSPECIFIED.to_string(), 0)),
    }
}

/// Dials addresses as they become due, each on a worker of its own, which stays with whom it meets.
fn dial(node: &Arc<Node>) {
    let dialling = Arc::clone(node);
    let pool = Pool::new("dial", MEMBERS + DIALS, move |address| meet::dial(&dialling, address));
    while let Some(address) = node.next_dial() {
        if pool.execute(address, PATIENCE).is_err() {
            lock(&node.dials).failed(address, chance(), Instant::now());
        }
    }
}

fn type_and_leave(node: &Node, mut keyboard: Keyboard, wait: usize) {
    if let Err(error) = talk::talk(node, &mut keyboard, wait) {
        node.status("❌", &format!("Cannot use the terminal: {error}"));
    }
    node.leave.trigger();
}

/// Tells all members, and waits until they have heard everything: in a hurry for a moment, otherwise as long as there is
/// progress. Returns who has not heard everything.
fn leave_all(node: &Node, hurry: bool) -> Vec<String> {
    node.wake();
    let (members, guests): (Vec<_>, Vec<_>) = {
        let mesh = lock(&node.mesh);
        let members = mesh.members().map(|(_, member)| member.link.clone()).collect();
        (members, mesh.guests().iter().map(|(_, link)| link.clone()).collect())
    };
    members.iter().for_each(|link| link.finish(&PeerLine::Bye.to_bytes()));
    guests.iter().for_each(|link| link.finish(b""));
    // A member closes when it has heard the last word.
    let mut before = usize::MAX;
    loop {
        let limit = if hurry { FAREWELL } else { PATIENCE };
        drop(wait_while(&node.changed, lock(&node.mesh), limit, |mesh| mesh.members().next().is_some()));
        let waiting = members.iter().map(Link::waiting).sum();
        if hurry || waiting >= before {
            break;
        }
        before = waiting;
    }
    guests.iter().for_each(|link| link.drain(FAREWELL));
    lock(&node.mesh).by_age().into_iter().map(|(label, _)| label).collect()
}

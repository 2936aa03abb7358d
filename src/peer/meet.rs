//! How two nodes meet: one dials, they introduce themselves, and agree on which connection is the one.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::converse::converse;
use super::dials::common;
use super::guest;
use super::link::{Link, PATIENCE};
use super::mesh::{Member, NotTaken};
use super::node::{Node, chance};
use crate::net::{Socket, is_timeout};
use crate::protocol::peer::{ALREADY_CONNECTED, PEER_LINE};
use crate::protocol::{Hello, Lines, PeerLine, Said, chat_refused, refusal};
use crate::reception::Client;
use crate::sync::lock;
use crate::text::printable;

/// How long the other side may take for each step of the introduction.
const ANSWER: Duration = Duration::from_secs(10);

/// Why there is no new member.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotMet {
    /// There is a connection with it already.
    Connected,
    /// One of the two will not, and why.
    Refused(String),
    /// It could not be reached, and why.
    Failed(String),
}

impl From<io::Error> for NotMet {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Serves whoever came to our listener: a node, or a person with a plain connection. Stays until it is gone.
pub(super) fn accepted(node: &Node, client: &Arc<Client>) {
    if node.leave.is_set() {
        return refuse(&client.socket, "leaving");
    }
    let deadline = Instant::now() + PATIENCE;
    let Some(first) = client.first_words(deadline) else { return };
    if !first.starts_with(b"/peer ") {
        return guest::serve(node, client, &first, deadline);
    }
    let mut lines = Lines::new(PEER_LINE);
    lines.push(&first);
    let remote = match lines.next_line().and_then(|line| PeerLine::parse(line.text)) {
        Some(PeerLine::Hello(remote)) => remote,
        _ => return refuse(&client.socket, "this node speaks another version"),
    };
    if remote.room != node.room {
        return refuse(&client.socket, format_args!("this is the room {}", node.room));
    }
    if remote.id == node.id {
        return refuse(&client.socket, "that is yourself");
    }
    if client.socket.send(&node.hello()).is_ok()
        && let Ok(mut address) = client.socket.peer()
    {
        address.set_ip(address.ip().to_canonical());
        address.set_port(remote.port);
        // What became of it is for the one who dialled to report.
        let _ = join(node, Link::accepted(client), remote, lines, address);
    }
}

fn refuse(socket: &Socket, reason: impl std::fmt::Display) {
    socket.send_away(&refusal(reason));
}

/// Meets the node that we have dialled, and stays until it is gone. `kept_up`: the caller dials again when it is lost.
pub(super) fn dialled(node: &Node, socket: Socket, kept_up: bool) -> Result<(), NotMet> {
    let address = socket.peer()?;
    let mut lines = introduce(node, &socket, PEER_LINE)?;
    let answer = read_line(&socket, &mut lines)?;
    match PeerLine::parse(&answer) {
        Some(PeerLine::Hello(remote)) if remote.id == node.id => Err(NotMet::Refused("that is ourselves".to_owned())),
        Some(PeerLine::Hello(remote)) => join(node, Link::dialled(socket, kept_up), remote, lines, address),
        _ => Err(not_met(&answer)),
    }
}

/// Waits for the greeting of a node or a tracker, and says who we are. What was said behind the greeting is in the lines.
pub(super) fn introduce(node: &Node, socket: &Socket, longest: usize) -> Result<Lines, NotMet> {
    socket.limit_stalls(PATIENCE)?;
    let mut lines = Lines::new(longest);
    let deadline = Instant::now() + ANSWER;
    loop {
        match Said::next(&mut lines, false) {
            Some(Said::Asked) => break,
            Some(Said::ChatRefused(reason)) => return Err(NotMet::Refused(reason)),
            Some(_) => return Err(NotMet::Refused("that is no chat-peer and no tracker".to_owned())),
            None => lines.push(&read(socket, deadline)?),
        }
    }
    socket.send(&node.hello())?;
    Ok(lines)
}

fn not_met(answer: &[u8]) -> NotMet {
    match chat_refused(answer) {
        Some(reason) if reason == ALREADY_CONNECTED.as_bytes() => NotMet::Connected,
        Some(reason) => NotMet::Refused(printable(reason)),
        None => NotMet::Refused(
            "that is no chat-peer; for a chat-server there is chat-client, for a tracker --tracker".to_owned(),
        ),
    }
}

fn read_line(socket: &Socket, lines: &mut Lines) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + ANSWER;
    loop {
        if let Some(line) = lines.next_line() {
            return Ok(line.text.to_vec());
        }
        lines.push(&read(socket, deadline)?);
    }
}

fn read(socket: &Socket, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut buffer = [0; 1024];
    socket.limit_reads(Some(deadline.saturating_duration_since(Instant::now())))?;
    match socket.read(&mut buffer) {
        Ok([]) => Err(io::Error::new(ErrorKind::UnexpectedEof, "it closed the connection")),
        Ok(words) => Ok(words.to_vec()),
        Err(error) if is_timeout(&error) => Err(io::Error::new(ErrorKind::TimedOut, "it does not answer")),
        Err(error) => Err(error),
    }
}

/// Becomes connected when both agree that this connection is the one, and stays until it ends.
fn join(node: &Node, link: Link, remote: Hello, mut lines: Lines, address: SocketAddr) -> Result<(), NotMet> {
    // Of two connections between the same nodes one is to stay. Two who decide might each choose another, so one decides.
    let decides = node.id < remote.id;
    if decides {
        // Before anybody else can put a line into its box.
        link.send(&PeerLine::Adopt.to_bytes());
    } else {
        let answer = read_line(link.socket(), &mut lines)?;
        if PeerLine::parse(&answer) != Some(PeerLine::Adopt) {
            return Err(not_met(&answer));
        }
    }
    let since = SystemTime::now().checked_sub(Duration::from_secs(remote.age)).unwrap_or(UNIX_EPOCH);
    let mut replaced = None;
    let adopted = {
        let mut mesh = lock(&node.mesh);
        let old = mesh.get(remote.id).filter(|old| old.address.ip() == address.ip()).map(|old| old.link.clone());
        if !decides && let Some(old) = old {
            // The other side has given the old connection up, or it would not have chosen this one. Everybody knows its number,
            // so from elsewhere it is believed only when the old connection has ended.
            old.give_up();
            mesh.remove(remote.id, &old);
            replaced = Some(old);
        }
        let member = Member { name: remote.name, address, since, met: SystemTime::now(), link: link.clone() };
        // Under the lock: who leaves says so to all members, and has none after that.
        if node.leave.is_set() { Err(NotTaken::Leaving) } else { mesh.adopt(remote.id, member) }
    };
    let others = match adopted {
        Ok(others) => others,
        Err(NotTaken::Connected) => {
            refuse(link.socket(), ALREADY_CONNECTED);
            return Err(NotMet::Connected);
        }
        Err(NotTaken::Full) => {
            refuse(link.socket(), "the conversation is full");
            return Err(NotMet::Refused("the conversation is full".to_owned()));
        }
        Err(NotTaken::Leaving) => {
            let _ = link.socket().send(&PeerLine::Bye.to_bytes());
            return Err(NotMet::Refused("we are leaving".to_owned()));
        }
    };
    link.settle();
    for (id, Member { address: other, name, .. }) in others {
        if let Some(other) = common(other, address.ip()) {
            link.send(&PeerLine::Know(id, other, name).to_bytes());
        }
    }
    converse(node, remote.id, &link, replaced.as_ref(), &mut lines);
    Ok(())
}

/// Dials an address that is due, and takes note of what came of it.
pub(super) fn dial(node: &Node, address: SocketAddr) {
    let connected = crate::net::connect_to(address, ANSWER);
    match connected.map_err(NotMet::from).and_then(|socket| dialled(node, socket, false)) {
        // When it was lost, it is due again already.
        Ok(()) => {}
        Err(NotMet::Connected) if lock(&node.mesh).is_connected_at(address) => lock(&node.dials).rest(address),
        // Known by another address, perhaps; or it has not noticed yet that an old connection is gone.
        Err(NotMet::Connected) => drop(lock(&node.dials).failed(address, chance(), Instant::now())),
        Err(NotMet::Refused(reason) | NotMet::Failed(reason)) => {
            let first = lock(&node.dials).failed(address, chance(), Instant::now());
            if let Some(name) = first
                && lock(&node.complaints).take(Instant::now())
            {
                node.status("⚠️", &format!("Cannot reach {name} at {address}: {reason} (trying again)"));
            }
        }
    }
    // There is room to dial another now.
    node.learned.notify_all();
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::{Barrier, Mutex, PoisonError};
    use std::thread;

    use super::*;
    use crate::peer::leave_all;
    use crate::reception;
    use crate::stop::Stop;
    use crate::terminal::Screen;

    const ROUNDS: usize = 1_000;
    const LIMIT: Duration = Duration::from_secs(10);

    /// A place where one node after the other is reachable.
    struct Place {
        address: SocketAddr,
        node: Arc<Mutex<Option<Arc<Node>>>>,
        stop: Stop,
    }

    impl Place {
        fn open() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let (node, stop) = (Arc::<Mutex<Option<Arc<Node>>>>::default(), Stop::default());
            let there = Arc::clone(&node);
            let serve = move |client: &Arc<Client>| {
                let node = lock(&there).clone();
                accepted(&node.expect("a node is there before anybody dials it"), client);
            };
            let ending = stop.clone();
            thread::spawn(move || reception::run(&[listener], "test", 16, PATIENCE, &ending, serve));
            Self { address, node, stop }
        }

        fn settle(&self, name: &str) -> Arc<Node> {
            let room = "lobby".parse().unwrap();
            let port = self.address.port();
            let node = Arc::new(Node::new(name.parse().unwrap(), room, port, Screen::nowhere(), Stop::default()));
            *lock(&self.node) = Some(Arc::clone(&node));
            node
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            self.stop.trigger();
        }
    }

    /// Both leave with the value, also when the test fails.
    struct Both<'a>(&'a [Arc<Node>; 2]);

    impl Drop for Both<'_> {
        fn drop(&mut self) {
            for node in self.0 {
                node.leave.trigger();
                leave_all(node, false);
            }
        }
    }

    /// Waits until the node is as the condition wants it.
    #[track_caller]
    fn wait_until(node: &Node, expected: &str, condition: impl Fn(&crate::peer::mesh::Mesh<Link>) -> bool) {
        let deadline = Instant::now() + LIMIT;
        let mut mesh = lock(&node.mesh);
        while !condition(&mesh) {
            assert!(Instant::now() < deadline, "expected {expected} of {}, came {:?}", node.name, said(&mesh));
            // What is said is not announced: look now and then.
            let waited = node.changed.wait_timeout(mesh, Duration::from_millis(1));
            mesh = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What the node remembers, as text.
    fn said(mesh: &crate::peer::mesh::Mesh<Link>) -> Vec<String> {
        mesh.history().map(|message| String::from_utf8_lossy(&message.text).into_owned()).collect()
    }

    #[test]
    fn two_that_dial_each_other_at_the_same_moment_agree_on_one_connection_a_thousand_times() {
        let places = [Place::open(), Place::open()];
        for round in 1..=ROUNDS {
            let nodes = [places[0].settle("alice"), places[1].settle("bob")];
            let together = Barrier::new(2);
            thread::scope(|scope| {
                let both = Both(&nodes);
                let mut dialling = Vec::new();
                for (node, place) in nodes.iter().zip([&places[1], &places[0]]) {
                    let together = &together;
                    let (node, address) = (Arc::clone(node), place.address);
                    let speaker = Arc::clone(&node);
                    // As from --connect, so that a link tells on which side it was dialled.
                    dialling.push(scope.spawn(move || {
                        together.wait();
                        let socket = crate::net::connect_to(address, LIMIT).unwrap();
                        dialled(&node, socket, true)
                    }));
                    scope.spawn(move || {
                        wait_until(&speaker, "a member", |mesh| mesh.len() > 0);
                        // Whether anybody is still there afterwards: with the last line the round may be over.
                        for number in 1..=5 {
                            let _ = speaker.say(&number.to_string());
                        }
                    });
                }
                // The connection that is not the one ends by itself, while both are there.
                let one_ended = || dialling.iter().any(thread::ScopedJoinHandle::is_finished);
                wait_until(&nodes[0], "one connection to end", |_| one_ended());
                for node in &nodes {
                    wait_until(node, "ten lines", |mesh| mesh.history().count() >= 10);
                }
                let links = nodes.each_ref().map(|node| {
                    let mesh = lock(&node.mesh);
                    let links: Vec<_> = mesh.members().map(|(_, member)| member.link.clone()).collect();
                    assert_eq!(links.len(), 1, "(links of {} in round {round})", node.name);
                    links[0].is_kept_up()
                });
                assert_ne!(links[0], links[1], "both keep the one they dialled, or neither, in round {round}");
                assert!(!dialling.iter().all(thread::ScopedJoinHandle::is_finished), "none is left in round {round}");
                drop(both);
                let ends: Vec<_> = dialling.into_iter().map(|thread| thread.join().unwrap()).collect();
                let refused = ends.iter().filter(|end| **end == Err(NotMet::Connected)).count();
                let met = ends.iter().filter(|end| end.is_ok()).count();
                assert_eq!((met, refused), (1, 1), "(met, refused) in round {round}: {ends:?}");
            });
            for node in &nodes {
                let said = said(&lock(&node.mesh));
                for who in ["alice", "bob"] {
                    let of: Vec<_> = said.iter().filter(|text| text.starts_with(who)).cloned().collect();
                    let expected: Vec<_> = (1..=5).map(|number| format!("{who}: {number}")).collect();
                    assert_eq!(of, expected, "(what {} heard in round {round}, what was said)", node.name);
                }
            }
        }
    }
}

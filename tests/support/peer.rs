//! The real `chat-peer`: between pipes or in a terminal; and a member played by the test.

use std::io::PipeReader;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::client::Client;
use super::server::run_to_the_end;
#[cfg(unix)]
use super::terminal::{Start, Terminal};
use super::{Captured, Figures, LIMIT, Plain, port_without_a_server};

const PROGRAM: &str = env!("CARGO_BIN_EXE_chat-peer");

/// A running node between pipes; ended with the value.
#[derive(Debug)]
pub(crate) struct Peer {
    client: Client,
    port: u16,
}

impl Peer {
    /// `chat-peer NAME …` at a free port of loopback, once it is there. Without local network unless `more` asks for it.
    #[track_caller]
    pub(crate) fn start(name: &str, more: &[&str]) -> Self {
        let host = if more.contains(&"--listen") { &[][..] } else { &["--host", "127.0.0.1"] };
        Self::with(&[&[name][..], host, more].concat())
    }

    /// Nobody knows of it, and it knows nobody: it waits for whoever dials.
    #[track_caller]
    pub(crate) fn alone(name: &str) -> Self {
        Self::start(name, &["--listen", "127.0.0.1:0"])
    }

    /// Dials these ports.
    #[track_caller]
    pub(crate) fn dialling(name: &str, ports: &[u16], more: &[&str]) -> Self {
        let places: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let places = places.iter().flat_map(|place| ["--connect", place]).collect::<Vec<_>>();
        Self::start(name, &[&places[..], more].concat())
    }

    /// Asks the tracker at this port.
    #[track_caller]
    pub(crate) fn tracked(name: &str, tracker: u16, more: &[&str]) -> Self {
        Self::start(name, &[&["--tracker", &format!("127.0.0.1:{tracker}")], more].concat())
    }

    /// Announces itself on a local network of the test's own.
    #[track_caller]
    pub(crate) fn on_air(name: &str, air: &Air, more: &[&str]) -> Self {
        Self::start(name, &[&["--lan-port", &air.port.to_string(), "--room", &air.room, "--lan"], more].concat())
    }

    /// Arguments of the test's own; waits until it says at which port it is.
    #[track_caller]
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let client = Self::unheard(arguments);
        let port = port_in(&client.errors.wait_for_line(1, "reachable at port "));
        Self { client, port }
    }

    /// One that may not come up.
    pub(crate) fn unheard(arguments: &[&str]) -> Client {
        Client::of(PROGRAM, arguments)
    }

    /// One whose output nobody reads: the pipe is closed.
    #[track_caller]
    pub(crate) fn with_closed_output(arguments: &[&str]) -> Self {
        Self::with_output_to(arguments).0
    }

    /// One whose output goes to this pipe: nobody reads it as long as the test does not, and it is closed with it.
    #[track_caller]
    pub(crate) fn with_output_to(arguments: &[&str]) -> (Self, PipeReader) {
        let (client, reader) = Client::of_with_output_to(PROGRAM, arguments);
        let port = port_in(&client.errors.wait_for_line(1, "reachable at port "));
        (Self { client, port }, reader)
    }

    /// The program run to its end without input: exit code, stderr, stdout.
    #[track_caller]
    pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = std::process::Command::new(PROGRAM);
        command.args(arguments);
        run_to_the_end(command)
    }

    /// The port it can be dialled at.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until it says so of these, of each at least once.
    #[track_caller]
    pub(crate) fn wait_for_members(&self, names: &[&str]) {
        for name in names {
            self.errors.wait_for(&format!("{name} is here"));
        }
    }

    /// The figures of the process; the test needs Linux.
    pub(crate) fn figures(&self) -> Figures {
        Figures::of(self.client.number()).expect("a running process has figures in /proc")
    }
}

impl Deref for Peer {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Peer {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

#[track_caller]
fn port_in(line: &str) -> u16 {
    let port = line.split("reachable at port ").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    port.unwrap_or_else(|| panic!("expected a port at the end, came: {line}"))
}

/// Waits until each of them has met all others, by name.
#[track_caller]
pub(crate) fn meet_all(peers: &[Peer], names: &[&str]) {
    for (peer, own) in peers.iter().zip(names) {
        let others: Vec<_> = names.iter().copied().filter(|name| name != own).collect();
        peer.wait_for_members(&others);
    }
}

/// `chat-peer NAME` at a free port of loopback, to be started in a terminal.
#[cfg(unix)]
pub(crate) fn peer_in_a_terminal(name: &str, more: &[&str]) -> Start {
    let start = Terminal::program(PROGRAM).argument(name).argument("--host").argument("127.0.0.1");
    more.iter().fold(start, |start, argument| start.argument(argument))
}

/// Waits until `output` has from each of `senders` the lines `SENDER: SENDER 1` to `SENDER: SENDER count`, and checks that these
/// are all, each once, and in order.
#[track_caller]
pub(crate) fn expect_numbered(output: &Captured, senders: &[&str], count: usize, limit: Duration) {
    let expected = |sender: &str| (1..=count).map(|number| format!("{sender} {number}")).collect::<Vec<_>>();
    let length = |sender: &&str| expected(sender).iter().map(|line| sender.len() + 3 + line.len()).sum::<usize>();
    let total = senders.iter().map(length).sum::<usize>();
    let came = output.wait_until(limit, &format!("{total} bytes"), |bytes| bytes.len() >= total);
    let came = String::from_utf8(came).expect("text");
    for sender in senders {
        let start = format!("{sender}: ");
        let said: Vec<_> = came.lines().filter_map(|line| line.strip_prefix(&start)).collect();
        let expected = expected(sender);
        let parting = said.iter().zip(&expected).position(|(came, expected)| came != expected);
        assert!(
            said == expected,
            "expected {count} lines of {sender}, came {}, which part at {:?}",
            said.len(),
            parting.map(|place| (said[place], &expected[place]))
        );
    }
    assert_eq!(came.len(), total, "(bytes that came, bytes that were said)");
}

/// A port of loopback that is free, for a node that has to be known before it starts.
pub(crate) fn free_port() -> u16 {
    port_without_a_server()
}

/// A local network of the test's own: announcements go to 127.255.255.255, in a room that no other test uses.
#[derive(Debug)]
pub(crate) struct Air {
    pub(crate) port: u16,
    pub(crate) room: String,
}

impl Air {
    pub(crate) fn new() -> Self {
        static ROOMS: AtomicU16 = AtomicU16::new(1);
        let free = UdpSocket::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr()).expect("a free port");
        let room = format!("room{}-{}", std::process::id(), ROOMS.fetch_add(1, Ordering::Relaxed));
        Self { port: free.port(), room }
    }

    /// A socket that can shout to all nodes of this network, and where.
    pub(crate) fn shouting(&self) -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a free port");
        socket.set_broadcast(true).expect("a socket can broadcast");
        (socket, SocketAddr::from((Ipv4Addr::new(127, 255, 255, 255), self.port)))
    }
}

/// A member that the test plays over a bare socket.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) wire: Plain,
}

impl Played {
    /// Smaller than any number a node draws, in all likelihood: this one decides which connection is the one.
    pub(crate) const SMALL: u64 = 0x0000_0000_0000_1000;
    /// Larger than any number a node draws, in all likelihood.
    pub(crate) const LARGE: u64 = 0xffff_ffff_ffff_f000;

    /// Dials the node, says who it is, and is taken in; nobody can dial it.
    #[track_caller]
    pub(crate) fn meets(port: u16, id: u64, room: &str, name: &str) -> Self {
        let mut played = Self::introduces(port, id, room, name);
        let hello = played.wire.line();
        assert!(hello.starts_with("/peer 1 "), "expected a node that says who it is, came: {hello}");
        if id < u64::MAX / 2 {
            played.wire.send("/adopt\n");
        } else {
            assert_eq!(played.wire.line(), "/adopt", "(what came, what was expected)");
        }
        played
    }

    /// Dials the node and says who it is, and that it was there before anybody.
    #[track_caller]
    pub(crate) fn introduces(port: u16, id: u64, room: &str, name: &str) -> Self {
        let mut wire = Plain::connect(port);
        wire.expect("Enter your nickname: ");
        wire.send(format!("/peer 1 {id:016x} 0 1000 {room} {name}\n"));
        Self { wire }
    }

    #[track_caller]
    pub(crate) fn send(&mut self, lines: impl AsRef<[u8]>) {
        self.wire.send(lines);
    }

    /// The next line that is not a sign of life or about others.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            let line = self.wire.line();
            if line != "/ping" && !line.starts_with("/know ") {
                return line;
            }
            assert!(Instant::now() < deadline, "expected something else within the limit, came: {line}");
        }
    }
}

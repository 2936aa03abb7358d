//! The relays that are compared: how each is started, and how two clients meet through it.

use crate::bare_copy;
use crate::process::Running;
use crate::server;
use std::env;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Longest silence of a connection, and longest wait for one.
const SILENCE: Duration = Duration::from_secs(10);

/// Between two looks at something that cannot be waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A way from one client to the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    /// No relay: the limit.
    Direct,
    /// Two threads, 64 KiB buffers: the practical limit.
    BareCopy,
    /// The one this is about.
    ChatServer,
    Socat,
    Ncat,
    Haproxy,
}

impl Peer {
    pub(crate) const ALL: [Self; 6] =
        [Self::Direct, Self::BareCopy, Self::ChatServer, Self::Socat, Self::Ncat, Self::Haproxy];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct TCP, no relay",
            Self::BareCopy => "bare copy, 64 KiB",
            Self::ChatServer => "**chat-server**",
            Self::Socat => "socat",
            Self::Ncat => "ncat --broker",
            Self::Haproxy => "haproxy, TCP mode",
        }
    }

    /// The program that must be installed for it, and what makes it print its version.
    fn program(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Direct | Self::BareCopy | Self::ChatServer => None,
            Self::Socat => Some(("socat", "-V")),
            Self::Ncat => Some(("ncat", "--version")),
            Self::Haproxy => Some(("haproxy", "-v")),
        }
    }

    /// Its name and version, as an installed program says it.
    pub(crate) fn version(self) -> Option<String> {
        let (program, option) = self.program()?;
        let running = Running::start(Command::new(find(program)?).arg(option)).ok()?;
        let number = |line: &str| {
            let (_, rest) = line.split_once("ersion ")?;
            rest.split_whitespace().next().map(str::to_owned)
        };
        let (version, _) = running.wait_for("its version", number).ok()?;
        Some(format!("{program} {version}"))
    }
}

/// The peers that this machine has.
pub(crate) fn installed() -> Vec<Peer> {
    Peer::ALL.into_iter().filter(|peer| peer.program().is_none_or(|(name, _)| find(name).is_some())).collect()
}

/// Looks for a program where the shell would, and where Debian puts haproxy, which only root's PATH names.
fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// Two clients that have met, and the relay between them, which ends with the pair.
pub(crate) struct Pair {
    pub(crate) a: TcpStream,
    pub(crate) b: TcpStream,
    pub(crate) relay: Option<Running>,
}

/// Starts the relay and brings two clients together through it.
pub(crate) fn join(peer: Peer) -> io::Result<Pair> {
    match peer {
        Peer::Direct => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let a = connect(listener.local_addr()?.port())?;
            let b = accept(&listener)?;
            Ok(Pair { a, b, relay: None })
        }
        Peer::BareCopy => {
            let relay = Running::start(Command::new(env::current_exe()?).arg(bare_copy::ARGUMENT))?;
            let (port, _) = relay.wait_for("its port", port_behind(bare_copy::READY))?;
            let (a, b) = (connect(port)?, connect(port)?);
            Ok(pair(a, b, relay))
        }
        Peer::ChatServer => {
            let started = server::start(None)?;
            let (a, b) = server::chat(started.port, "Nick1", "Nick2")?;
            Ok(pair(a, b, started.running))
        }
        Peer::Socat => socat(),
        Peer::Ncat => ncat(),
        Peer::Haproxy => haproxy(),
    }
}

fn pair(a: TcpStream, b: TcpStream, relay: Running) -> Pair {
    Pair { a, b, relay: Some(relay) }
}

/// Between client A and a listener of ours, with the buffer size of the bare copy.
fn socat() -> io::Result<Pair> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let target = listener.local_addr()?;
    let relay = Running::start(
        Command::new(program("socat")?)
            .args(["-d", "-d", "-b", "65536"])
            .arg("TCP-LISTEN:0,bind=127.0.0.1,nodelay")
            .arg(format!("TCP:{target},nodelay")),
    )?;
    let (port, _) = relay.wait_for("its port", port_behind("listening on"))?;
    let a = connect(port)?;
    let b = accept(&listener)?;
    Ok(pair(a, b, relay))
}

/// Two clients of a broker, which passes on what one says to all others.
fn ncat() -> io::Result<Pair> {
    let port = free_port()?;
    let relay = Running::start(
        Command::new(program("ncat")?).args(["--broker", "--verbose", "--listen", "127.0.0.1"]).arg(port.to_string()),
    )?;
    relay.wait_for("that it listens", |line| line.contains("Listening").then_some(()))?;
    let (a, b) = (connect(port)?, connect(port)?);
    // What is said before both are known would be lost.
    for client in [&a, &b] {
        let address = client.local_addr()?.to_string();
        relay.wait_for("that a client has come", |line| line.contains(&address).then_some(()))?;
    }
    Ok(pair(a, b, relay))
}

/// Between client A and a listener of ours, with the buffer size of the bare copy.
fn haproxy() -> io::Result<Pair> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let target = listener.local_addr()?;
    let port = free_port()?;
    let settings = Path::new(env!("CARGO_TARGET_TMPDIR")).join("relay-bench-haproxy.cfg");
    fs::write(
        &settings,
        format!(
            "global\n  tune.bufsize 65536\n\
             defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n\
             listen relay\n  bind 127.0.0.1:{port}\n  server b {target}\n"
        ),
    )?;
    let relay = Running::start(Command::new(program("haproxy")?).args(["-db", "-f"]).arg(&settings))?;
    let a = connect_when_ready(port, &relay)?;
    let b = accept(&listener)?;
    Ok(pair(a, b, relay))
}

fn program(name: &str) -> io::Result<PathBuf> {
    find(name).ok_or_else(|| io::Error::other(format!("{name} is not installed")))
}

/// Finds the port at the end of a line with `mark` in it.
pub(crate) fn port_behind(mark: &str) -> impl Fn(&str) -> Option<u16> {
    move |line| {
        let (_, rest) = line.split_once(mark)?;
        let digits = rest.rsplit(|letter: char| !letter.is_ascii_digit()).next()?;
        digits.parse().ok()
    }
}

/// A port that was free a moment ago, for programs that cannot be told to take any.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Connects to a port of this machine.
pub(crate) fn connect(port: u16) -> io::Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, SILENCE)?;
    prepare(&stream)?;
    Ok(stream)
}

/// Connects to a program that does not say when it listens.
fn connect_when_ready(port: u16, relay: &Running) -> io::Result<TcpStream> {
    let deadline = Instant::now() + SILENCE;
    loop {
        match connect(port) {
            // A client may be given the very port that it calls while nobody listens there, and then meets itself.
            Ok(stream) if stream.local_addr()? != stream.peer_addr()? => return Ok(stream),
            Err(error) if error.kind() != ErrorKind::ConnectionRefused => return Err(error),
            _ if Instant::now() > deadline => {
                let words = relay.last_words().unwrap_or_default();
                return Err(io::Error::other(format!("the relay never listened; it said: {words}")));
            }
            _ => thread::sleep(LOOK_AGAIN),
        }
    }
}

/// Accepts one connection. A listener has no time limit of its own, so it is asked again and again.
fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + SILENCE;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                prepare(&stream)?;
                return Ok(stream);
            }
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            Err(_) if Instant::now() > deadline => {
                return Err(io::Error::other("the relay never called the other end"));
            }
            Err(_) => thread::sleep(LOOK_AGAIN),
        }
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))
}

/// Sends a short text in one write.
pub(crate) fn say(mut stream: &TcpStream, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())
}

/// Reads exactly `expected`, and not a byte of what follows it.
pub(crate) fn hear(mut stream: &TcpStream, expected: &str) -> io::Result<()> {
    let mut came = vec![0; expected.len()];
    let result = stream.read_exact(&mut came);
    if result.is_ok() && came == expected.as_bytes() {
        return Ok(());
    }
    // A refusal explains itself in what follows.
    let mut rest = [0; 256];
    let count = if result.is_ok() { stream.read(&mut rest)? } else { 0 };
    came.extend(rest.iter().take(count));
    let came = String::from_utf8_lossy(&came).replace('\0', "");
    let error = result.map_or_else(|error| format!(" ({error})"), |()| String::new());
    Err(io::Error::other(format!("expected {expected:?}, but {came:?} came{error}")))
}

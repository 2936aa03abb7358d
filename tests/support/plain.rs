//! A client with nothing but a socket: it speaks as `nc HOST PORT` does.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::LIMIT;

/// How a stream came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The other end has finished.
    Orderly,
    /// The connection was torn down.
    Reset,
    /// It did not end within the limit.
    NotYet,
}

/// A bare connection.
#[derive(Debug)]
pub(crate) struct Plain {
    stream: TcpStream,
    held: Vec<u8>,
}

impl Plain {
    /// Connects to a port of 127.0.0.1.
    #[track_caller]
    pub(crate) fn connect(port: u16) -> Self {
        Self::connect_to(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    #[track_caller]
    pub(crate) fn connect_to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, LIMIT)
            .unwrap_or_else(|error| panic!("expected to connect to {address}, came: {error}"));
        stream.set_nodelay(true).expect("a socket takes no-delay");
        let held = Vec::new();
        Self { stream, held }
    }

    /// Connects, is asked, and gives a nickname.
    #[track_caller]
    pub(crate) fn named(port: u16, nickname: &str) -> Self {
        let mut plain = Self::connect(port);
        plain.expect("Enter your nickname: ");
        plain.send(format!("{nickname}\n"));
        plain
    }

    /// Connects, gives a nickname, and is told to wait.
    #[track_caller]
    pub(crate) fn waiting(port: u16, nickname: &str) -> Self {
        let mut plain = Self::named(port, nickname);
        plain.expect("Waiting for a companion...\n");
        plain
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(crate) fn local_port(&self) -> u16 {
        self.stream.local_addr().expect("a connected socket has an address").port()
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.set_write_timeout(Some(LIMIT)).expect("a socket takes a limit");
        self.stream.write_all(bytes.as_ref()).unwrap_or_else(|error| panic!("expected to send, came: {error}"));
    }

    /// Sends to a server that may have hung up already.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.set_write_timeout(Some(LIMIT)).is_ok() && self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Says that nothing more will be sent (half-close).
    pub(crate) fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("a connected socket can be half-closed");
    }

    /// Leaves with a reset: closes while something unread has come (RFC 2525, 2.17). Something has to be on its way.
    #[track_caller]
    pub(crate) fn reset(self) {
        self.stream.set_read_timeout(Some(LIMIT)).expect("a socket takes a limit");
        let unread = self.stream.peek(&mut [0]);
        assert!(matches!(unread, Ok(1)), "expected something unread, came: {unread:?}");
    }

    /// The next bytes are exactly these.
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: &str) {
        let mut end = None;
        let deadline = Instant::now() + LIMIT;
        while self.held.len() < expected.len() && end.is_none() {
            end = self.fill(deadline);
        }
        let length = expected.len().min(self.held.len());
        let came = String::from_utf8_lossy(&self.held[..length]).into_owned();
        assert_eq!(came, expected, "(what came, what was expected; {end:?})");
        self.held.drain(..length);
    }

    /// The next line, without its LF.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
                let line = self.held.drain(..=end).collect::<Vec<_>>();
                return String::from_utf8_lossy(&line[..end]).into_owned();
            }
            if let Some(end) = self.fill(deadline) {
                let came = String::from_utf8_lossy(&self.held);
                panic!("expected a whole line, came: {came:?}, then {end:?}");
            }
        }
    }

    /// Exactly so many bytes.
    #[track_caller]
    pub(crate) fn take(&mut self, length: usize) -> Vec<u8> {
        let deadline = Instant::now() + LIMIT;
        while self.held.len() < length {
            if let Some(end) = self.fill(deadline) {
                panic!("expected {length} bytes, came {}, then {end:?}", self.held.len());
            }
        }
        self.held.drain(..length).collect()
    }

    /// Everything until the end, and how it ended.
    pub(crate) fn rest(&mut self) -> (String, End) {
        let (bytes, end) = self.rest_bytes(LIMIT);
        (String::from_utf8_lossy(&bytes).into_owned(), end)
    }

    pub(crate) fn rest_bytes(&mut self, limit: Duration) -> (Vec<u8>, End) {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(end) = self.fill(deadline) {
                return (std::mem::take(&mut self.held), end);
            }
        }
    }

    /// Nothing more comes but an orderly end.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        let came = self.rest();
        assert_eq!(came, (String::new(), End::Orderly), "(what came, what was expected)");
    }

    /// The chat is refused, for a reason that has these words in it, and the connection closed in order.
    #[track_caller]
    pub(crate) fn expect_refusal(&mut self, words: &str) {
        let (came, end) = self.rest();
        assert!(
            came.starts_with("Chat refused: ")
                && came.contains(words)
                && came.ends_with('\n')
                && came.lines().count() == 1
                && end == End::Orderly,
            "expected one line `Chat refused: …{words}…` and an orderly end, came: {came:?}, then {end:?}"
        );
    }

    /// Reads what there is, waiting for it until the deadline; says how the stream ended, if it did.
    fn fill(&mut self, deadline: Instant) -> Option<End> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).expect("a socket takes a limit");
        let mut buffer = [0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Some(End::Orderly),
            Ok(length) => {
                self.held.extend(&buffer[..length]);
                None
            }
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => None,
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Some(End::NotYet),
                _ => Some(End::Reset),
            },
        }
    }
}

/// Two clients that have met, and have read all that the server says on the way.
#[track_caller]
pub(crate) fn pair(port: u16, one: &str, other: &str) -> (Plain, Plain) {
    let mut first = Plain::waiting(port, one);
    let mut second = Plain::named(port, other);
    second.expect(&format!("Connected to {one}\n"));
    first.expect(&format!("Connected to {other}\n"));
    (first, second)
}

//! Sockets the way we want them: every address of a name, no delay, keepalive, closing in good order.
//!
//! What is said over them is the business of [`crate::protocol`].

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

/// How long a connection attempt to one address may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A write that makes no progress is looked at this many times before its time is up.
const LOOKS: u32 = 6;

/// How long what somebody who is sent away still sends is read.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// `HOST:PORT` as people write it, an IPv6 address in brackets.
pub fn place(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Every address of the host, each once, in the system's order.
///
/// # Errors
/// The system's, with the host and what to do.
pub fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let addresses = (host.trim_matches(['[', ']']), port).to_socket_addrs().map_err(|error| {
        io::Error::new(error.kind(), format!("cannot find the host {host}: {error}; is the name right?"))
    })?;
    let mut addresses: Vec<_> = addresses.collect();
    addresses.dedup();
    Ok(addresses)
}

/// Listens on every address of the host, on the same port; port 0 takes a free one.
/// An address of a kind that this machine does not have (IPv6 switched off) is passed over as long as there is another.
///
/// # Errors
/// The system's, with the place and what to do.
pub fn listen(host: &str, port: u16) -> io::Result<(Vec<TcpListener>, u16)> {
    let addresses = resolve(host, port)?;
    // A port that is free on one address may be taken on the next: with port 0 another one is tried.
    let tries = if port == 0 { 20 } else { 1 };
    let try_all = || listen_on_all(&addresses);
    let listening = (1..tries).fold(try_all(), |listening, _| listening.or_else(|_| try_all()));
    listening.map_err(|error| cannot_listen(&place(host, port), &error))
}

fn cannot_listen(place: &str, error: &io::Error) -> io::Error {
    let advice = match error.kind() {
        ErrorKind::AddrInUse => "; stop the program that has it, or choose another port",
        ErrorKind::PermissionDenied => "; ports below 1024 need root, choose a higher one",
        ErrorKind::AddrNotAvailable => "; this machine has no such address",
        _ => "",
    };
    io::Error::new(error.kind(), format!("cannot listen on {place}: {error}{advice}"))
}

fn listen_on_all(addresses: &[SocketAddr]) -> io::Result<(Vec<TcpListener>, u16)> {
    let (mut listeners, mut port, mut missing) = (Vec::new(), None, ErrorKind::AddrNotAvailable.into());
    for mut address in addresses.iter().copied() {
        address.set_port(port.unwrap_or(address.port()));
        match TcpListener::bind(address) {
            Ok(listener) => {
                port = Some(listener.local_addr()?.port());
                listeners.push(listener);
            }
            Err(error) if matches!(error.kind(), ErrorKind::AddrNotAvailable | ErrorKind::Unsupported) => {
                missing = error;
            }
            Err(error) => return Err(error),
        }
    }
    port.map(|port| (listeners, port)).ok_or(missing)
}

/// Connects to the first address of the host that answers.
///
/// # Errors
/// The last address's, with what to do.
pub fn connect(host: &str, port: u16) -> io::Result<Socket> {
    let none = Err(ErrorKind::AddrNotAvailable.into());
    let try_next = |tried: io::Result<Socket>, address| tried.or_else(|_| connect_to(address, CONNECT));
    let connected = resolve(host, port)?.into_iter().fold(none, try_next);
    connected.map_err(|error| io::Error::new(error.kind(), format!("{error}; is it running?")))
}

/// Connects to one address, waiting for at most `limit`.
///
/// # Errors
/// The system's.
pub fn connect_to(address: SocketAddr, limit: Duration) -> io::Result<Socket> {
    TcpStream::connect_timeout(&address, limit).and_then(Socket::new)
}

/// Whether a read or write ran out of its time: `WouldBlock` on Unix, `TimedOut` on Windows.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A connection. Threads share one in an `Arc`: a clone of the stream would be another descriptor.
#[derive(Debug)]
pub struct Socket(TcpStream);

impl Socket {
    /// Sends without delay, and notices a host that vanished.
    ///
    /// # Errors
    /// The system's, when the other side is gone already.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        #[cfg(feature = "keepalive")]
        {
            // A silent host is asked after 30 s, then every 10 s, and given up after a minute.
            let (idle, interval) = (Duration::from_secs(30), Duration::from_secs(10));
            let keepalive = socket2::TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(3);
            socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        }
        Ok(Self(stream))
    }

    /// The other side's address.
    ///
    /// # Errors
    /// The system's, when it is gone already.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// From here on, a close that nobody prepared by [`Self::close_in_order`] (a crash, a kill, a lost companion) reaches the
    /// other side as a reset instead of a plain end, and words that nobody acknowledges for a minute end the connection.
    /// Without the feature `keepalive` every end looks plain.
    pub fn expect_answers(&self) {
        #[cfg(feature = "keepalive")]
        {
            let socket = socket2::SockRef::from(&self.0);
            // Best effort: it only makes the end of a connection tell more.
            let _ = socket.set_linger(Some(Duration::ZERO));
            #[cfg(target_os = "linux")]
            let _ = socket.set_tcp_user_timeout(Some(Duration::from_secs(60)));
        }
    }

    /// Takes back [`Self::expect_answers`]: all that was sent arrives, then a plain end of stream.
    pub fn close_in_order(&self) {
        #[cfg(feature = "keepalive")]
        let _ = socket2::SockRef::from(&self.0).set_linger(None);
    }

    /// Limits each read; `None` waits for ever.
    ///
    /// # Errors
    /// The system's.
    pub fn limit_reads(&self, limit: Option<Duration>) -> io::Result<()> {
        // A limit of zero would mean none.
        self.0.set_read_timeout(limit.map(|limit| limit.max(Duration::from_millis(1))))
    }

    /// Gives up a [`Self::send`] that makes no progress for this long.
    ///
    /// # Errors
    /// The system's.
    pub fn limit_stalls(&self, limit: Duration) -> io::Result<()> {
        self.0.set_write_timeout(Some((limit / LOOKS).max(Duration::from_millis(1))))
    }

    /// Reads what there is; nothing is the end of the stream.
    ///
    /// # Errors
    /// The system's; [`is_timeout`] tells whether a limit was reached.
    pub fn read<'a>(&self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        loop {
            match (&self.0).read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                length => return Ok(buffer.get(..length?).unwrap_or_default()),
            }
        }
    }

    /// Sends everything.
    ///
    /// # Errors
    /// The system's, or `TimedOut` when the other side took nothing for as long as [`Self::limit_stalls`] allows.
    pub fn send(&self, mut bytes: &[u8]) -> io::Result<()> {
        let mut looks = LOOKS;
        while !bytes.is_empty() {
            match (&self.0).write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(sent) => (bytes, looks) = (bytes.get(sent..).unwrap_or_default(), LOOKS),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if !is_timeout(&error) => return Err(error),
                Err(_) if looks == 1 => return Err(io::Error::new(ErrorKind::TimedOut, "it stopped reading")),
                Err(_) => looks -= 1,
            }
        }
        Ok(())
    }

    /// Tells the other side that nothing more will come.
    pub fn finish_sending(&self) {
        // It fails only when the connection is gone, and then the other side knows.
        let _ = self.0.shutdown(Shutdown::Write);
    }

    /// Makes reads, also one that another thread waits in, see the end of the stream once what has arrived is read.
    pub fn stop_reading(&self) {
        let _ = self.0.shutdown(Shutdown::Read);
    }

    /// Ends whatever another thread does with the socket.
    pub fn shut(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }

    /// What has broken the connection since its end of stream was read.
    pub fn error(&self) -> Option<io::Error> {
        self.0.take_error().unwrap_or_else(Some)
    }

    /// Sends the last words and waits until the other side has closed, or a second is over:
    /// closing with unread input would be a reset, and the last words lost.
    pub fn send_away(&self, words: &str) {
        if self.send(words.as_bytes()).is_err() {
            return;
        }
        self.finish_sending();
        self.drain(LAST_WAIT);
    }

    /// Reads, and forgets, what the other side still says, until it has closed or for as long as `limit`. Returns whether it has.
    pub fn drain(&self, limit: Duration) -> bool {
        let (deadline, mut buffer) = (Instant::now() + limit, [0; 1024]);
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match self.limit_reads(Some(left)).and_then(|()| self.read(&mut buffer)) {
                Ok([_, ..]) => {}
                end => return end.is_ok(),
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_failed_and_what_to_do() {
        let listen = |kind: ErrorKind| cannot_listen("localhost:80", &kind.into()).to_string();
        assert_eq!(
            listen(ErrorKind::PermissionDenied),
            "cannot listen on localhost:80: permission denied; ports below 1024 need root, choose a higher one"
        );
        assert_eq!(
            listen(ErrorKind::AddrInUse),
            "cannot listen on localhost:80: address in use; stop the program that has it, or choose another port"
        );
    }

    #[test]
    fn port_0_takes_the_same_port_on_every_address() {
        let (listeners, port) = listen("localhost", 0).unwrap();
        assert_ne!(port, 0);
        assert!(listeners.iter().all(|listener| listener.local_addr().unwrap().port() == port));
        let taken = listen("localhost", port).expect_err("the port is taken");
        assert!(taken.to_string().starts_with(&format!("cannot listen on localhost:{port}: ")), "{taken}");
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    }

    #[test]
    fn an_ipv6_address_may_stand_in_brackets() {
        assert_eq!(resolve("[::1]", 8888).unwrap(), resolve("::1", 8888).unwrap());
        assert_eq!((place("::1", 8888), place("[::1]", 8888)), ("[::1]:8888".into(), "[::1]:8888".into()));
    }

    #[test]
    fn a_reader_that_stalls_is_given_up_and_one_that_is_slow_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sender = Socket::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap()).unwrap();
        let mut reader = listener.accept().unwrap().0;
        sender.limit_stalls(Duration::from_millis(300)).unwrap();
        let error = sender.send(&vec![0; 64 << 20]).expect_err("nobody reads");
        assert_eq!(error.to_string(), "it stopped reading");
        std::thread::spawn(move || io::copy(&mut reader, &mut io::sink()));
        sender.send(&vec![0; 1 << 20]).expect("somebody reads");
    }
}

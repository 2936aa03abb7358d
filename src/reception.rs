//! Takes connections: gives each a worker of its own, makes room when there are too many, lets everyone go at a stop.
//!
//! What is said with a client is the business of the `serve` function that it is given.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use log::{Level, error, log, warn};

use crate::net::Socket;
use crate::pool::Pool;
use crate::protocol;
use crate::stop::Stop;
use crate::sync::lock;

/// How long an orderly stop waits for the workers before it ends what they do.
const FAREWELL: Duration = Duration::from_millis(400);

/// How the lines of a log speak of clients.
#[derive(Clone, Copy)]
pub(crate) struct Voice {
    pub(crate) target: &'static str,
    pub(crate) level: Level,
    pub(crate) client: &'static str,
}

/// A connected client. Its socket closes, and its number is free again, when the last who holds it lets go.
pub(crate) struct Client {
    /// The smallest number that was free when it came, from 1.
    pub(crate) number: usize,
    pub(crate) socket: Socket,
    arrived: Instant,
    settled: AtomicBool,
    evicted: AtomicBool,
}

impl Client {
    /// Greets the client and reads what it says until its first line is complete, or too long to be one. Who does not answer, or
    /// has to give way, is sent away with the reason: `None`, as for one that is gone.
    #[cfg(feature = "peer")]
    pub(crate) fn first_words(&self, deadline: Instant) -> Option<Vec<u8>> {
        self.socket.send(protocol::PROMPT.as_bytes()).ok()?;
        let (mut words, mut buffer) = (Vec::new(), [0; 1024]);
        while !words.contains(&b'\n') && words.len() <= protocol::HANDSHAKE_LINE {
            let left = deadline.saturating_duration_since(Instant::now());
            let reason = match self.socket.limit_reads(Some(left)).and_then(|()| self.socket.read(&mut buffer)) {
                Ok(0) if self.is_evicted() => "busy, too many are connecting; try again",
                Err(error) if crate::net::is_timeout(&error) => "too slow, an answer was expected",
                Ok(0) | Err(_) => return None,
                Ok(length) => {
                    words.extend_from_slice(buffer.get(..length).unwrap_or_default());
                    continue;
                }
            };
            self.socket.send_away(&protocol::refusal(reason));
            return None;
        }
        Some(words)
    }

    /// It has said who it is, and no longer gives way to others.
    pub(crate) fn settle(&self) {
        self.settled.store(true, Ordering::Relaxed);
    }

    /// Whether it has to give way to newcomers.
    pub(crate) fn is_evicted(&self) -> bool {
        self.evicted.load(Ordering::Relaxed)
    }
}

/// Everyone who is connected, and the workers who serve them.
pub(crate) struct Reception<Serve> {
    voice: Voice,
    pool: Pool,
    stalled: Duration,
    serve: Serve,
    /// By number, from 1.
    clients: Mutex<Vec<Weak<Client>>>,
    stop: Stop,
}

impl<Serve: Fn(&Arc<Client>) + Send + Sync + 'static> Reception<Serve> {
    /// For at most `workers` clients at once, each given up when it takes nothing for as long as `stalled`.
    pub(crate) fn new(voice: Voice, workers: usize, stalled: Duration, stop: &Stop, serve: Serve) -> Arc<Self> {
        let pool = Pool::new("client", workers);
        Arc::new(Self { voice, pool, stalled, serve, clients: Mutex::default(), stop: stop.clone() })
    }

    /// Serves all who come until the stop. Then their streams are made to end, what still goes on after [`FAREWELL`] is
    /// ended, and every thread has come to its end.
    pub(crate) fn run(self: &Arc<Self>, listeners: &[TcpListener]) {
        thread::scope(|scope| {
            let accept = |listener| (listener, scope.spawn(move || self.accept(listener)));
            let accepting: Vec<_> = listeners.iter().map(accept).collect();
            self.stop.wait();
            self.for_each(|client| client.socket.stop_reading());
            if !self.pool.is_done_within(FAREWELL) {
                self.for_each(|client| {
                    client.socket.close_in_order();
                    client.socket.shut();
                });
            }
            for (listener, thread) in accepting {
                while !thread.is_finished() {
                    wake(listener);
                }
            }
        });
        self.pool.join();
    }

    /// Takes connections until the stop. Never does a client's work, so no client can delay another.
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        let mut complained: Option<Instant> = None;
        loop {
            let accepted = listener.accept();
            if self.stop.is_set() {
                return;
            }
            match accepted {
                Ok((stream, address)) => self.admit(stream, address),
                Err(error) if is_about_one_client(&error) => {}
                Err(error) => {
                    // Out of descriptors, most likely: whoever has not said who it is gives one back, all others go on.
                    if complained.is_none_or(|at| at.elapsed() > Duration::from_secs(10)) {
                        complained = Some(Instant::now());
                        let advice = "raise the limit of open files (ulimit -n)?";
                        error!(target: self.voice.target, "⚠️ Cannot accept a client: {error}; {advice}");
                    }
                    self.evict_longest_silent();
                    let _ = self.stop.wait_for(Duration::from_millis(100));
                }
            }
        }
    }

    /// Gives the client a worker of its own.
    fn admit(self: &Arc<Self>, stream: TcpStream, address: SocketAddr) {
        let Voice { target, level, client: who } = self.voice;
        let Ok(socket) = Socket::new(stream) else { return };
        // What a stalled client can hold up is bounded from its first byte on.
        if socket.limit_stalls(self.stalled).is_err() {
            return;
        }
        let client = self.add(socket);
        let number = client.number;
        let mark = if number.is_multiple_of(2) { "🟣" } else { "🔵" };
        log!(target: target, level, "{mark} {who} {number} connected from {address}");
        if self.stop.is_set() {
            // It came too late for the farewell.
            client.socket.stop_reading();
        }
        if self.pool.is_busy() {
            self.evict_longest_silent();
        }
        let (reception, served) = (Arc::clone(self), Arc::clone(&client));
        if let Err(error) = self.pool.execute(move || (reception.serve)(&served), Duration::from_secs(1)) {
            warn!(target: target, "⛔ {who} {number} refused: {error}");
            // One short line into an empty send buffer: this cannot block.
            let _ = client.socket.send(protocol::refusal("busy, try again later").as_bytes());
        }
    }

    fn add(&self, socket: Socket) -> Arc<Client> {
        let mut clients = lock(&self.clients);
        let free = clients.iter().position(|client| client.strong_count() == 0).unwrap_or(clients.len());
        let (settled, evicted) = (AtomicBool::new(false), AtomicBool::new(false));
        let client = Arc::new(Client { number: free + 1, socket, arrived: Instant::now(), settled, evicted });
        // In the free place, or behind all others.
        let end = clients.len().min(free + 1);
        clients.splice(free..end, [Arc::downgrade(&client)]);
        client
    }

    /// The one that has been longest without saying who it is gives way.
    fn evict_longest_silent(&self) {
        let clients = self.clients();
        let silent = clients.iter().filter(|client| !client.settled.load(Ordering::Relaxed) && !client.is_evicted());
        if let Some(longest) = silent.min_by_key(|client| client.arrived) {
            longest.evicted.store(true, Ordering::Relaxed);
            longest.socket.stop_reading();
        }
    }

    fn for_each(&self, act: impl Fn(&Client)) {
        self.clients().iter().for_each(|client| act(client));
    }

    fn clients(&self) -> Vec<Arc<Client>> {
        lock(&self.clients).iter().filter_map(Weak::upgrade).collect()
    }
}

/// Errors of `accept` that say that the client in question is gone, and nothing about the next (accept(2)).
fn is_about_one_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Kind;
    matches!(error.kind(), Kind::ConnectionAborted | Kind::ConnectionReset | Kind::Interrupted | Kind::PermissionDenied)
}

/// Connects to a listener of our own, so that its `accept` returns.
fn wake(listener: &TcpListener) {
    let Ok(own) = listener.local_addr() else { return };
    let places: &[IpAddr] = match own.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => &[IpAddr::V4(Ipv4Addr::LOCALHOST)],
        // Where IPv6 is switched off, such a listener is still there, for IPv4 alone.
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => &[IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)],
        other => &[other],
    };
    let woken = places.iter().any(|place| {
        let mut address = own;
        address.set_ip(*place);
        TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_ok()
    });
    if !woken {
        // Loopback may be down. Linux, unlike others, lets `accept` return because of this.
        #[cfg(any(feature = "keepalive", feature = "peer"))]
        let _ = socket2::SockRef::from(listener).shutdown(std::net::Shutdown::Both);
        // No descriptor or no room in the backlog just now: the next try has them.
        thread::sleep(Duration::from_millis(10));
    }
}

//! Takes connections: gives each a worker of its own, makes room when there are too many, lets everyone go at a stop.
//!
//! What is said with a client is the business of the `serve` function that it is given.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use log::{error, info, warn};

use crate::net::Socket;
use crate::pool::Pool;
use crate::protocol;
use crate::stop::Stop;
use crate::sync::{FOREVER, lock};

/// How long an orderly stop waits for the workers before it ends what they do.
const FAREWELL: Duration = Duration::from_millis(400);

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
                Ok([]) if self.is_evicted() => "busy, too many are connecting; try again",
                Err(error) if crate::net::is_timeout(&error) => "too slow, an answer was expected",
                Ok([]) | Err(_) => return None,
                Ok(more) => {
                    words.extend_from_slice(more);
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
struct Reception<'a> {
    log_target: &'static str,
    pool: Pool<Arc<Client>>,
    stalled: Duration,
    /// By number, from 1.
    clients: Mutex<Vec<Weak<Client>>>,
    stop: &'a Stop,
}

/// Serves all who come, at most `workers` at once, until the stop; who takes nothing for as long as `stalled` is given up.
/// Then their streams are made to end, what still goes on after [`FAREWELL`] is ended, and every thread has come to its end.
pub(crate) fn run(
    listeners: &[TcpListener],
    log_target: &'static str,
    workers: usize,
    stalled: Duration,
    stop: &Stop,
    serve: impl Fn(&Arc<Client>) + Send + Sync + 'static,
) {
    let pool = Pool::new("client", workers, move |client| serve(&client));
    let reception = &Reception { log_target, pool, stalled, clients: Mutex::default(), stop };
    thread::scope(|scope| {
        let accept = |listener| (listener, scope.spawn(move || reception.accept(listener)));
        let accepting: Vec<_> = listeners.iter().map(accept).collect();
        stop.wait_for(FOREVER);
        for (listener, thread) in accepting {
            while !thread.is_finished() {
                wake(listener);
            }
        }
    });
    // Nobody comes any more.
    reception.clients().iter().for_each(|client| client.socket.stop_reading());
    if !reception.pool.is_done_within(FAREWELL) {
        for client in reception.clients() {
            client.socket.close_in_order();
            client.socket.shut();
        }
    }
}

impl Reception<'_> {
    /// Takes connections until the stop. Never does a client's work, so no client can delay another.
    fn accept(&self, listener: &TcpListener) {
        let mut complained: Option<Instant> = None;
        loop {
            match listener.accept() {
                _ if self.stop.is_set() => return,
                // An error says that the client is gone already.
                Ok((stream, address)) => drop(self.admit(stream, address)),
                // These are about one client, and say nothing about the next (accept(2)).
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::PermissionDenied) => {}
                Err(error) => {
                    // Out of descriptors, most likely: whoever has not said who it is gives one back, all others go on.
                    if complained.is_none_or(|at| at.elapsed() > Duration::from_secs(10)) {
                        complained = Some(Instant::now());
                        let advice = "raise the limit of open files (ulimit -n)?";
                        error!(target: self.log_target, "⚠️ Cannot accept a client: {error}; {advice}");
                    }
                    self.evict_longest_silent();
                    self.stop.wait_for(Duration::from_millis(100));
                }
            }
        }
    }

    /// Gives the client a worker of its own.
    fn admit(&self, stream: TcpStream, address: SocketAddr) -> io::Result<()> {
        let socket = Socket::new(stream)?;
        // What a stalled client can hold up is bounded from its first byte on.
        socket.limit_stalls(self.stalled)?;
        let mut clients = lock(&self.clients);
        let free = clients.iter().position(|client| client.strong_count() == 0).unwrap_or(clients.len());
        let [settled, evicted] = [false; 2].map(AtomicBool::new);
        let client = Arc::new(Client { number: free + 1, socket, arrived: Instant::now(), settled, evicted });
        // In the free place, or behind all others.
        let end = clients.len().min(free + 1);
        clients.splice(free..end, [Arc::downgrade(&client)]);
        drop(clients);
        let mark = if client.number.is_multiple_of(2) { "🟣" } else { "🔵" };
        info!(target: self.log_target, "{mark} Client {} connected from {address}", client.number);
        if self.pool.is_busy() {
            self.evict_longest_silent();
        }
        if let Err(error) = self.pool.execute(Arc::clone(&client), Duration::from_secs(1)) {
            warn!(target: self.log_target, "⛔ Client {} refused: {error}", client.number);
            // One short line into an empty send buffer: this cannot block.
            let _ = client.socket.send(protocol::refusal("busy, try again later").as_bytes());
        }
        Ok(())
    }

    fn clients(&self) -> Vec<Arc<Client>> {
        lock(&self.clients).iter().filter_map(Weak::upgrade).collect()
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
}

/// Makes the `accept` of a listener of our own return: connects to it, at loopback where its address is no single one.
fn wake(listener: &TcpListener) {
    let Ok(mut own) = listener.local_addr() else { return };
    let _ = [own.ip(), Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].into_iter().any(|place| {
        own.set_ip(place);
        TcpStream::connect_timeout(&own, Duration::from_millis(100)).is_ok()
    });
    // Loopback may be down. Linux, unlike others, lets `accept` return because of this.
    #[cfg(any(feature = "keepalive", feature = "peer"))]
    let _ = socket2::SockRef::from(listener).shutdown(std::net::Shutdown::Both);
    // No descriptor or no room in the backlog just now: the next try has them.
    thread::sleep(Duration::from_millis(10));
}

//! The relay server: accept → handshake → lobby → relay.
//!
//! One accept thread for each listening address admits clients; one worker of the pool serves one client for its whole stay.
//! The server knows who waits, who meets whom, and how to move bytes. What a message is, it leaves to the two ends.

mod clients;
mod lobby;
mod relay;
mod serve;
mod session;
mod talk;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use log::{error, info, warn};

use crate::{
    net::{self, Socket},
    pool::Pool,
    protocol,
    stop::Stop,
    sync::lock,
};
use clients::Clients;
use lobby::Lobby;
use session::Guest;

/// What the log lines of the server are filed under.
pub const LOG_TARGET: &str = "chat_server";

/// How long and how many. The defaults are those of the protocol.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a client may take, in total, to give its nickname.
    pub nickname: Duration,
    /// How long a client may take nothing of what is sent to it.
    pub stalled: Duration,
    /// How many clients may be asked for their nickname at once; beyond it, the longest-silent give way.
    pub handshakes: usize,
    /// How much is kept of what a client says before its companion comes, in bytes; then it is not read any further.
    pub kept: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { nickname: Duration::from_secs(30), stalled: Duration::from_secs(30), handshakes: 64, kept: 64 * 1024 }
    }
}

/// How long an orderly stop waits for the workers before it ends what they do.
const FAREWELL: Duration = Duration::from_millis(400);

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    port: u16,
    sessions: usize,
    limits: Limits,
}

/// What all threads of a running server share.
struct House {
    limits: Limits,
    /// Whether there can be several sessions, so that a log line has to say which it is about.
    several: bool,
    lobby: Mutex<Lobby<Arc<Guest>>>,
    clients: Clients,
    stop: Stop,
}

impl Server {
    /// Listens on every address of the host for `sessions` two-party chats at once; port 0 takes a free one.
    ///
    /// # Errors
    /// The host has no address, or one cannot be listened on.
    ///
    /// # Panics
    /// Panics when `sessions` is 0: nobody could ever chat.
    pub fn bind(host: &str, port: u16, sessions: usize, limits: Limits) -> Result<Self, net::Error> {
        assert!(sessions > 0, "a server without a session serves nobody");
        let (listeners, port) = net::listen(host, port)?;
        Ok(Self { listeners, port, sessions, limits })
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Serves until `stop`; then every client has seen an orderly end, and every thread is joined.
    pub fn run(self, stop: &Stop) {
        let house = Arc::new(House {
            limits: self.limits,
            several: self.sessions > 1,
            lobby: Mutex::new(Lobby::new(self.sessions)),
            clients: Clients::default(),
            stop: stop.clone(),
        });
        // A worker for every seat and every handshake: no seated client ever waits for one.
        let pool = Pool::new("client", self.sessions * 2 + self.limits.handshakes);
        info!(target: LOG_TARGET, "🟢 Waiting for 2 clients to connect...");
        thread::scope(|scope| {
            let accepting: Vec<_> =
                self.listeners.iter().map(|listener| scope.spawn(|| accept(listener, &house, &pool))).collect();
            stop.wait();
            house.farewell(&pool);
            while let Some(listener) = self
                .listeners
                .iter()
                .zip(&accepting)
                .find(|(_, thread)| !thread.is_finished())
                .map(|(listener, _)| listener)
            {
                wake(listener);
            }
        });
    }
}

impl House {
    /// Whoever talks sees the end of the stream, whoever does not is told; then whatever is still under way is ended.
    fn farewell(&self, pool: &Pool) {
        self.clients.for_each(|client| client.socket.stop_reading());
        let waiting = lock(&self.lobby).waiting().cloned();
        if let Some(guest) = waiting {
            // It may be blocked until it may say more: it looks whether to stop.
            drop(lock(&guest.waiting));
            guest.met.notify_all();
        }
        if !pool.is_done_within(FAREWELL) {
            self.clients.for_each(|client| {
                client.socket.close_in_order();
                client.socket.shut();
            });
        }
    }
}

/// Takes connections until the server stops. Never does a client's work, so no client can delay another.
fn accept(listener: &TcpListener, house: &Arc<House>, pool: &Pool) {
    let mut complained: Option<Instant> = None;
    loop {
        let accepted = listener.accept();
        if house.stop.is_set() {
            return;
        }
        match accepted {
            Ok((stream, address)) => admit(stream, address, house, pool),
            Err(error) if is_about_one_client(&error) => {}
            Err(error) => {
                // Out of descriptors, most likely: whoever has not said who it is gives one back, everyone else goes on.
                if complained.is_none_or(|at| at.elapsed() > Duration::from_secs(10)) {
                    complained = Some(Instant::now());
                    error!(target: LOG_TARGET, "⚠️ Cannot accept a client: {error}; raise the limit of open files (ulimit -n)?");
                }
                house.clients.evict_longest_silent();
                let _ = house.stop.wait_for(Duration::from_millis(100));
            }
        }
    }
}

/// Errors of `accept` that say that the client in question is gone, and nothing about the next (accept(2)).
fn is_about_one_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Kind;
    matches!(error.kind(), Kind::ConnectionAborted | Kind::ConnectionReset | Kind::Interrupted | Kind::PermissionDenied)
}

/// Gives the client a worker of its own.
fn admit(stream: TcpStream, address: SocketAddr, house: &Arc<House>, pool: &Pool) {
    let Ok(socket) = Socket::new(stream) else { return };
    // What a stalled client can hold up is bounded from its first byte on.
    if socket.limit_stalls(house.limits.stalled).is_err() {
        return;
    }
    let client = house.clients.add(socket);
    let mark = if client.number.is_multiple_of(2) { "🟣" } else { "🔵" };
    info!(target: LOG_TARGET, "{mark} Client {} connected from {address}", client.number);
    let serve = || {
        let (house, client) = (Arc::clone(house), Arc::clone(&client));
        move || serve::serve(&house, &client)
    };
    if pool.execute(serve(), Duration::ZERO).is_ok() {
        return;
    }
    house.clients.evict_longest_silent();
    if let Err(error) = pool.execute(serve(), Duration::from_secs(1)) {
        warn!(target: LOG_TARGET, "⛔ Client {} refused: {error}", client.number);
        // One short line into an empty send buffer: this cannot block.
        let _ = client.socket.send(protocol::refusal("busy, try again later").as_bytes());
        house.clients.remove(&client);
    }
}

/// Connects to a listener of our own, so that its `accept` returns.
fn wake(listener: &TcpListener) {
    let Ok(mut address) = listener.local_addr() else { return };
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        } else {
            IpAddr::V6(Ipv6Addr::LOCALHOST)
        });
    }
    if TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_err() {
        // No descriptor or no room in the backlog just now: the next try has them.
        thread::sleep(Duration::from_millis(10));
    }
}

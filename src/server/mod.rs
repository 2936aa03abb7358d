//! The relay server: accept → handshake → lobby → relay.
//!
//! One accept thread for each listening address admits clients; one worker of the pool serves one client for its whole stay.
//! The server knows who waits, who meets whom, and how to move bytes. What a message is, it leaves to the two ends.

mod lobby;
mod relay;
mod serve;
mod session;
mod talk;

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use log::{Level, info};

use crate::{
    net,
    reception::{Reception, Voice},
    stop::Stop,
    sync::lock,
};
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

/// A server that listens.
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
    pub fn bind(host: &str, port: u16, sessions: usize, limits: Limits) -> io::Result<Self> {
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
            stop: stop.clone(),
        });
        let voice = Voice { target: LOG_TARGET, level: Level::Info, client: "Client" };
        // A worker for every seat and every handshake: no seated client ever waits for one.
        let workers = self.sessions * 2 + self.limits.handshakes;
        info!(target: LOG_TARGET, "🟢 Waiting for 2 clients to connect...");
        let serving = Arc::clone(&house);
        Reception::new(voice, workers, self.limits.stalled, stop).run(
            &self.listeners,
            move |client| serve::serve(&serving, client),
            || house.wake_waiting(),
        );
    }
}

impl House {
    /// Who waits may be blocked until it may say more: it looks whether to stop.
    fn wake_waiting(&self) {
        let waiting = lock(&self.lobby).waiting().cloned();
        if let Some(guest) = waiting {
            drop(lock(&guest.waiting));
            guest.met.notify_all();
        }
    }
}

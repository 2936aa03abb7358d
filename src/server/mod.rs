//! The relay server: accept → handshake → lobby → relay.
//!
//! One accept thread for each listening address admits clients; one worker of the pool serves one client for its whole stay.
//! The server knows who waits, who meets whom, and how to move bytes. What a message is, it leaves to the two ends.

mod lobby;
mod relay;
mod serve;
mod session;
mod talk;

use std::fmt::Display;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use log::{Level, info, warn};

use crate::net;
use crate::protocol::refusal;
use crate::reception::{Client, Reception, Voice};
use crate::stop::Stop;
use crate::text::printable;
use lobby::Lobby;
use session::Session;

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
    sessions: usize,
    limits: Limits,
    lobby: Mutex<Lobby<Arc<Session>>>,
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

    /// Serves until `stop`; then every client has seen an orderly end, and every thread has come to its own.
    pub fn run(self, stop: &Stop) {
        let Self { listeners, sessions, limits, .. } = self;
        let voice = Voice { target: LOG_TARGET, level: Level::Info, client: "Client" };
        // A worker for every seat and every handshake: no seated client ever waits for one.
        let workers = sessions * 2 + limits.handshakes;
        let house = House { sessions, limits, lobby: Mutex::new(Lobby::new(sessions)), stop: stop.clone() };
        info!(target: LOG_TARGET, "🟢 Waiting for 2 clients to connect...");
        let serve = move |client: &Arc<Client>| serve::serve(&house, client);
        Reception::new(voice, workers, limits.stalled, stop, serve).run(&listeners);
    }
}

impl House {
    /// What log lines about a session end in: its number, when there can be several.
    fn label(&self, number: u64) -> String {
        if self.sessions > 1 { format!(" (session {number})") } else { String::new() }
    }
}

/// What a client hears that has no companion when the server stops.
fn stopping() -> String {
    refusal("the server is stopping")
}

/// Logs that a connection is lost. The reason is the system's, but a log line is one line whatever it says.
fn lost(who: impl Display, error: &io::Error, label: &str) {
    let reason = error.to_string();
    warn!(target: LOG_TARGET, "💔 {who} connection lost: {}{label}", printable(reason.as_bytes()));
}

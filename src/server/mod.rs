//! The relay server: accept → handshake → lobby → relay.
//!
//! One accept thread for each listening address admits clients; one worker of the pool serves one client for its whole stay.
//! The server knows who waits, who meets whom, and how to move bytes. What a message is, it leaves to the two ends.

mod lobby;
mod relay;
mod serve;
mod session;

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use log::{info, warn};

use crate::reception;
use crate::stop::Stop;
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
    /// How much is kept of what a client says before its companion comes, in bytes; then it is not read any further. One read
    /// may bring as much again.
    pub kept: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { nickname: Duration::from_secs(30), stalled: Duration::from_secs(30), handshakes: 64, kept: 64 * 1024 }
    }
}

/// What all threads of a running server share.
struct House {
    sessions: usize,
    limits: Limits,
    lobby: Mutex<Lobby<Arc<Session>>>,
    stop: Stop,
}

/// Serves `sessions` two-party chats at once until the stop; then every client has seen an orderly end, and every thread has
/// come to its own.
///
/// # Panics
/// Panics when `sessions` is 0: nobody could ever chat.
pub fn run(listeners: &[TcpListener], sessions: usize, limits: Limits, stop: &Stop) {
    assert!(sessions > 0, "a server without a session serves nobody");
    let house = Arc::new(House { sessions, limits, lobby: Mutex::new(Lobby::new(sessions)), stop: stop.clone() });
    // A worker for every seat and every handshake: no seated client ever waits for one.
    let workers = sessions * 2 + limits.handshakes;
    info!(target: LOG_TARGET, "🟢 Waiting for 2 clients to connect...");
    reception::run(listeners, LOG_TARGET, workers, limits.stalled, stop, move |client| {
        if let Err(error) = serve::serve(&house, client) {
            warn!(target: LOG_TARGET, "💔 Client {} connection lost: {error}", client.number);
        }
    });
}

/// What a client hears that has no companion when the server stops.
const STOPPING: &str = "the server is stopping";

//! One client on one thread: asked for its nickname until it has a seat, or is sent away.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use log::{info, warn};

use super::{House, LOG_TARGET, lobby::NoSeat, talk::stay};
use crate::{
    net::is_timeout,
    protocol::{Arrival, Step, refusal},
    reception::Client,
    sync::lock,
    text::printable,
};

/// Serves a client until it is gone.
pub(super) fn serve(house: &House, client: &Arc<Client>) {
    let number = client.number;
    let mut arrival = Arrival::new(Instant::now(), house.limits.nickname);
    let mut step = arrival.next(Instant::now());
    loop {
        if lock(&house.lobby).is_full() {
            step = Step::SendAway(full());
        }
        step = match step {
            Step::Say(words) => {
                if let Some(reason) = words.lines().next().and_then(|line| line.strip_prefix("Nickname refused: ")) {
                    warn!(target: LOG_TARGET, "🚫 Client {number} nickname refused: {reason}");
                }
                if let Err(error) = client.socket.send(words.as_bytes()) {
                    return lost(format_args!("Client {number}"), &error, "");
                }
                arrival.next(Instant::now())
            }
            Step::Read(limit) => match hear(house, client, limit) {
                Ok(words) => {
                    arrival.received(&words);
                    arrival.next(Instant::now())
                }
                Err(Some(words)) => Step::SendAway(words),
                Err(None) => return,
            },
            Step::Named(nickname) => match stay(house, client, nickname, arrival.rest()) {
                Ok(()) => return,
                Err(NoSeat::Full) => Step::SendAway(full()),
                Err(NoSeat::NicknameTaken) => arrival.refuse_nickname("it is the companion's, choose another"),
            },
            Step::SendAway(words) => {
                let reason = words.lines().last().unwrap_or_default().trim_start_matches("Chat refused: ");
                warn!(target: LOG_TARGET, "⛔ Client {number} refused: {reason}");
                return client.socket.send_away(&words);
            }
        }
    }
}

fn full() -> String {
    refusal("the chat is full, try again later")
}

/// Reads what the client says, or nothing when the time is over. An error holds the words to send it away with, unless it is
/// gone.
fn hear(house: &House, client: &Client, limit: Duration) -> Result<Vec<u8>, Option<String>> {
    let mut buffer = [0; 1024];
    match client.socket.limit_reads(Some(limit)).and_then(|()| client.socket.read(&mut buffer)) {
        Ok(0) if house.stop.is_set() => Err(Some(stopping())),
        Ok(0) if client.is_evicted() => Err(Some(refusal("busy, too many clients are connecting; try again"))),
        Ok(0) => {
            info!(target: LOG_TARGET, "👋 Client {} left", client.number);
            Err(None)
        }
        Ok(length) => Ok(buffer.get(..length).unwrap_or_default().to_vec()),
        Err(error) if is_timeout(&error) => Ok(Vec::new()),
        Err(error) => {
            lost(format_args!("Client {}", client.number), &error, "");
            Err(None)
        }
    }
}

/// What a client hears that has no companion when the server stops.
pub(super) fn stopping() -> String {
    refusal("the server is stopping")
}

/// Logs that a connection is lost. The reason is the system's, but a log line is one line whatever it says.
pub(super) fn lost(who: impl std::fmt::Display, error: &io::Error, label: &str) {
    let reason = error.to_string();
    warn!(target: LOG_TARGET, "💔 {who} connection lost: {}{label}", printable(reason.as_bytes()));
}

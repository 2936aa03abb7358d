//! One client's whole stay, on one thread: asked for its nickname, seated, relayed, gone.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use log::{info, warn};

use super::{
    House, LOG_TARGET,
    clients::Client,
    lobby::{NoSeat, Seated},
    session::Guest,
    talk::{introduce, talk, wait_for_companion},
};
use crate::{
    net::is_timeout,
    protocol::{Arrival, Step, refusal},
    sync::lock,
    text::printable,
};

/// How much of what a client that is sent away still sends is read, in bytes, and for how long.
const LAST_READ: usize = 1024 * 1024;
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Serves a client until it is gone.
pub(super) fn serve(house: &House, client: &Arc<Client>) {
    let _leaving = Leaving { house, client };
    let Some((guest, seated, words)) = ask(house, client) else { return };
    let (Seated::First(number) | Seated::Second(number, _)) = seated;
    let label = if house.several { format!(" (session {number})") } else { String::new() };
    info!(target: LOG_TARGET, "👤 Client {} nickname: {}{label}", client.number, guest.nickname);
    match seated {
        Seated::First(_) => {
            let seat = Seat { house, guest: &guest };
            if let Some((session, words)) = wait_for_companion(&seat, words, &label) {
                talk(house, &session, &guest, &words, &label);
            }
        }
        Seated::Second(_, companion) => {
            let session = introduce(&companion, &guest, &label);
            talk(house, &session, &guest, &words, &label);
        }
    }
}

/// The client is off the list and its socket closes, also when its worker panics.
struct Leaving<'a> {
    house: &'a House,
    client: &'a Client,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.house.clients.remove(self.client);
    }
}

/// The seat of a guest that waits is free again when it leaves, also when its worker panics.
pub(super) struct Seat<'a> {
    pub(super) house: &'a House,
    pub(super) guest: &'a Arc<Guest>,
}

impl Seat<'_> {
    /// Gives the seat up; `false` when the companion has come.
    pub(super) fn leave(&self) -> bool {
        lock(&self.house.lobby).leave(|seat| Arc::ptr_eq(seat, self.guest))
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.guest.tell();
        self.leave();
    }
}

type Asked = (Arc<Guest>, Seated<Arc<Guest>>, Vec<u8>);

/// Asks for the nickname until the client has a seat; `None` when it is gone, or was sent away.
fn ask(house: &House, client: &Arc<Client>) -> Option<Asked> {
    let number = client.number;
    let refuse = |words: &str| {
        let reason = words.lines().last().unwrap_or_default();
        warn!(target: LOG_TARGET, "⛔ Client {number} refused: {}", reason.trim_start_matches("Chat refused: "));
        send_away(client, words);
    };
    let mut arrival = Arrival::new(Instant::now(), house.limits.nickname);
    let mut buffer = [0; 1024];
    loop {
        if lock(&house.lobby).is_full() {
            refuse(&refusal("the chat is full, try again later"));
            return None;
        }
        let mut step = arrival.next(Instant::now());
        if let Step::Named(nickname) = step {
            let guest = Guest::new(Arc::clone(client), nickname);
            let seat = lock(&house.lobby).take_seat(&guest.nickname, Arc::clone(&guest));
            step = match seat {
                Ok(seated) => {
                    client.sit_down();
                    return client.socket.limit_reads(None).ok().map(|()| (guest, seated, arrival.rest().to_vec()));
                }
                Err(NoSeat::Full) => continue,
                Err(NoSeat::NicknameTaken) => arrival.refuse_nickname("it is the companion's, choose another"),
            };
        }
        match step {
            Step::Say(words) => {
                if let Some(reason) = words.lines().next().and_then(|line| line.strip_prefix("Nickname refused: ")) {
                    warn!(target: LOG_TARGET, "🚫 Client {number} nickname refused: {reason}");
                }
                if let Err(error) = client.socket.send(words.as_bytes()) {
                    lost(format_args!("Client {number}"), &error, "");
                    return None;
                }
            }
            Step::SendAway(words) => {
                refuse(&words);
                return None;
            }
            Step::Named(_) => unreachable!("a nickname has led to a seat or to another step"),
            Step::Read(limit) => {
                let read = client.socket.limit_reads(Some(limit)).and_then(|()| client.socket.read(&mut buffer));
                match read {
                    Ok(0) if house.stop.is_set() => refuse(&refusal("the server is stopping")),
                    Ok(0) if client.is_evicted() => {
                        refuse(&refusal("busy, too many clients are connecting; try again"))
                    }
                    Ok(0) => info!(target: LOG_TARGET, "👋 Client {number} left"),
                    Ok(length) => {
                        arrival.received(buffer.get(..length).unwrap_or_default());
                        continue;
                    }
                    Err(error) if is_timeout(&error) => continue,
                    Err(error) => lost(format_args!("Client {number}"), &error, ""),
                }
                return None;
            }
        }
    }
}

/// Logs that a connection is lost. The reason is the system's, but a log line is one line whatever it says.
pub(super) fn lost(who: impl std::fmt::Display, error: &io::Error, label: &str) {
    let reason = error.to_string();
    warn!(target: LOG_TARGET, "💔 {who} connection lost: {}{label}", printable(reason.as_bytes()));
}

/// Says why, and closes so that it arrives.
pub(super) fn send_away(client: &Client, words: &str) {
    client.socket.send_away(words, LAST_READ, LAST_WAIT);
}

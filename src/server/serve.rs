//! One client on one thread: asked for its nickname until it has a seat, or is sent away.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{info, warn};

use super::lobby::NoSeat;
use super::talk::stay;
use super::{House, LOG_TARGET, STOPPING, lost};
use crate::net::is_timeout;
use crate::protocol::{Arrival, PROMPT, Step, refusal};
use crate::reception::Client;
use crate::sync::lock;

const FULL: &str = "the chat is full, try again later";

/// Serves a client until it is gone.
pub(super) fn serve(house: &House, client: &Arc<Client>) {
    let Client { number, socket, .. } = &**client;
    let mut arrival = Arrival::new(Instant::now(), house.limits.nickname);
    let mut step = Step::Say(PROMPT.to_owned());
    loop {
        if lock(&house.lobby).is_full() {
            step = Step::SendAway(refusal(FULL));
        }
        step = match step {
            Step::Say(words) => {
                if let Some((refused, _)) = words.split_once('\n') {
                    let reason = refused.trim_start_matches("Nickname refused: ");
                    warn!(target: LOG_TARGET, "🚫 Client {number} nickname refused: {reason}");
                }
                if let Err(error) = socket.send(words.as_bytes()) {
                    return lost(format_args!("Client {number}"), &error, "");
                }
                arrival.next(Instant::now())
            }
            Step::Read(limit) => match hear(client, &mut arrival, limit) {
                Ok(true) => arrival.next(Instant::now()),
                Ok(false) if house.stop.is_set() => Step::SendAway(refusal(STOPPING)),
                Ok(false) => return info!(target: LOG_TARGET, "👋 Client {number} left"),
                Err(error) if is_timeout(&error) => arrival.next(Instant::now()),
                Err(error) => return lost(format_args!("Client {number}"), &error, ""),
            },
            Step::Named(nickname) => match stay(house, client, nickname, arrival.lines.rest()) {
                Ok(()) => return,
                Err(NoSeat::Full) => Step::SendAway(refusal(FULL)),
                Err(NoSeat::NicknameTaken) => arrival.refuse_nickname("it is the companion's, choose another"),
            },
            Step::SendAway(words) => {
                let reason = words.lines().last().unwrap_or_default().trim_start_matches("Chat refused: ");
                warn!(target: LOG_TARGET, "⛔ Client {number} refused: {reason}");
                return socket.send_away(&words);
            }
        }
    }
}

/// Takes in what the client says; `false` at the end of its stream. The buffer is off the stack before the client's long stay.
#[inline(never)]
fn hear(client: &Client, arrival: &mut Arrival, limit: Duration) -> io::Result<bool> {
    client.socket.limit_reads(Some(limit))?;
    let mut buffer = [0; 1024];
    let words = client.socket.read(&mut buffer)?;
    arrival.lines.push(words);
    Ok(!words.is_empty())
}

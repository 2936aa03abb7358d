//! One client on one thread: asked for its nickname until it has a seat, or is sent away.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{info, warn};

use super::lobby::NoSeat;
use super::talk::stay;
use super::{House, LOG_TARGET, lost, stopping};
use crate::net::is_timeout;
use crate::protocol::{Arrival, Step, refusal};
use crate::reception::Client;
use crate::sync::lock;

/// Serves a client until it is gone.
pub(super) fn serve(house: &House, client: &Arc<Client>) {
    let Client { number, socket, .. } = &**client;
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
                if let Err(error) = socket.send(words.as_bytes()) {
                    return lost(format_args!("Client {number}"), &error, "");
                }
                arrival.next(Instant::now())
            }
            Step::Read(limit) => match hear(client, &mut arrival, limit) {
                Ok(0) if house.stop.is_set() => Step::SendAway(stopping()),
                Ok(0) if client.is_evicted() => {
                    Step::SendAway(refusal("busy, too many clients are connecting; try again"))
                }
                Ok(0) => return info!(target: LOG_TARGET, "👋 Client {number} left"),
                Ok(_) => arrival.next(Instant::now()),
                Err(error) if is_timeout(&error) => arrival.next(Instant::now()),
                Err(error) => return lost(format_args!("Client {number}"), &error, ""),
            },
            Step::Named(nickname) => match stay(house, client, nickname, arrival.rest()) {
                Ok(()) => return,
                Err(NoSeat::Full) => Step::SendAway(full()),
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

/// Takes in what the client says; 0 is the end of its stream. The buffer is off the stack before the client's long stay.
#[inline(never)]
fn hear(client: &Client, arrival: &mut Arrival, limit: Duration) -> io::Result<usize> {
    let mut buffer = [0; 1024];
    client.socket.limit_reads(Some(limit))?;
    let length = client.socket.read(&mut buffer)?;
    arrival.received(buffer.get(..length).unwrap_or_default());
    Ok(length)
}

fn full() -> String {
    refusal("the chat is full, try again later")
}

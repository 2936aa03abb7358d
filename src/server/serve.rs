//! One client on one thread: asked for its nickname until it has a seat, or is sent away.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use log::{info, warn};

use super::lobby::NoSeat;
use super::session::stay;
use super::{House, LOG_TARGET, STOPPING};
use crate::net::is_timeout;
use crate::protocol::{Arrival, HANDSHAKE_LINE, PROMPT, Step, refusal};
use crate::reception::Client;
use crate::sync::lock;

const FULL: &str = "the chat is full, try again later";

/// Serves a client until it is gone.
///
/// # Errors
/// It was lost before it had a seat.
pub(super) fn serve(house: &Arc<House>, client: &Arc<Client>) -> io::Result<()> {
    let Client { number, socket, .. } = &**client;
    let mut arrival = Arrival::new(Instant::now(), house.limits.nickname);
    let mut step = Step::Say(PROMPT.to_owned());
    let words = loop {
        if lock(&house.lobby).is_full() {
            break refusal(FULL);
        }
        step = match step {
            Step::Say(words) => {
                if let Some((refused, _)) = words.split_once('\n') {
                    let reason = refused.trim_start_matches("Nickname refused: ");
                    warn!(target: LOG_TARGET, "🚫 Client {number} nickname refused: {reason}");
                }
                socket.send(words.as_bytes())?;
                arrival.next(Instant::now())
            }
            Step::Read(limit) => {
                let mut buffer = [0; HANDSHAKE_LINE];
                socket.limit_reads(Some(limit))?;
                match socket.read(&mut buffer) {
                    Ok([]) if house.stop.is_set() => break refusal(STOPPING),
                    Ok([]) if client.is_evicted() => break refusal("busy, too many are connecting; try again"),
                    Ok([]) => {
                        info!(target: LOG_TARGET, "👋 Client {number} left");
                        return Ok(());
                    }
                    Ok(words) => arrival.lines.push(words),
                    Err(error) if is_timeout(&error) => {}
                    Err(error) => return Err(error),
                }
                arrival.next(Instant::now())
            }
            Step::Named(nickname) => match stay(house, client, nickname, arrival.lines.rest()) {
                Ok(()) => return Ok(()),
                Err(NoSeat::Full) => break refusal(FULL),
                Err(NoSeat::NicknameTaken) => arrival.refuse_nickname("it is the companion's, choose another"),
            },
            Step::SendAway(words) => break words,
        }
    };
    let reason = words.lines().last().unwrap_or_default().trim_start_matches("Chat refused: ");
    warn!(target: LOG_TARGET, "⛔ Client {number} refused: {reason}");
    socket.send_away(&words);
    Ok(())
}

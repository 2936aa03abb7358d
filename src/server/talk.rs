//! From a seat to the end of the conversation: waiting for a companion, meeting it, relaying.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};
use std::{io, thread};

use log::info;

use super::lobby::NoSeat;
use super::relay::relay;
use super::session::{Guest, Session, State};
use super::{House, LOG_TARGET, lost, stopping};
use crate::nickname::Nickname;
use crate::protocol::{WAITING, connected_to};
use crate::reception::Client;
use crate::sync::{lock, wait_while};

/// A lost connection is passed on as a reset, which would overtake words that are still under way: they get this long.
const UNDER_WAY: Duration = Duration::from_millis(200);

/// How often a connection whose stream has ended is looked at: a reset of it wakes nobody.
const LOOK: Duration = Duration::from_secs(1);

/// How often a guest that may not say more for now looks whether the server stops.
const LOOK_FOR_STOP: Duration = Duration::from_millis(100);

/// A guest's place in a session. Given up, also by a panic: when both are, the session is over and its seats are free.
struct Seat<'a> {
    house: &'a House,
    session: &'a Arc<Session>,
    guest: &'a Arc<Guest>,
}

/// Takes a seat, and stays until the chat is over. `words` are the beginning of what the client has to say.
pub(super) fn stay(house: &House, client: &Arc<Client>, nickname: Nickname, words: &[u8]) -> Result<(), NoSeat> {
    let mut lobby = lock(&house.lobby);
    let session = &lobby.take_seat(&nickname, |number| Session::new(house.label(number)))?;
    let (client, said, is_done) = (Arc::clone(client), AtomicU64::new(0), AtomicBool::new(false));
    let guest = &Arc::new(Guest { client, nickname, said, is_done });
    let seat = Seat { house, session, guest };
    // Before the lobby is open again: a companion comes behind the one that waits.
    let mut state = lock(&session.state);
    drop(lobby);
    guest.client.settle();
    info!(target: LOG_TARGET, "👤 Client {} nickname: {}{}", guest.client.number, guest.nickname, session.label);
    // Should it fail, the next read says why.
    let _ = guest.client.socket.limit_reads(None);
    state.guests.push(Arc::clone(guest));
    let words = if state.guests.len() == 1 {
        state.kept = words.to_vec();
        // Whether it still listens shows when it is read from.
        let _ = guest.client.socket.send(format!("{WAITING}\n").as_bytes());
        drop(state);
        seat.wait_for_companion()
    } else {
        Some(introduce(session, state).map(|()| words.to_vec()))
    };
    if let Some(words) = words {
        seat.talk(words);
        drop(seat);
        while !session.is_over_within(LOOK) {
            if guest.client.socket.has_broken() {
                session.cut();
            }
        }
    }
    Ok(())
}

/// The second of a pair meets the first, and hears what it has said so far. The error is the second's.
fn introduce(session: &Session, mut state: MutexGuard<'_, State>) -> io::Result<()> {
    info!(target: LOG_TARGET, "💬 Chat session started{}", session.label);
    state.started = Instant::now();
    let kept = std::mem::take(&mut state.kept);
    let [first, second] = state.guests.as_slice() else { return Ok(()) };
    for guest in [first, second] {
        guest.client.socket.expect_answers();
    }
    let _ = first.client.socket.send(connected_to(&second.nickname).as_bytes());
    first.said.store(kept.len() as u64, Ordering::Relaxed);
    let told = second.client.socket.send(&[connected_to(&first.nickname).as_bytes(), &kept].concat());
    session.changed.notify_all();
    told
}

impl Seat<'_> {
    /// The first of a pair waits; what it says meanwhile is kept. Returns words that were not, or the error that reading them
    /// met; `None` when it has left.
    fn wait_for_companion(&self) -> Option<io::Result<Vec<u8>>> {
        let Self { house, session, guest } = self;
        let socket = &guest.client.socket;
        let mut buffer = [0; 1024];
        let mut end = Ok(1);
        while let Ok(1..) = end {
            end = socket.read(&mut buffer);
            let words = buffer.get(..*end.as_ref().unwrap_or(&0)).unwrap_or_default();
            let mut state = lock(&session.state);
            if state.guests.len() == 2 {
                return Some(end.map(|_| words.to_vec()));
            }
            state.kept.extend_from_slice(words);
            let must_wait = |state: &mut State| state.guests.len() == 1 && state.kept.len() >= house.limits.kept;
            while must_wait(&mut state) && !house.stop.is_set() {
                state = wait_while(&session.changed, state, LOOK_FOR_STOP, must_wait);
            }
        }
        if !self.leave() {
            // The companion came at that very moment. An end of the stream is read again in the conversation.
            return Some(end.map(|_| Vec::new()));
        }
        match end {
            Ok(_) if house.stop.is_set() => socket.send_away(&stopping()),
            Ok(_) => info!(target: LOG_TARGET, "👋 {guest} left{}", session.label),
            Err(error) => lost(guest, &error, &session.label),
        }
        None
    }

    /// Gives the seat up as long as nobody has come; `false` when the companion has, and was introduced.
    fn leave(&self) -> bool {
        lock(&self.house.lobby).leave(|waiting| Arc::ptr_eq(waiting, self.session));
        lock(&self.session.state).guests.len() < 2
    }

    /// Relays what the guest says to its companion, beginning with `words`, until its last word.
    fn talk(&self, words: io::Result<Vec<u8>>) {
        let Self { house, session, guest } = self;
        let guests = lock(&session.state).guests.clone();
        let Some(companion) = guests.iter().find(|other| !Arc::ptr_eq(other, guest)) else { return };
        let is_stopped = || session.is_cut() || house.stop.is_set();
        let relayed = match words {
            Ok(words) => relay(guest, companion, &words, is_stopped),
            Err(error) => Err((&***guest, error)),
        };
        match relayed {
            Ok(()) if !session.is_cut() => {
                companion.client.socket.finish_sending();
                if !house.stop.is_set() {
                    info!(target: LOG_TARGET, "👋 {guest} left{}", session.label);
                }
            }
            Err((who, error)) if !house.stop.is_set() => {
                // Who has left already is not lost as well.
                let has_left = who.is_done.load(Ordering::Relaxed);
                if session.cut() && !has_left {
                    lost(who, &error, &session.label);
                }
            }
            _ => {}
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let Self { house, session, guest } = &*self;
        if self.leave() {
            return;
        }
        if thread::panicking() {
            session.cut();
        }
        if !session.finish(guest) {
            return;
        }
        info!(target: LOG_TARGET, "🏁 Chat session ended: {}{}", session.summary(), session.label);
        lock(&house.lobby).end_session();
        if !house.stop.is_set() {
            info!(target: LOG_TARGET, "🟢 Waiting for 2 clients to connect...");
        }
        if session.is_cut() {
            thread::sleep(UNDER_WAY);
        } else {
            for guest in &lock(&session.state).guests {
                guest.client.socket.close_in_order();
            }
        }
    }
}

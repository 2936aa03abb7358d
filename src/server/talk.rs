//! From a seat to the end of the conversation: waiting for a companion, meeting it, relaying.

use std::{sync::Arc, thread, time::Duration};

use log::info;

use super::{
    House, LOG_TARGET,
    relay::{Broken, relay},
    serve::{Seat, lost, send_away},
    session::{Guest, Kept, Session},
};
use crate::{
    protocol::{WAITING, connected_to, refusal},
    sync::lock,
};

/// A lost connection is passed on as a reset, which would overtake words that are still under way: they get this long.
const UNDER_WAY: Duration = Duration::from_millis(200);

/// How often a connection whose stream has ended is looked at: a reset of it wakes nobody.
const LOOK: Duration = Duration::from_secs(1);

/// The first of a pair waits; what it says meanwhile is kept. Returns the session and words that were not kept, or
/// `None` when it has left.
pub(super) fn wait_for_companion(seat: &Seat<'_>, words: Vec<u8>, label: &str) -> Option<(Arc<Session>, Vec<u8>)> {
    let Seat { house, guest } = seat;
    let socket = &guest.client.socket;
    let stopped = || house.stop.is_set();
    let told = socket.send(format!("{WAITING}\n").as_bytes());
    guest.wait_with(words);
    let mut buffer = [0; 1024];
    let end = told.and_then(|()| {
        loop {
            let length = socket.read(&mut buffer)?;
            let words = buffer.get(..length).unwrap_or_default();
            match guest.keep(words, house.limits.kept, stopped) {
                Kept::Meets { session, keeps } => {
                    return Ok(Some((session, if keeps { Vec::new() } else { words.to_vec() })));
                }
                Kept::Waits if length == 0 => return Ok(None),
                Kept::Waits => {}
            }
        }
    });
    match end {
        Ok(Some(meeting)) => return Some(meeting),
        // The companion came at that very moment. The end of the stream is read again in the conversation.
        _ if !seat.leave() => match guest.keep(&[], usize::MAX, stopped) {
            Kept::Meets { session, .. } => return Some((session, Vec::new())),
            Kept::Waits => {}
        },
        Ok(None) if stopped() => send_away(&guest.client, &refusal("the server is stopping")),
        Ok(None) => info!(target: LOG_TARGET, "👋 {guest} left{label}"),
        Err(error) => lost(guest, &error, label),
    }
    None
}

/// The second of a pair meets the first, and hears what it has said so far.
pub(super) fn introduce(first: &Arc<Guest>, second: &Arc<Guest>, label: &str) -> Arc<Session> {
    let kept = first.introduce();
    let session = Session::new(Arc::clone(first), Arc::clone(second), kept.len() as u64);
    info!(target: LOG_TARGET, "💬 Chat session started{label}");
    for guest in &session.guests {
        guest.client.socket.expect_answers();
    }
    // Whether the first still listens shows when it is read from.
    let _ = first.client.socket.send(connected_to(&second.nickname).as_bytes());
    let greeting = [connected_to(&first.nickname).as_bytes(), &kept].concat();
    if let Err(error) = second.client.socket.send(&greeting) {
        lost(second, &error, label);
        session.cut();
    }
    first.may_talk(Arc::clone(&session));
    session
}

/// Relays what the guest says to its companion, beginning with `words`, and stays until the session is over.
pub(super) fn talk(house: &House, session: &Arc<Session>, guest: &Guest, words: &[u8], label: &str) {
    let (side, companion) = session.side_of(guest);
    let mut direction = Direction { house, session, side, label, relayed: words.len() as u64, is_over: false };
    let (from, to) = (&guest.client.socket, &companion.client.socket);
    let is_cut = || session.is_cut() || house.stop.is_set();
    let end = to.send(words).map_err(Broken::Writing).and_then(|()| relay(from, to, is_cut, &mut direction.relayed));
    match end {
        _ if session.is_cut() => {}
        Ok(()) => {
            to.finish_sending();
            if !house.stop.is_set() {
                info!(target: LOG_TARGET, "👋 {guest} left{label}");
            }
        }
        _ if house.stop.is_set() => {}
        Err(Broken::Reading(error)) => {
            lost(guest, &error, label);
            session.cut();
        }
        Err(Broken::Writing(error)) => {
            // Who has left already is not lost as well.
            if !session.has_finished(1 - side) {
                lost(companion, &error, label);
            }
            session.cut();
        }
    }
    direction.is_over = true;
    if direction.finish() {
        return;
    }
    while !session.is_over_within(LOOK) {
        if from.has_broken() {
            session.cut();
        }
    }
}

/// One direction of a session. When both have come to their end, also by a panic, the session is over and its seats are free.
struct Direction<'a> {
    house: &'a House,
    session: &'a Session,
    side: usize,
    label: &'a str,
    relayed: u64,
    is_over: bool,
}

impl Direction<'_> {
    /// Returns whether this was the last of the two.
    fn finish(&self) -> bool {
        let Self { house, session, side, label, relayed, .. } = self;
        if !session.finish(*side, *relayed) {
            return false;
        }
        info!(target: LOG_TARGET, "🏁 Chat session ended: {session}{label}");
        lock(&house.lobby).end_session();
        if !house.stop.is_set() {
            info!(target: LOG_TARGET, "🟢 Waiting for 2 clients to connect...");
        }
        if session.is_cut() {
            thread::sleep(UNDER_WAY);
        } else {
            for guest in &session.guests {
                guest.client.socket.close_in_order();
            }
        }
        true
    }
}

impl Drop for Direction<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.session.cut();
            self.finish();
        }
    }
}

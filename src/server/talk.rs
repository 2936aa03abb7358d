//! From a seat to the end of the conversation: waiting for a companion, meeting it, relaying.

use std::{io, sync::Arc, thread, time::Duration};

use log::info;

use super::{
    House, LOG_TARGET,
    lobby::{NoSeat, Seated},
    relay::{Broken, relay},
    serve::{lost, stopping},
    session::{Guest, Session, Waiting},
};
use crate::{
    nickname::Nickname,
    protocol::{WAITING, connected_to},
    reception::Client,
    sync::{FOREVER, lock, wait_while},
};

/// A lost connection is passed on as a reset, which would overtake words that are still under way: they get this long.
const UNDER_WAY: Duration = Duration::from_millis(200);

/// How often a connection whose stream has ended is looked at: a reset of it wakes nobody.
const LOOK: Duration = Duration::from_secs(1);

/// The seat of a guest that waits is free again when it leaves, also when its worker panics.
struct Seat<'a> {
    house: &'a House,
    guest: &'a Arc<Guest>,
    /// What log lines about it end in: the session, when there can be several.
    label: String,
}

impl Seat<'_> {
    /// Gives the seat up; `false` when the companion has come.
    fn leave(&self) -> bool {
        lock(&self.house.lobby).leave(|seat| Arc::ptr_eq(seat, self.guest))
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Takes a seat, and stays until the chat is over. `words` are the beginning of what the client has to say.
pub(super) fn stay(house: &House, client: &Arc<Client>, nickname: Nickname, words: &[u8]) -> Result<(), NoSeat> {
    let guest = Guest::new(Arc::clone(client), nickname);
    let mut waiting = lock(&guest.waiting);
    let seated = lock(&house.lobby).take_seat(&guest.nickname, Arc::clone(&guest))?;
    client.settle();
    let (Seated::First(number) | Seated::Second(number, _)) = seated;
    let label = if house.several { format!(" (session {number})") } else { String::new() };
    info!(target: LOG_TARGET, "👤 Client {} nickname: {}{label}", client.number, guest.nickname);
    let seat = Seat { house, guest: &guest, label };
    let meeting = match seated {
        Seated::First(_) => {
            waiting.kept = words.to_vec();
            // Whether it still listens shows when it is read from.
            let _ = client.socket.send(format!("{WAITING}\n").as_bytes());
            drop(waiting);
            wait_for_companion(&seat)
        }
        Seated::Second(_, first) => {
            drop(waiting);
            let words = client.socket.limit_reads(None).map(|()| words.to_vec());
            Some((introduce(&first, &guest, &seat.label), words))
        }
    };
    if let Some((session, words)) = meeting {
        talk(house, &session, &guest, words, &seat.label);
    }
    Ok(())
}

/// The first of a pair waits; what it says meanwhile is kept. Returns the session and words that were not kept, or
/// the error that reading them met; `None` when it has left.
fn wait_for_companion(seat: &Seat<'_>) -> Option<(Arc<Session>, io::Result<Vec<u8>>)> {
    let Seat { house, guest, label } = seat;
    let socket = &guest.client.socket;
    let stopped = || house.stop.is_set();
    let mut buffer = [0; 1024];
    let mut end = socket.limit_reads(None).map(|()| 1);
    while let Ok(1..) = end {
        end = socket.read(&mut buffer);
        let words = buffer.get(..*end.as_ref().unwrap_or(&0)).unwrap_or_default();
        let mut waiting = lock(&guest.waiting);
        if let Some(session) = waiting.session.take() {
            return Some((session, end.map(|_| words.to_vec())));
        }
        waiting.kept.extend_from_slice(words);
        let must_wait =
            |waiting: &mut Waiting| waiting.session.is_none() && waiting.kept.len() >= house.limits.kept && !stopped();
        drop(wait_while(&guest.met, waiting, FOREVER, must_wait));
    }
    if !seat.leave() {
        // The companion came at that very moment. An end of the stream is read again in the conversation.
        let mut waiting = wait_while(&guest.met, lock(&guest.waiting), FOREVER, |waiting| waiting.session.is_none());
        return waiting.session.take().map(|session| (session, end.map(|_| Vec::new())));
    }
    match end {
        Ok(_) if stopped() => guest.client.socket.send_away(&stopping()),
        Ok(_) => info!(target: LOG_TARGET, "👋 {guest} left{label}"),
        Err(error) => lost(guest, &error, label),
    }
    None
}

/// The second of a pair meets the first, and hears what it has said so far.
fn introduce(first: &Arc<Guest>, second: &Arc<Guest>, label: &str) -> Arc<Session> {
    // Held over the introduction: what the first says meanwhile must come behind what it has said before.
    let mut waiting = lock(&first.waiting);
    let kept = std::mem::take(&mut waiting.kept);
    let session = Session::new(Arc::clone(first), Arc::clone(second), kept.len() as u64);
    info!(target: LOG_TARGET, "💬 Chat session started{label}");
    for guest in &session.guests {
        guest.client.socket.expect_answers();
    }
    let _ = first.client.socket.send(connected_to(&second.nickname).as_bytes());
    let greeting = [connected_to(&first.nickname).as_bytes(), &kept].concat();
    if let Err(error) = second.client.socket.send(&greeting) {
        lost(second, &error, label);
        session.cut();
    }
    waiting.session = Some(Arc::clone(&session));
    first.met.notify_all();
    session
}

/// Relays what the guest says to its companion, beginning with `words`, and stays until the session is over.
fn talk(house: &House, session: &Arc<Session>, guest: &Guest, words: io::Result<Vec<u8>>, label: &str) {
    let (side, companion) = session.side_of(guest);
    let mut direction = Direction { house, session, side, label, relayed: 0, is_over: false };
    let (from, to) = (&guest.client.socket, &companion.client.socket);
    let is_cut = || session.is_cut() || house.stop.is_set();
    let said = words.map_err(Broken::Reading).and_then(|words| {
        direction.relayed = words.len() as u64;
        to.send(&words).map_err(Broken::Writing)
    });
    let end = said.and_then(|()| relay(from, to, is_cut, &mut direction.relayed));
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

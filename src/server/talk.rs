//! From a seat to the end of the conversation: waiting for a companion, meeting it, relaying.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;
use std::{io, thread};

use log::info;

use super::lobby::NoSeat;
use super::relay::relay;
use super::session::{Guest, Lost, Session};
use super::{House, LOG_TARGET, STOPPING, lost};
use crate::nickname::Nickname;
use crate::protocol::{WAITING, connected_to, refusal};
use crate::reception::Client;
use crate::sync::lock;

/// A lost connection is passed on as a reset, which would overtake words that are still under way: they get this long.
const UNDER_WAY: Duration = Duration::from_millis(200);

/// How often a connection whose stream has ended is looked at: a reset of it wakes nobody.
const LOOK: Duration = Duration::from_secs(1);

/// How often a guest that may not say more for now looks for its companion.
const LOOK_FOR_COMPANION: Duration = Duration::from_millis(100);

/// A guest's place in a session. Given up, also by a panic: when both are, the session is over and its seats are free.
struct Seat<'a> {
    house: &'a House,
    session: &'a Session,
    guest: &'a Arc<Guest>,
}

/// Takes a seat, and stays until the chat is over. `words` are the beginning of what the client has to say.
pub(super) fn stay(house: &House, client: &Arc<Client>, nickname: Nickname, words: &[u8]) -> Result<(), NoSeat> {
    let guest = &Guest::new(Arc::clone(client), nickname);
    let mut lobby = lock(&house.lobby);
    let session = &lobby.take_seat(&guest.nickname, |number| Session::new(house.label(number), guest))?;
    let seat = Seat { house, session, guest };
    // Before the lobby is open again: a companion comes behind the one that waits.
    let kept = lock(&session.kept);
    drop(lobby);
    client.settle();
    info!(target: LOG_TARGET, "👤 Client {} nickname: {}{}", client.number, guest.nickname, session.label);
    // Should it fail, the next read says why.
    let _ = client.socket.limit_reads(None);
    let told = seat.tell(kept).map_err(|error| (&**guest, error));
    let is_stopped = || session.is_cut() || house.stop.is_set();
    let talked = told.and_then(|()| seat.say(words)).and_then(|()| relay(guest, |words| seat.say(words), is_stopped));
    seat.part(talked);
    drop(seat);
    while !session.over.wait_for(LOOK) {
        if client.socket.has_broken() {
            session.cut();
        }
    }
    Ok(())
}

impl Seat<'_> {
    /// The first of a pair hears that it has to wait. The second is introduced, and hears what the first has said so far.
    fn tell(&self, mut kept: MutexGuard<'_, Vec<u8>>) -> io::Result<()> {
        let Self { session: Session { label, first, second, .. }, guest, .. } = self;
        if Arc::ptr_eq(guest, first) {
            return guest.client.socket.send(format!("{WAITING}\n").as_bytes());
        }
        info!(target: LOG_TARGET, "💬 Chat session started{label}");
        for guest in [first, guest] {
            guest.client.socket.expect_answers();
        }
        // Should it fail, the first's own worker finds out.
        let _ = first.client.socket.send(connected_to(&guest.nickname).as_bytes());
        first.said.store(kept.len() as u64, Ordering::Relaxed);
        let words = [connected_to(&first.nickname).as_bytes(), &std::mem::take(&mut *kept)].concat();
        let told = guest.client.socket.send(&words);
        // From here on the first's words go straight to the second.
        let _ = second.set(Arc::clone(guest));
        told
    }

    /// Passes on what the guest says; what it says before its companion comes is kept.
    fn say(&self, words: &[u8]) -> Result<(), Lost<'_>> {
        let Self { house, session, guest } = self;
        if session.companion(guest).is_none() {
            let mut kept = lock(&session.kept);
            // It may have come just now.
            if session.companion(guest).is_none() {
                kept.extend_from_slice(words);
                let is_full = kept.len() >= house.limits.kept;
                drop(kept);
                while is_full && session.companion(guest).is_none() && !house.stop.wait_for(LOOK_FOR_COMPANION) {}
                return Ok(());
            }
        }
        let Some(companion) = session.companion(guest) else { return Ok(()) };
        companion.client.socket.send(words).map_err(|error| (companion, error))?;
        guest.said.fetch_add(words.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Gives the seat up as long as nobody has come, and tells whether that is so.
    fn leave_alone(&self) -> bool {
        lock(&self.house.lobby).leave(|waiting| Arc::ptr_eq(&waiting.first, self.guest));
        // Who came before that is introduced once this is free.
        drop(lock(&self.session.kept));
        self.session.companion(self.guest).is_none()
    }

    /// What the companion, and the log, hear of the guest's last word.
    fn part(&self, talked: Result<(), Lost<'_>>) {
        let Self { house, session, guest } = self;
        let (is_alone, is_stopping) = (self.leave_alone(), house.stop.is_set());
        match talked {
            Ok(()) if is_alone && is_stopping => guest.client.socket.send_away(&refusal(STOPPING)),
            Ok(()) if !session.is_cut() => {
                if let Some(companion) = session.companion(guest) {
                    companion.client.socket.finish_sending();
                }
                if !is_stopping {
                    info!(target: LOG_TARGET, "👋 {guest} left{}", session.label);
                }
            }
            Err((who, error)) if !is_stopping => {
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
        let is_alone = self.leave_alone();
        if thread::panicking() {
            session.cut();
        }
        guest.is_done.store(true, Ordering::Relaxed);
        let is_last = session.done.fetch_add(1, Ordering::AcqRel) == 1;
        if is_last || is_alone {
            session.over.trigger();
        }
        if !is_last {
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
            session.guests().for_each(|guest| guest.client.socket.close_in_order());
        }
    }
}

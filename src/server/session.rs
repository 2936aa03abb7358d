//! Two clients and what becomes of their conversation.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::nickname::Nickname;
use crate::reception::Client;
use crate::sync::{lock, wait_while};

/// A client that has a nickname.
pub(super) struct Guest {
    pub(super) client: Arc<Client>,
    pub(super) nickname: Nickname,
    /// How much its companion has got of what it said, in bytes.
    pub(super) said: AtomicU64,
    /// Whether it has said its last word.
    pub(super) is_done: AtomicBool,
}

impl fmt::Display for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client {} ({})", self.client.number, self.nickname)
    }
}

/// One conversation, from its first guest on.
pub(super) struct Session {
    /// What log lines about it end in.
    pub(super) label: String,
    /// Held while a guest is told where it is, so that it never speaks, nor is met, in between.
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
    is_cut: AtomicBool,
}

pub(super) struct State {
    /// The one that waits for a companion, or the two that have met.
    pub(super) guests: Vec<Arc<Guest>>,
    /// What the first says before the second comes.
    pub(super) kept: Vec<u8>,
    pub(super) started: Instant,
}

impl State {
    pub(super) fn is_over(&self) -> bool {
        self.guests.iter().all(|guest| guest.is_done.load(Ordering::Relaxed))
    }
}

impl Session {
    pub(super) fn new(label: String) -> Arc<Self> {
        let state = State { guests: Vec::new(), kept: Vec::new(), started: Instant::now() };
        Arc::new(Self { label, state: Mutex::new(state), changed: Condvar::new(), is_cut: AtomicBool::new(false) })
    }

    /// A connection was lost: neither can go on. Returns whether that is news.
    pub(super) fn cut(&self) -> bool {
        let is_news = !self.is_cut.swap(true, Ordering::Relaxed);
        for guest in &lock(&self.state).guests {
            guest.client.socket.stop_reading();
        }
        is_news
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }

    /// The guest has said its last word. Returns whether the other has, too, so that all is over.
    pub(super) fn finish(&self, guest: &Guest) -> bool {
        let state = lock(&self.state);
        guest.is_done.store(true, Ordering::Relaxed);
        self.changed.notify_all();
        state.is_over()
    }

    /// Waits until both have said their last word, for at most this long, and tells whether they have.
    pub(super) fn is_over_within(&self, limit: Duration) -> bool {
        wait_while(&self.changed, lock(&self.state), limit, |state| !state.is_over()).is_over()
    }

    /// What a log tells of it when it is over.
    pub(super) fn summary(&self) -> String {
        let state = lock(&self.state);
        let names: Vec<_> = state.guests.iter().map(|guest| guest.nickname.to_string()).collect();
        let words = state
            .guests
            .iter()
            .map(|guest| format!(", {} bytes from {}", guest.said.load(Ordering::Relaxed), guest.nickname));
        format!("{}, {}{}", names.join(" and "), spoken(state.started.elapsed()), words.collect::<String>())
    }
}

/// A duration as people say it.
fn spoken(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_as_people_say_them() {
        let said = |seconds| spoken(Duration::from_secs(seconds));
        assert_eq!([said(12), said(303), said(7505)], ["12 s", "5 min 3 s", "2 h 5 min"]);
    }
}

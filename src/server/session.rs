//! Two clients and what becomes of their conversation.

use std::{
    fmt,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{nickname::Nickname, reception::Client, sync::lock};

/// A client that has a nickname.
pub(super) struct Guest {
    pub(super) client: Arc<Client>,
    pub(super) nickname: Nickname,
    /// Held while it is told where it is, so that it never speaks, nor is met, in between.
    pub(super) waiting: Mutex<Waiting>,
    pub(super) met: Condvar,
}

/// A guest before the conversation.
#[derive(Default)]
pub(super) struct Waiting {
    /// What it has said so far.
    pub(super) kept: Vec<u8>,
    /// The session it may join, to be taken out: a session holds its guests.
    pub(super) session: Option<Arc<Session>>,
}

impl Guest {
    pub(super) fn new(client: Arc<Client>, nickname: Nickname) -> Arc<Self> {
        Arc::new(Self { client, nickname, waiting: Mutex::default(), met: Condvar::new() })
    }
}

impl fmt::Display for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client {} ({})", self.client.number, self.nickname)
    }
}

/// One conversation.
pub(super) struct Session {
    pub(super) guests: [Arc<Guest>; 2],
    started: Instant,
    /// What the first had said before the second came, in bytes.
    kept: u64,
    /// What was relayed from each of the two in bytes, once it has said its last word.
    finished: Mutex<[Option<u64>; 2]>,
    changed: Condvar,
    cut: AtomicBool,
}

impl Session {
    pub(super) fn new(first: Arc<Guest>, second: Arc<Guest>, kept: u64) -> Arc<Self> {
        Arc::new(Self {
            guests: [first, second],
            started: Instant::now(),
            kept,
            finished: Mutex::new([None; 2]),
            changed: Condvar::new(),
            cut: AtomicBool::new(false),
        })
    }

    /// Which of the two this is, and the other.
    pub(super) fn side_of(&self, guest: &Guest) -> (usize, &Arc<Guest>) {
        let [first, second] = &self.guests;
        if first.client.number == guest.client.number { (0, second) } else { (1, first) }
    }

    /// A connection was lost: neither can go on.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
        for guest in &self.guests {
            guest.client.socket.stop_reading();
        }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// The guest on this side has said its last word. Returns whether the other has, too, so that all is over.
    pub(super) fn finish(&self, side: usize, relayed: u64) -> bool {
        let mut finished = lock(&self.finished);
        if let Some(side) = finished.get_mut(side) {
            *side = Some(relayed);
        }
        self.changed.notify_all();
        finished.iter().all(Option::is_some)
    }

    /// Whether the guest on this side has said its last word.
    pub(super) fn has_finished(&self, side: usize) -> bool {
        lock(&self.finished).get(side).is_some_and(Option::is_some)
    }

    /// Waits until both have said their last word, for at most this long, and tells whether they have.
    pub(super) fn is_over_within(&self, limit: Duration) -> bool {
        let goes_on = |finished: &mut [Option<u64>; 2]| finished.iter().any(Option::is_none);
        drop(self.changed.wait_timeout_while(lock(&self.finished), limit, goes_on));
        lock(&self.finished).iter().all(Option::is_some)
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = &self.guests;
        let [from_first, from_second] = lock(&self.finished).map(Option::unwrap_or_default);
        let (first, second) = (&first.nickname, &second.nickname);
        let duration = Minutes(self.started.elapsed());
        let from_first = from_first + self.kept;
        write!(
            f,
            "{first} and {second}, {duration}, {from_first} bytes from {first}, {from_second} bytes from {second}"
        )
    }
}

/// A duration as people say it.
struct Minutes(Duration);

impl fmt::Display for Minutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            seconds @ 0..60 => write!(f, "{seconds} s"),
            seconds @ 60..3600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            seconds => write!(f, "{} h {} min", seconds / 3600, seconds / 60 % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_as_people_say_them() {
        let said = |seconds| Minutes(Duration::from_secs(seconds)).to_string();
        assert_eq!([said(12), said(303), said(7505)], ["12 s", "5 min 3 s", "2 h 5 min"]);
    }
}

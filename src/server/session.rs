//! Two clients and what becomes of their conversation.

use std::{
    fmt,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::clients::Client;
use crate::{
    nickname::Nickname,
    sync::{lock, wait_while},
};

/// A client that has a nickname and a seat.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) client: Arc<Client>,
    pub(super) nickname: Nickname,
    stage: Mutex<Stage>,
    changed: Condvar,
}

#[derive(Debug)]
enum Stage {
    /// It has a seat, but was not told so yet.
    Seated,
    /// It waits for a companion; what it has said meanwhile is kept.
    Waiting(Vec<u8>),
    /// The companion has come, and is being handed what was kept.
    Introduced,
    /// It may speak.
    Talking(Arc<Session>),
    /// It speaks, or is gone: nobody waits for it here.
    Gone,
}

/// What became of the words of a guest that waits.
#[derive(Debug)]
pub(super) enum Kept {
    /// They are kept: it waits on.
    Waits,
    /// The companion has come. `keeps`: the words have reached it already.
    Meets { session: Arc<Session>, keeps: bool },
}

impl Guest {
    pub(super) fn new(client: Arc<Client>, nickname: Nickname) -> Arc<Self> {
        Arc::new(Self { client, nickname, stage: Mutex::new(Stage::Seated), changed: Condvar::new() })
    }

    fn set(&self, stage: Stage) {
        *lock(&self.stage) = stage;
        self.changed.notify_all();
    }

    /// It was told that it waits; `words` are what it has said so far.
    pub(super) fn wait_with(&self, words: Vec<u8>) {
        self.set(Stage::Waiting(words));
    }

    /// Whoever waits for it to be told that it waits need not wait any longer.
    pub(super) fn tell(&self) {
        let mut stage = lock(&self.stage);
        if matches!(*stage, Stage::Seated) {
            *stage = Stage::Gone;
        }
        self.changed.notify_all();
    }

    /// Keeps words of a guest that waits, up to `limit` bytes and one read more; blocks while that is reached.
    /// When the companion has come, blocks until the guest may speak.
    pub(super) fn keep(&self, words: &[u8], limit: usize, stopped: impl Fn() -> bool) -> Kept {
        let mut stage = lock(&self.stage);
        let keeps = if let Stage::Waiting(kept) = &mut *stage {
            kept.extend_from_slice(words);
            true
        } else {
            false
        };
        let mut stage = wait_while(&self.changed, stage, |stage| match stage {
            Stage::Waiting(kept) => kept.len() >= limit && !stopped(),
            Stage::Seated | Stage::Introduced => true,
            Stage::Talking(_) | Stage::Gone => false,
        });
        // The session holds the guest: the guest must not hold the session for ever.
        match std::mem::replace(&mut *stage, Stage::Gone) {
            Stage::Talking(session) => Kept::Meets { session, keeps },
            waiting => {
                *stage = waiting;
                Kept::Waits
            }
        }
    }

    /// Wakes the guest when it is blocked in [`Self::keep`], so that it looks whether to stop.
    pub(super) fn wake(&self) {
        drop(lock(&self.stage));
        self.changed.notify_all();
    }

    /// The companion has come: hands over what was kept. Blocks until the guest was told that it waits.
    pub(super) fn introduce(&self) -> Vec<u8> {
        let mut stage = wait_while(&self.changed, lock(&self.stage), |stage| matches!(stage, Stage::Seated));
        match std::mem::replace(&mut *stage, Stage::Introduced) {
            Stage::Waiting(kept) => kept,
            _ => Vec::new(),
        }
    }

    /// From now on the guest may speak.
    pub(super) fn may_talk(&self, session: Arc<Session>) {
        self.set(Stage::Talking(session));
    }
}

impl fmt::Display for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client {} ({})", self.client.number, self.nickname)
    }
}

/// One conversation.
#[derive(Debug)]
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

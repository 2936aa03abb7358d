//! What is to be sent to one member: a bounded queue, so that a member who does not read delays nobody else.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::sync::lock;

/// The most that waits for one member, in bytes, beside what the system holds.
const ROOM: usize = 8 * 1024 * 1024;

/// Lines are sent together up to this size, in bytes.
const BATCH: usize = 64 * 1024;

/// Lines in the order in which they were put in.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// A line to many is held once.
    lines: VecDeque<Arc<[u8]>>,
    bytes: usize,
    closed: bool,
    /// Since when it has been full, and never half empty again.
    full: Option<Instant>,
}

/// What the writer does next.
pub(super) enum Next {
    Send(Vec<u8>),
    Nothing,
    Closed,
}

impl Outbox {
    /// Puts a line in. When the box is full, waits for room until it has been full for as long as `patience`; `false` when there
    /// is none.
    /// A closed box takes everything, and throws it away.
    pub(super) fn put(&self, line: &Arc<[u8]>, patience: Duration) -> bool {
        let full = |state: &mut State| !state.closed && state.bytes > 0 && state.bytes + line.len() > ROOM;
        let mut state = lock(&self.state);
        if full(&mut state) {
            let since = *state.full.get_or_insert_with(Instant::now);
            let left = patience.saturating_sub(since.elapsed());
            let waited = self.changed.wait_timeout_while(state, left, full);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() {
                return false;
            }
            state = guard;
        }
        if !state.closed {
            state.bytes += line.len();
            state.lines.push_back(Arc::clone(line));
            drop(state);
            self.changed.notify_all();
        }
        true
    }

    /// Puts a last line in, whether there is room or not. Nothing more is taken; what is in the box is still sent.
    pub(super) fn close(&self, last: &[u8]) {
        {
            let mut state = lock(&self.state);
            if !state.closed {
                state.closed = true;
                state.bytes += last.len();
                state.lines.push_back(last.into());
            }
        }
        self.changed.notify_all();
    }

    /// Takes lines out, waiting up to `limit` for the first.
    pub(super) fn take(&self, limit: Duration) -> Next {
        let empty = |state: &mut State| state.lines.is_empty() && !state.closed;
        let waited = self.changed.wait_timeout_while(lock(&self.state), limit, empty);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let mut batch = Vec::new();
        while batch.len() < BATCH
            && let Some(line) = state.lines.pop_front()
        {
            batch.extend_from_slice(&line);
        }
        state.bytes -= batch.len();
        if state.bytes <= ROOM / 2 {
            state.full = None;
        }
        let closed = state.closed;
        drop(state);
        match (batch.is_empty(), closed) {
            (false, _) => {
                self.changed.notify_all();
                Next::Send(batch)
            }
            (true, true) => Next::Closed,
            (true, false) => Next::Nothing,
        }
    }

    /// How much waits in the box, in bytes.
    pub(super) fn waiting(&self) -> usize {
        lock(&self.state).bytes
    }

    /// Waits until everything was taken out, for at most `limit`.
    pub(super) fn drain(&self, limit: Duration) {
        drop(self.changed.wait_timeout_while(lock(&self.state), limit, |state| !state.lines.is_empty()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_in_order_and_together() {
        let outbox = Outbox::default();
        for line in ["a\n", "b\n"] {
            assert!(outbox.put(&line.as_bytes().into(), Duration::ZERO));
        }
        outbox.close(b"c\n");
        assert!(outbox.put(&b"too late"[..].into(), Duration::ZERO));
        assert!(matches!(outbox.take(Duration::ZERO), Next::Send(lines) if lines == b"a\nb\nc\n"));
        assert!(matches!(outbox.take(Duration::ZERO), Next::Closed));
    }

    #[test]
    fn a_full_box_takes_nothing_until_there_is_room() {
        let outbox = Outbox::default();
        assert!(outbox.put(&vec![b'x'; ROOM].into(), Duration::ZERO));
        assert!(!outbox.put(&b"more"[..].into(), Duration::ZERO));
        assert!(matches!(outbox.take(Duration::ZERO), Next::Send(_)));
        assert!(outbox.put(&b"more"[..].into(), Duration::ZERO));
    }
}

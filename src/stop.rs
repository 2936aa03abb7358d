//! One orderly stop for Ctrl+C, SIGTERM, SIGHUP and errors.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::sync::{FOREVER, lock, wait_while};

/// A flag that is set once and can be waited for. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<(AtomicBool, Mutex<()>, Condvar)>);

impl Stop {
    /// Sets the flag and wakes all who wait for it.
    pub fn trigger(&self) {
        let (flag, mutex, changed) = &*self.0;
        let _guard = lock(mutex);
        flag.store(true, Ordering::Relaxed);
        changed.notify_all();
    }

    /// Whether the flag is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.0.load(Ordering::Relaxed)
    }

    /// Waits until the flag is set.
    pub fn wait(&self) {
        let _ = self.wait_for(FOREVER);
    }

    /// Waits until the flag is set, for at most this long, and tells whether it is.
    #[must_use]
    pub fn wait_for(&self, limit: Duration) -> bool {
        let (_, mutex, changed) = &*self.0;
        drop(wait_while(changed, lock(mutex), limit, |()| !self.is_set()));
        self.is_set()
    }
}

/// The exit code of a second Ctrl+C: 128 + SIGINT, as shells have it.
pub const EXIT_INTERRUPTED: i32 = 130;

/// Calls `first` at the first Ctrl+C, SIGTERM or SIGHUP; the second ends the process at once with [`EXIT_INTERRUPTED`],
/// after `last`.
///
/// # Errors
/// When the process has a handler for these signals already.
#[expect(clippy::exit, reason = "a second Ctrl+C means: now, whatever still runs")]
pub fn on_signal(
    mut first: impl FnMut() + Send + 'static,
    mut last: impl FnMut() + Send + 'static,
) -> Result<(), ctrlc::Error> {
    let mut signals = 0;
    ctrlc::set_handler(move || {
        signals += 1;
        if signals == 1 {
            first();
        } else {
            last();
            process::exit(EXIT_INTERRUPTED);
        }
    })
}

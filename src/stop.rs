//! One orderly stop for Ctrl+C, SIGTERM, SIGHUP and errors.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use std::{io, mem, process};

use crate::sync::{lock, wait_while};

/// A flag that is set once and can be waited for. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<(AtomicBool, Mutex<()>, Condvar)>);

impl Stop {
    /// Sets the flag, wakes all who wait for it, and tells whether it is set for the first time.
    pub fn trigger(&self) -> bool {
        let (flag, mutex, changed) = &*self.0;
        let _guard = lock(mutex);
        changed.notify_all();
        !flag.swap(true, Ordering::Relaxed)
    }

    /// Whether the flag is set.
    pub fn is_set(&self) -> bool {
        self.0.0.load(Ordering::Relaxed)
    }

    /// Waits until the flag is set, for at most this long, and tells whether it is.
    pub fn wait_for(&self, limit: Duration) -> bool {
        let (_, mutex, changed) = &*self.0;
        drop(wait_while(changed, lock(mutex), limit, |()| !self.is_set()));
        self.is_set()
    }
}

/// Calls `first` at the first Ctrl+C, SIGTERM or SIGHUP; the second ends the process at once, after `last`, with the exit code
/// 130: 128 + SIGINT, as shells have it.
///
/// # Errors
/// When the process has a handler for these signals already.
#[expect(clippy::exit, reason = "a second Ctrl+C means: now, whatever still runs")]
pub fn on_signal(first: impl Fn() + Send + 'static, last: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut has_come = false;
    let handler = move || {
        if mem::replace(&mut has_come, true) {
            last();
            process::exit(130);
        }
        first();
    };
    ctrlc::set_handler(handler).map_err(|error| io::Error::other(format!("cannot catch Ctrl+C: {error}")))
}

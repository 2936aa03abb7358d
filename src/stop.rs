//! One orderly stop for Ctrl+C, SIGTERM, SIGHUP and errors.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;
use std::{process, thread};

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

/// How long the last thing that is done may take, when somebody is in a hurry: the terminal may take nothing any more.
const LAST: Duration = Duration::from_millis(500);

/// Calls `first` at the first Ctrl+C, SIGTERM or SIGHUP; the second ends the process at once with [`EXIT_INTERRUPTED`],
/// after `last`, which gets half a second.
///
/// # Errors
/// When the process has a handler for these signals already.
#[expect(clippy::exit, reason = "a second Ctrl+C means: now, whatever still runs")]
pub fn on_signal(
    mut first: impl FnMut() + Send + 'static,
    last: impl FnOnce() + Send + 'static,
) -> Result<(), ctrlc::Error> {
    let (mut is_first, mut last) = (true, Some(last));
    ctrlc::set_handler(move || {
        if std::mem::take(&mut is_first) {
            return first();
        }
        let (done, wait) = mpsc::channel();
        let last = last.take();
        thread::spawn(move || {
            if let Some(last) = last {
                last();
            }
            done.send(())
        });
        let _ = wait.recv_timeout(LAST);
        process::exit(EXIT_INTERRUPTED);
    })
}

//! Locks that a panic elsewhere does not poison for everybody.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// As long as it takes.
pub(crate) const FOREVER: Duration = Duration::MAX;

/// Locks, also after a panic in another holder: only for state that is valid after every statement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits on `changed` as long as `condition` holds, for at most `limit`.
pub(crate) fn wait_while<'a, T>(
    changed: &Condvar,
    guard: MutexGuard<'a, T>,
    limit: Duration,
    condition: impl FnMut(&mut T) -> bool,
) -> MutexGuard<'a, T> {
    changed.wait_timeout_while(guard, limit, condition).unwrap_or_else(PoisonError::into_inner).0
}

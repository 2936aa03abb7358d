//! A bounded thread pool that survives a panicking job and joins on stop.
//!
//! A job is taken only when a worker is free for it, so jobs may wait for one another without ever waiting for the pool.
//! Threads are started when they are needed and end when they had nothing to do for a second. What a job is, is not its business.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;
use std::{io, thread};

use crate::sync::{FOREVER, lock, wait_while};

/// How long a thread without a job stays.
const IDLE: Duration = Duration::from_secs(1);

/// The stack of a worker, in bytes. Only what is touched takes memory; the address space of 10,000 workers stays at 5 GiB.
const STACK: usize = 512 * 1024;

type Job = Box<dyn FnOnce() + Send>;

/// A pool of at most `size` threads.
pub struct Pool {
    name: &'static str,
    size: usize,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// A job was queued, or the pool is closed.
    work: Condvar,
    /// A job is done, or a worker has ended.
    done: Condvar,
}

#[derive(Default)]
struct State {
    queue: Vec<Job>,
    /// Jobs queued or running, and the threads that are there for them: at least as many, so no job waits in the queue.
    jobs: usize,
    workers: usize,
    closed: bool,
}

impl Pool {
    /// A pool whose threads carry `name`.
    ///
    /// # Panics
    /// Panics when `size` is 0: no job would ever run.
    #[must_use]
    pub fn new(name: &'static str, size: usize) -> Self {
        assert!(size > 0, "a pool needs a thread");
        Self { name, size, shared: Arc::default() }
    }

    /// Runs the job on a thread of the pool, waiting at most `patience` for one to be free.
    ///
    /// # Errors
    /// `WouldBlock` when none became free, or the system's error when no thread could be started. The job is dropped.
    pub fn execute(&self, job: impl FnOnce() + Send + 'static, patience: Duration) -> io::Result<()> {
        let mut state = self.wait(patience, |state| state.jobs >= self.size);
        if state.jobs >= self.size {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "every worker is busy"));
        }
        if state.jobs == state.workers {
            let shared = Arc::clone(&self.shared);
            thread::Builder::new().name(self.name.to_owned()).stack_size(STACK).spawn(move || shared.work())?;
            state.workers += 1;
        }
        state.jobs += 1;
        state.queue.push(Box::new(job));
        drop(state);
        self.shared.work.notify_one();
        Ok(())
    }

    /// Whether no worker is free for one more job.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        lock(&self.shared.state).jobs >= self.size
    }

    /// Waits at most `limit` until no job is left, and tells whether that is so.
    #[must_use]
    pub fn is_done_within(&self, limit: Duration) -> bool {
        self.wait(limit, |state| state.jobs > 0).jobs == 0
    }

    fn wait(&self, limit: Duration, condition: impl FnMut(&mut State) -> bool) -> MutexGuard<'_, State> {
        wait_while(&self.shared.done, lock(&self.shared.state), limit, condition)
    }
}

impl Drop for Pool {
    /// Lets the jobs that were taken come to their end, and waits for the end of every thread.
    fn drop(&mut self) {
        lock(&self.shared.state).closed = true;
        self.shared.work.notify_all();
        drop(self.wait(FOREVER, |state| state.workers > 0));
    }
}

impl Shared {
    /// Runs jobs until there was none for a while.
    fn work(&self) {
        let is_idle = |state: &mut State| state.queue.is_empty() && !state.closed;
        let mut state = lock(&self.state);
        loop {
            state = wait_while(&self.work, state, IDLE, is_idle);
            let Some(job) = state.queue.pop() else { break };
            drop(state);
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                // Where and why, the panic itself has said on standard error.
                log::error!(target: "pool", "🔥 a job panicked, its worker goes on");
            }
            state = lock(&self.state);
            state.jobs -= 1;
            self.done.notify_all();
        }
        state.workers -= 1;
        self.done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn a_panicking_job_does_not_take_its_worker_along() {
        let pool = Pool::new("test", 1);
        let (done, finished) = mpsc::channel();
        pool.execute(|| panic!("on purpose"), LIMIT).unwrap();
        pool.execute(move || done.send(()).unwrap(), LIMIT).unwrap();
        finished.recv_timeout(LIMIT).expect("the second job runs");
    }

    #[test]
    fn a_job_is_refused_when_every_worker_is_busy_and_taken_when_one_is_free() {
        let pool = Pool::new("test", 2);
        let (release, wait) = mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        for _ in 0..2 {
            let wait = Arc::clone(&wait);
            pool.execute(
                move || {
                    let _ = lock(&wait).recv();
                },
                Duration::ZERO,
            )
            .unwrap();
        }
        let refused = pool.execute(|| (), Duration::ZERO).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        release.send(()).unwrap();
        pool.execute(|| (), LIMIT).expect("one worker is free again");
        drop(release);
        assert!(pool.is_done_within(LIMIT));
    }

    #[test]
    fn dropping_the_pool_waits_for_the_jobs() {
        let (done, finished) = mpsc::channel();
        let pool = Pool::new("test", 4);
        for number in 0..4 {
            let done = done.clone();
            pool.execute(move || done.send(number).unwrap(), LIMIT).unwrap();
        }
        drop((pool, done));
        assert_eq!(finished.iter().count(), 4);
    }
}

//! A bounded thread pool that survives a panicking job and joins on stop.
//!
//! A job is taken only when a worker is free for it, so jobs may wait for one another without ever waiting for the pool.
//! Threads are started when they are needed and end when they had nothing to do for a second. What a job is, is not its business.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;
use std::{io, thread};

use crate::sync::{FOREVER, lock, wait_while};

/// How long a thread without a job stays.
const IDLE: Duration = Duration::from_secs(1);

/// The stack of a worker, in bytes. Only what is touched takes memory; the address space of 10,000 workers stays at 5 GiB.
const STACK: usize = 512 * 1024;

/// A pool of at most `size` threads, which all do the same work.
pub struct Pool<Job: Send + 'static> {
    name: &'static str,
    size: usize,
    shared: Arc<Shared<Job>>,
}

struct Shared<Job> {
    work: Box<dyn Fn(Job) + Send + Sync>,
    state: Mutex<State<Job>>,
    /// A job was queued, or the pool is closed.
    queued: Condvar,
    /// A job is done, or a worker has ended.
    done: Condvar,
}

struct State<Job> {
    queue: VecDeque<Job>,
    /// Jobs queued or running, and the threads that are there for them: at least as many, so no job waits in the queue.
    jobs: usize,
    workers: usize,
    closed: bool,
}

impl<Job: Send + 'static> Pool<Job> {
    /// A pool whose threads carry `name` and do `work` with each job.
    ///
    /// # Panics
    /// Panics when `size` is 0: no job would ever run.
    pub fn new(name: &'static str, size: usize, work: impl Fn(Job) + Send + Sync + 'static) -> Self {
        assert!(size > 0, "a pool needs a thread");
        let state = Mutex::new(State { queue: VecDeque::new(), jobs: 0, workers: 0, closed: false });
        let shared = Shared { work: Box::new(work), state, queued: Condvar::new(), done: Condvar::new() };
        Self { name, size, shared: Arc::new(shared) }
    }

    /// Gives the job to a thread of the pool, waiting at most `patience` for one to be free.
    ///
    /// # Errors
    /// `WouldBlock` when none became free, or the system's error when no thread could be started. The job is dropped.
    pub fn execute(&self, job: Job, patience: Duration) -> io::Result<()> {
        let mut state = self.wait(patience, |state| state.jobs >= self.size);
        if state.jobs >= self.size {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "every worker is busy"));
        }
        if state.jobs == state.workers {
            let shared = Arc::clone(&self.shared);
            thread::Builder::new().name(self.name.to_owned()).stack_size(STACK).spawn(move || shared.serve())?;
            state.workers += 1;
        }
        state.jobs += 1;
        state.queue.push_back(job);
        drop(state);
        self.shared.queued.notify_one();
        Ok(())
    }

    /// Whether no worker is free for one more job.
    pub fn is_busy(&self) -> bool {
        lock(&self.shared.state).jobs >= self.size
    }

    /// Waits at most `limit` until no job is left, and tells whether that is so.
    pub fn is_done_within(&self, limit: Duration) -> bool {
        self.wait(limit, |state| state.jobs > 0).jobs == 0
    }

    fn wait(&self, limit: Duration, condition: impl FnMut(&mut State<Job>) -> bool) -> MutexGuard<'_, State<Job>> {
        wait_while(&self.shared.done, lock(&self.shared.state), limit, condition)
    }
}

impl<Job: Send + 'static> Drop for Pool<Job> {
    /// Lets the jobs that were taken come to their end, and waits for the end of every thread.
    fn drop(&mut self) {
        lock(&self.shared.state).closed = true;
        self.shared.queued.notify_all();
        drop(self.wait(FOREVER, |state| state.workers > 0));
    }
}

impl<Job> Shared<Job> {
    /// Does jobs until there was none for a while.
    fn serve(&self) {
        let is_idle = |state: &mut State<Job>| state.queue.is_empty() && !state.closed;
        let mut state = lock(&self.state);
        loop {
            state = wait_while(&self.queued, state, IDLE, is_idle);
            let Some(job) = state.queue.pop_front() else { break };
            drop(state);
            if catch_unwind(AssertUnwindSafe(|| (self.work)(job))).is_err() {
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
        let (done, finished) = mpsc::channel();
        let pool = Pool::new("test", 1, move |fine: bool| {
            assert!(fine, "on purpose");
            done.send(()).unwrap();
        });
        pool.execute(false, LIMIT).unwrap();
        pool.execute(true, LIMIT).unwrap();
        finished.recv_timeout(LIMIT).expect("the second job runs");
    }

    #[test]
    fn a_job_is_refused_when_every_worker_is_busy_and_taken_when_one_is_free() {
        let (release, wait) = mpsc::channel::<()>();
        let wait = Mutex::new(wait);
        let pool = Pool::new("test", 2, move |()| lock(&wait).recv().unwrap_or_default());
        for _ in 0..2 {
            pool.execute((), Duration::ZERO).unwrap();
        }
        assert!(pool.is_busy());
        let refused = pool.execute((), Duration::ZERO).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        release.send(()).unwrap();
        pool.execute((), LIMIT).expect("one worker is free again");
        drop(release);
        assert!(pool.is_done_within(LIMIT));
    }

    #[test]
    fn dropping_the_pool_waits_for_the_jobs() {
        let (done, finished) = mpsc::channel();
        let pool = Pool::new("test", 4, move |number| done.send(number).unwrap());
        for number in 0..4 {
            pool.execute(number, LIMIT).unwrap();
        }
        drop(pool);
        assert_eq!(finished.iter().count(), 4);
    }
}

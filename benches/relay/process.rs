//! Processes that the bench starts: ended when dropped, listened to with a time limit, and measured from outside.
//!
//! The measurements come from `/proc`; on a system without it they are `None`, and the report has a dash there.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for a line that a process must say, such as that it has started.
const LINE: Duration = Duration::from_secs(10);

/// Lines kept for a reader who has not asked yet. More are read and forgotten, so that the process never blocks on us.
const KEPT: usize = 1024;

/// The unit of the times in `/proc/PID/stat`: Linux shows them in 1/100 s to every program (`man 5 proc`, USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// A process of ours. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
    program: String,
    started: Instant,
    heard: Receiver<Heard>,
}

/// A line that the process said, and when: taken where it is read, so that our own threads delay it least.
struct Heard {
    at: Instant,
    line: String,
}

impl Running {
    /// Starts it, with its standard input held open until it is dropped.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (sender, heard) = sync_channel(KEPT);
        let started = Instant::now();
        let child = command.spawn().map_err(|error| io::Error::other(format!("cannot start {program}: {error}")))?;
        let mut running = Self { child, program, started, heard };
        if let Some(stdout) = running.child.stdout.take() {
            listen(stdout, sender.clone());
        }
        if let Some(stderr) = running.child.stderr.take() {
            listen(stderr, sender);
        }
        Ok(running)
    }

    /// Waits for the first line in which `find` finds something; also says how long after the start it came.
    pub(crate) fn wait_for<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> io::Result<(T, Duration)> {
        let deadline = Instant::now() + LINE;
        let mut last = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(Heard { at, line }) = self.heard.recv_timeout(left) else {
                let last = last.map_or_else(String::new, |line| format!("; it said: {line}"));
                return Err(io::Error::other(format!("{} did not say {what}{last}", self.program)));
            };
            if let Some(found) = find(&line) {
                return Ok((found, at.saturating_duration_since(self.started)));
            }
            last = Some(line);
        }
    }

    /// What it said last, of what nobody has waited for.
    pub(crate) fn last_words(&self) -> Option<String> {
        self.heard.try_iter().last().map(|heard| heard.line)
    }

    /// CPU time of all its threads so far, those that have ended included, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        let stat = self.read_proc("stat")?;
        // The program's name may hold spaces and brackets; user and system time are the 12th and 13th behind it.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let user: f64 = fields.next()?.parse().ok()?;
        let system: f64 = fields.next()?.parse().ok()?;
        Some((user + system) / TICKS_PER_SECOND)
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident(&self) -> Option<f64> {
        self.status("VmRSS:")
    }

    /// Threads now.
    pub(crate) fn threads(&self) -> Option<f64> {
        self.status("Threads:")
    }

    fn status(&self, name: &str) -> Option<f64> {
        let status = self.read_proc("status")?;
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    fn read_proc(&self, file: &str) -> Option<String> {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already, which is what they are for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(source: impl Read + Send + 'static, sender: SyncSender<Heard>) {
    thread::spawn(move || {
        let mut source = BufReader::new(source);
        let mut bytes = Vec::new();
        while matches!(source.read_until(b'\n', &mut bytes), Ok(1..)) {
            let at = Instant::now();
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            let _ = sender.try_send(Heard { at, line });
            bytes.clear();
        }
    });
}

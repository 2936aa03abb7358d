//! What a process writes: gathered on a thread of its own, so that a test can wait for any part of it.

use std::cell::Cell;
use std::io::{ErrorKind, Read};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{LIMIT, lock};

/// A stream that is read until its end, and remembered.
#[derive(Debug, Clone)]
pub(crate) struct Captured {
    shared: Arc<(Mutex<Gathered>, Condvar)>,
}

#[derive(Debug, Default)]
struct Gathered {
    bytes: Vec<u8>,
    ended: bool,
}

impl Captured {
    pub(crate) fn from(mut source: impl Read + Send + 'static) -> Self {
        let captured = Self { shared: Arc::default() };
        let to = captured.clone();
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                match source.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(length) => to.change(|gathered| gathered.bytes.extend(&buffer[..length])),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            to.change(|gathered| gathered.ended = true);
        });
        captured
    }

    fn change(&self, how: impl FnOnce(&mut Gathered)) {
        how(&mut lock(&self.shared.0));
        self.shared.1.notify_all();
    }

    /// Waits until the condition gives an answer for what has been gathered so far; `None` at the limit.
    fn until<T>(&self, limit: Duration, condition: impl Fn(&[u8], bool) -> Option<T>) -> Result<T, Vec<u8>> {
        let deadline = Instant::now() + limit;
        let mut gathered = lock(&self.shared.0);
        loop {
            if let Some(answer) = condition(&gathered.bytes, gathered.ended) {
                return Ok(answer);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if gathered.ended || left.is_zero() {
                return Err(gathered.bytes.clone());
            }
            gathered = self.shared.1.wait_timeout(gathered, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether the text comes within this time.
    pub(crate) fn comes_within(&self, text: &str, limit: Duration) -> bool {
        self.until(limit, |bytes, _| String::from_utf8_lossy(bytes).contains(text).then_some(())).is_ok()
    }

    /// Everything so far, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.shared.0).bytes).into_owned()
    }

    /// The whole lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.text().lines().map(String::from).collect()
    }

    /// Waits for a text, anywhere.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_for_line(1, text);
    }

    /// Waits until `count` lines contain the text, and gives the last of these.
    #[track_caller]
    pub(crate) fn wait_for_line(&self, count: usize, text: &str) -> String {
        self.wait_within(LIMIT, count, text)
    }

    /// As [`Self::wait_for_line`], for what takes its time.
    #[track_caller]
    pub(crate) fn wait_within(&self, limit: Duration, count: usize, text: &str) -> String {
        let found = self.until(limit, |bytes, ended| {
            let all = String::from_utf8_lossy(bytes);
            let whole = if ended { &all } else { &all[..all.rfind('\n')? + 1] };
            let line = whole.lines().filter(|line| line.contains(text)).nth(count - 1)?;
            Some(line.to_owned())
        });
        match found {
            Ok(line) => line,
            Err(came) => {
                let came = String::from_utf8_lossy(&came);
                panic!("expected {count} line(s) with: {text}\nwithin {limit:?}, came:\n{came}")
            }
        }
    }

    /// Waits until what has come is as the condition wants it, and gives it.
    #[track_caller]
    pub(crate) fn wait_until(&self, limit: Duration, expected: &str, condition: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        match self.until(limit, |bytes, _| condition(bytes).then(|| bytes.to_vec())) {
            Ok(came) => came,
            Err(came) => {
                let end = String::from_utf8_lossy(&came[came.len().saturating_sub(2_000)..]);
                panic!("expected {expected}, came {} bytes, which end with:\n{end}", came.len())
            }
        }
    }

    /// Waits for a text in a stream so long that each byte is to be looked at only once.
    #[track_caller]
    pub(crate) fn wait_for_in_flood(&self, text: &str) {
        let seen = Cell::new(0);
        self.wait_until(LIMIT, &format!("somewhere: {text}"), |bytes| {
            let from = seen.replace(bytes.len()).saturating_sub(text.len());
            String::from_utf8_lossy(&bytes[from..]).contains(text)
        });
    }

    /// Waits until at least so many bytes have come.
    #[track_caller]
    pub(crate) fn wait_for_length(&self, length: usize) {
        let waited = self.until(LIMIT, |bytes, _| (bytes.len() >= length).then_some(()));
        if let Err(came) = waited {
            panic!("expected at least {length} bytes, came {}", came.len());
        }
    }

    /// Waits for the end of the stream, and gives the whole of it.
    #[track_caller]
    pub(crate) fn whole(&self) -> Vec<u8> {
        match self.until(LIMIT, |bytes, ended| ended.then(|| bytes.to_vec())) {
            Ok(whole) => whole,
            Err(came) => panic!("expected the end of the stream, came:\n{}", String::from_utf8_lossy(&came)),
        }
    }

    /// The whole of it, as text.
    #[track_caller]
    pub(crate) fn whole_text(&self) -> String {
        String::from_utf8_lossy(&self.whole()).into_owned()
    }
}

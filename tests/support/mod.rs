//! What the tests share: the real server, the real client, a bare socket and a pseudo-terminal.
//!
//! Every wait in here has a limit, and says what was expected beside what came when the limit is reached. Nothing sleeps
//! in the hope that something has happened meanwhile.
#![allow(
    dead_code,
    unused_imports,
    clippy::indexing_slicing,
    reason = "each test program uses its own part, and a test may panic"
)]

mod captured;
mod client;
mod figures;
mod library;
#[cfg(target_os = "linux")]
mod network;
#[cfg(feature = "peer")]
mod peer;
mod plain;
#[cfg(unix)]
mod screen;
mod server;
#[cfg(unix)]
mod terminal;
#[cfg(feature = "peer")]
mod tracker;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use captured::Captured;
pub(crate) use client::Client;
pub(crate) use figures::{Figures, keepalive_is_armed, waits_for_a_pipe};
pub(crate) use library::InProcess;
#[cfg(target_os = "linux")]
pub(crate) use network::{Host, Resident, Switch, networks_can_be_made};
#[cfg(feature = "peer")]
pub(crate) use peer::{Air, Peer, Played, expect_numbered, free_port, meet_all, peer_in_a_terminal};
pub(crate) use plain::{End, Plain, pair};
#[cfg(unix)]
pub(crate) use screen::rows_of;
pub(crate) use server::Server;
#[cfg(unix)]
pub(crate) use terminal::{Keys, Terminal};
#[cfg(feature = "peer")]
pub(crate) use tracker::{Listed, Tracker};

/// How long a test waits for anything before it gives up.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Asks again and again until there is an answer, for at most `limit`. For conditions that nothing announces.
pub(crate) fn eventually<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// Takes a lock even after a test has panicked with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One process is started at a time, so that none inherits the pseudo-terminal that is being opened for another.
fn one_start_at_a_time() -> MutexGuard<'static, ()> {
    static STARTING: Mutex<()> = Mutex::new(());
    lock(&STARTING)
}

/// Sends a signal by its name ("TERM") to a process that the caller has started.
#[cfg(unix)]
fn signal(process: u32, name: &str) {
    let starting = one_start_at_a_time();
    let status = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("kill -{name} {process}"))
        .status()
        .expect("the shell starts");
    drop(starting);
    assert!(status.success(), "expected to send {name} to process {process}, came: {status}");
}

/// Something on a port that is not our server: tells every caller `words`, and reads what it says until it leaves.
///
/// With nothing to tell it is a listener that never speaks.
pub(crate) fn impostor(words: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("the listener has an address");
    thread::spawn(move || {
        for mut caller in listener.incoming().flatten() {
            thread::spawn(move || {
                if caller.write_all(words).is_ok() && !words.is_empty() {
                    caller.shutdown(Shutdown::Write).ok();
                }
                io::copy(&mut caller, &mut io::sink()).ok();
            });
        }
    });
    address
}

/// A port of loopback on which nobody listens.
pub(crate) fn port_without_a_server() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("the listener has an address").port()
}

/// A server played by the test, for what the real one never says: accepts one caller, within the limit.
pub(crate) fn accept_one(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).expect("a listener can be asked");
    let caller = eventually(LIMIT, || listener.accept().ok());
    let (stream, _) = caller.expect("expected a caller within the limit, nobody came");
    stream.set_nonblocking(false).expect("a stream can wait again");
    stream.set_read_timeout(Some(LIMIT)).expect("a stream takes a limit");
    stream
}

/// Reads from a stream up to and with the next LF.
pub(crate) fn read_line(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\n") {
        match stream.read(&mut byte) {
            Ok(1) => line.extend(byte),
            other => panic!("expected a whole line, came: {line:?}, then {other:?}"),
        }
    }
    String::from_utf8(line).expect("a line of text")
}

/// Numbers that look random and are the same in each run (xorshift, Marsaglia 2003).
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    /// A number from 1 to `most`.
    pub(crate) fn roll(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(most).expect("a number of sides"))
            .expect("less than the number of sides")
            + 1
    }
}

/// Lines that begin with `name` and a number, from 1 to `count`.
pub(crate) fn numbered_lines(name: &str, count: usize) -> String {
    (1..=count).fold(String::new(), |lines, number| lines + &format!("{name} {number}\n"))
}

/// Writes in chunks of random size, up to `largest`.
pub(crate) fn write_in_chunks(to: &mut impl Write, bytes: &[u8], largest: usize, seed: u64) -> io::Result<()> {
    let mut dice = Dice::new(seed);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(dice.roll(largest).min(rest.len()));
        to.write_all(chunk)?;
        rest = behind;
    }
    to.flush()
}

/// Compares two long texts and shows only the place where they part.
#[track_caller]
pub(crate) fn assert_same_bytes(came: &[u8], expected: &[u8]) {
    if came == expected {
        return;
    }
    let place =
        came.iter().zip(expected).position(|(one, other)| one != other).unwrap_or(came.len().min(expected.len()));
    let show = |bytes: &[u8]| {
        let end = bytes.len().min(place + 60);
        String::from_utf8_lossy(&bytes[place.saturating_sub(20)..end]).into_owned()
    };
    panic!(
        "expected {} bytes, came {}; they part at {place}\nexpected: {:?}\n    came: {:?}",
        expected.len(),
        came.len(),
        show(expected),
        show(came)
    );
}

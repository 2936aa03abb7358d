//! What goes through each relay: lines to and fro, lines one way, bulk one way and both ways.
//!
//! Both clients are in this process, the same for every relay, and share the machine's cores with it.

use crate::peers::Pair;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// The length of a line, its end included: a short sentence.
pub(crate) const LINE: usize = 64;

/// The clients' buffer, large, so that the relay is what limits.
pub(crate) const BUFFER: usize = 1 << 20;

/// Round trips before those that count.
const WARM_UP: usize = 500;

/// Longest time for one test of one relay.
const LIMIT: Duration = Duration::from_secs(60);

const MEBIBYTE: f64 = (1 << 20) as f64;
const GIBIBYTE: f64 = (1 << 30) as f64;

/// Times of the round trips, in µs.
pub(crate) struct RoundTrips {
    pub(crate) median: f64,
    /// 99 of 100 were no slower.
    pub(crate) tail: f64,
}

/// How bulk went.
pub(crate) struct Bulk {
    /// All directions together.
    pub(crate) mebibytes_per_second: f64,
    /// The relay's alone; `None` without a relay.
    pub(crate) cpu_per_gibibyte: Option<f64>,
}

/// Client A sends a line, client B sends it back, and only then comes the next.
pub(crate) fn round_trip(pair: &Pair, count: usize) -> io::Result<RoundTrips> {
    let deadline = Instant::now() + LIMIT;
    let Pair { a, b, .. } = pair;
    let mut times = thread::scope(|scope| {
        let echo = scope.spawn(|| echo(b, WARM_UP + count));
        let times = ask(a, count, deadline)?;
        finish(echo)?;
        io::Result::Ok(times)
    })?;
    times.sort_unstable();
    let at = |percent: usize| {
        let time = times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
        time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    };
    Ok(RoundTrips { median: at(50), tail: at(99) })
}

fn ask(mut stream: &TcpStream, count: usize, deadline: Instant) -> io::Result<Vec<Duration>> {
    let line = line();
    let mut answer = [0; LINE];
    let mut times = Vec::with_capacity(WARM_UP + count);
    for _ in 0..WARM_UP + count {
        let sent = Instant::now();
        stream.write_all(&line)?;
        stream.read_exact(&mut answer).map_err(explain)?;
        let back = Instant::now();
        if answer != line {
            return Err(io::Error::other("a line came back changed"));
        }
        if back > deadline {
            return Err(too_slow());
        }
        times.push(back - sent);
    }
    Ok(times.split_off(WARM_UP))
}

fn echo(mut stream: &TcpStream, count: usize) -> io::Result<()> {
    let mut line = [0; LINE];
    for _ in 0..count {
        stream.read_exact(&mut line).map_err(explain)?;
        stream.write_all(&line)?;
    }
    Ok(())
}

/// Client A sends lines, each in a write of its own; the clock stops when client B has them all. Lines a second.
pub(crate) fn lines(pair: &Pair, count: usize) -> io::Result<f64> {
    let Pair { a, b, .. } = pair;
    let line = line();
    let bytes = (count * LINE) as u64;
    let started = Instant::now();
    thread::scope(|scope| {
        let receiver = scope.spawn(|| receive(b, bytes));
        let sent = send(a, &line, bytes);
        // What the receiver says first: it knows how far it came.
        finish(receiver)?;
        sent
    })?;
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// `bytes` from A to B, and if `both_ways` at the same time as many from B to A.
pub(crate) fn bulk(pair: &Pair, bytes: u64, both_ways: bool) -> io::Result<Bulk> {
    let block = vec![b'x'; BUFFER];
    let cpu = || pair.relay.as_ref().and_then(|relay| relay.cpu_seconds());
    let cpu_before = cpu();
    let started = Instant::now();
    thread::scope(|scope| {
        let mut ways = vec![(&pair.a, &pair.b)];
        if both_ways {
            ways.push((&pair.b, &pair.a));
        }
        let mut hands = Vec::new();
        for (from, to) in ways {
            hands.push(scope.spawn(move || receive(to, bytes)));
            let block = &block;
            hands.push(scope.spawn(move || send(from, block, bytes)));
        }
        hands.into_iter().try_for_each(finish)
    })?;
    let elapsed = started.elapsed().as_secs_f64();
    let cpu_used = cpu().zip(cpu_before).map(|(after, before)| after - before);

    let carried = if both_ways { 2 * bytes } else { bytes } as f64;
    Ok(Bulk {
        mebibytes_per_second: carried / MEBIBYTE / elapsed,
        cpu_per_gibibyte: cpu_used.map(|seconds| seconds / (carried / GIBIBYTE)),
    })
}

fn send(mut stream: &TcpStream, block: &[u8], bytes: u64) -> io::Result<()> {
    let mut left = bytes;
    while left > 0 {
        let count = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        stream.write_all(block.get(..count).unwrap_or(block)).map_err(explain)?;
        left -= count as u64;
    }
    Ok(())
}

fn receive(mut stream: &TcpStream, bytes: u64) -> io::Result<()> {
    let deadline = Instant::now() + LIMIT;
    let mut buffer = vec![0; BUFFER];
    let mut came = 0;
    while came < bytes {
        let count = stream.read(&mut buffer).map_err(explain)?;
        if count == 0 {
            return Err(io::Error::other(format!("the stream ended after {came} of {bytes} bytes")));
        }
        if Instant::now() > deadline {
            return Err(too_slow());
        }
        came += count as u64;
    }
    if came > bytes {
        return Err(io::Error::other("more bytes came than were sent"));
    }
    Ok(())
}

fn line() -> [u8; LINE] {
    let mut line = [b'x'; LINE];
    if let Some(end) = line.last_mut() {
        *end = b'\n';
    }
    line
}

fn finish(hand: ScopedJoinHandle<'_, io::Result<()>>) -> io::Result<()> {
    hand.join().unwrap_or_else(|_| Err(io::Error::other("a client panicked")))
}

/// The system's words for a passed time limit ("resource temporarily unavailable") help nobody.
fn explain(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            io::Error::new(ErrorKind::TimedOut, "nothing moved for too long")
        }
        _ => error,
    }
}

fn too_slow() -> io::Error {
    io::Error::other(format!("not done within {} s", LIMIT.as_secs()))
}

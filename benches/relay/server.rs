//! What only the chat server is asked: many idle chats at once, the time to start, the size of the program.

use crate::figures::median;
use crate::options::Sizes;
use crate::peers::{connect, hear, port_behind, say};
use crate::process::Running;
use std::fs;
use std::io;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

/// The program that `cargo bench` has built beside this one.
const PROGRAM: &str = env!("CARGO_BIN_EXE_chat-server");

/// Descriptors left for everything of ours that is not a client's socket.
const SPARE_DESCRIPTORS: usize = 64;

/// A server that listens.
pub(crate) struct Started {
    pub(crate) running: Running,
    pub(crate) port: u16,
    /// From its start to its word that it has started.
    pub(crate) after: Duration,
}

/// Starts the server at a free port.
pub(crate) fn start(sessions: Option<usize>) -> io::Result<Started> {
    let mut command = Command::new(PROGRAM);
    command.args(["127.0.0.1", "0"]);
    if let Some(sessions) = sessions {
        command.args(["--sessions", &sessions.to_string()]);
    }
    // The port is in a line of the log, which the environment could silence.
    command.env_remove("RUST_LOG").env_remove("RUST_LOG_STYLE");
    let running = Running::start(&mut command)?;
    let (port, after) = running.wait_for("its port", port_behind("Chat server started on"))?;
    Ok(Started { running, port, after })
}

/// Brings two clients into a chat.
pub(crate) fn chat(port: u16, first: &str, second: &str) -> io::Result<(TcpStream, TcpStream)> {
    let a = connect(port)?;
    hear(&a, "Enter your nickname: ")?;
    say(&a, &format!("{first}\n"))?;
    hear(&a, "Waiting for a companion...\n")?;
    let b = connect(port)?;
    hear(&b, "Enter your nickname: ")?;
    say(&b, &format!("{second}\n"))?;
    hear(&b, &format!("Connected to {first}\n"))?;
    hear(&a, &format!("Connected to {second}\n"))?;
    Ok((a, b))
}

/// What many idle chats cost: medians of several runs, each with a fresh server.
pub(crate) struct Idle {
    pub(crate) chats: usize,
    pub(crate) chats_per_second: f64,
    /// Growth of resident memory, KiB a chat, when all are connected.
    pub(crate) resident_connected: Option<f64>,
    /// The same when a line has crossed each, both ways.
    pub(crate) resident_after_lines: Option<f64>,
    pub(crate) threads: Option<f64>,
    /// Why there are fewer chats than asked for.
    pub(crate) lowered: Option<String>,
}

/// Sets up the chats one after the other, and then sends a line across each, there and back.
pub(crate) fn idle_chats(sizes: &Sizes) -> io::Result<Idle> {
    let (chats, lowered) = affordable(sizes.sessions);
    let runs = (0..sizes.idle_runs).map(|_| idle_run(chats)).collect::<io::Result<Vec<_>>>()?;
    let middle = |of: fn(&IdleRun) -> Option<f64>| {
        let values: Vec<f64> = runs.iter().filter_map(of).collect();
        (!values.is_empty()).then(|| median(&values))
    };
    Ok(Idle {
        chats,
        chats_per_second: middle(|run| Some(run.chats_per_second)).unwrap_or(f64::NAN),
        resident_connected: middle(|run| run.resident_connected),
        resident_after_lines: middle(|run| run.resident_after_lines),
        threads: middle(|run| run.threads),
        lowered,
    })
}

struct IdleRun {
    chats_per_second: f64,
    resident_connected: Option<f64>,
    resident_after_lines: Option<f64>,
    threads: Option<f64>,
}

fn idle_run(chats: usize) -> io::Result<IdleRun> {
    let server = start(Some(chats))?;
    let growth =
        |now: Option<f64>, before: Option<f64>| now.zip(before).map(|(now, before)| (now - before) / chats as f64);
    let resident = server.running.resident();
    let threads = server.running.threads();

    let begun = Instant::now();
    let mut pairs = Vec::with_capacity(chats);
    for number in 1..=chats {
        let pair = chat(server.port, &format!("A{number}"), &format!("B{number}"))
            .map_err(|error| io::Error::other(format!("chat {number} of {chats}: {error}")))?;
        pairs.push(pair);
    }
    let chats_per_second = chats as f64 / begun.elapsed().as_secs_f64();
    let resident_connected = growth(server.running.resident(), resident);

    for (number, (a, b)) in (1..).zip(&pairs) {
        cross(number, a, b).map_err(|error| io::Error::other(format!("line of chat {number}: {error}")))?;
    }
    Ok(IdleRun {
        chats_per_second,
        resident_connected,
        resident_after_lines: growth(server.running.resident(), resident),
        threads: growth(server.running.threads(), threads),
    })
}

/// Each line names its chat, so that one which strays into another is noticed.
fn cross(number: usize, a: &TcpStream, b: &TcpStream) -> io::Result<()> {
    let question = format!("Is this still chat {number}?\n");
    say(a, &question)?;
    hear(b, &question)?;
    let answer = format!("Yes, chat {number}.\n");
    say(b, &answer)?;
    hear(a, &answer)
}

/// How many chats our own descriptors allow: both ends of each are ours.
fn affordable(wanted: usize) -> (usize, Option<String>) {
    let Some(limit) = descriptor_limit() else {
        return (wanted, None);
    };
    let allowed = (limit.saturating_sub(SPARE_DESCRIPTORS) / 2).max(1);
    if wanted <= allowed {
        return (wanted, None);
    }
    let needed = 2 * wanted + SPARE_DESCRIPTORS;
    let why = format!(
        "only {allowed} of {wanted} idle chats: the bench may open {limit} files \
         (`ulimit -n {needed}` would do)"
    );
    (allowed, Some(why))
}

fn descriptor_limit() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Times to start.
pub(crate) struct Starts {
    pub(crate) count: usize,
    pub(crate) median: Duration,
    pub(crate) slowest: Duration,
}

/// Starts the server again and again, each time until it says that it listens.
pub(crate) fn start_times(count: usize) -> io::Result<Starts> {
    let mut times = (0..count).map(|_| start(None).map(|started| started.after)).collect::<io::Result<Vec<_>>>()?;
    times.sort_unstable();
    let none = || io::Error::other("the server was never started");
    Ok(Starts {
        count,
        median: *times.get(times.len() / 2).ok_or_else(none)?,
        slowest: *times.last().ok_or_else(none)?,
    })
}

/// The size of the program, in bytes.
pub(crate) fn binary_size() -> io::Result<u64> {
    Ok(fs::metadata(PROGRAM)?.len())
}

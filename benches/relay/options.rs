//! What the bench was asked for on its command line, and how much of everything that means.

use crate::bare_copy;
use std::str::FromStr;

/// How to call it, in one line.
pub(crate) const USAGE: &str = "usage: cargo bench --bench relay -- [--quick] [--rounds N] [--sessions N]";

/// What to do.
pub(crate) enum Call {
    /// Measure, with these sizes.
    Measure(Sizes),
    /// Be the bare copy loop that another run of this program has started.
    BareCopy,
    /// Called by `cargo test`, which only wants to know that this compiles and starts.
    Nothing,
}

/// How often and how much.
pub(crate) struct Sizes {
    pub(crate) rounds: usize,
    /// Idle chats at once.
    pub(crate) sessions: usize,
    /// Round trips a round.
    pub(crate) round_trips: usize,
    /// Lines a turn.
    pub(crate) lines: usize,
    /// Bytes a round, all directions together.
    pub(crate) bulk: u64,
    /// Times that the idle chats are set up.
    pub(crate) idle_runs: usize,
    /// Starts of the server.
    pub(crate) starts: usize,
}

/// Enough for steady medians; about seven minutes on two cores.
const FULL: Sizes =
    Sizes { rounds: 7, sessions: 2000, round_trips: 20_000, lines: 50_000, bulk: 2 << 30, idle_runs: 3, starts: 30 };

/// Enough to see that everything runs; the figures mean little.
const QUICK: Sizes =
    Sizes { rounds: 2, sessions: 100, round_trips: 1000, lines: 10_000, bulk: 128 << 20, idle_runs: 1, starts: 5 };

/// Reads the arguments behind the program's name.
pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Call, String> {
    let arguments: Vec<String> = arguments.collect();
    let asked = |name: &str| arguments.iter().any(|argument| argument == name);
    if asked(bare_copy::ARGUMENT) {
        return Ok(Call::BareCopy);
    }
    // `cargo bench` says --bench; `cargo test` does not, and may bring options meant for the tests.
    if asked("--test") || !asked("--bench") {
        return Ok(Call::Nothing);
    }

    let mut sizes = if asked("--quick") { QUICK } else { FULL };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--bench" | "--quick" => {}
            "--rounds" => sizes.rounds = number(argument, rest.next())?,
            "--sessions" => sizes.sessions = number(argument, rest.next())?,
            _ => return Err(format!("unknown argument {argument}")),
        }
    }
    Ok(Call::Measure(sizes))
}

fn number(option: &str, value: Option<&String>) -> Result<usize, String> {
    value
        .and_then(|value| usize::from_str(value).ok())
        .filter(|&value| value > 0)
        .ok_or_else(|| format!("{option} needs a number above 0"))
}

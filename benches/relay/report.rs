//! The report: Markdown, ready for the README.

use crate::figures::{Figure, Results, Test};
use crate::options::Sizes;
use crate::peers::Peer;
use crate::server::{Idle, Starts};
use crate::traffic;
use std::env::consts;
use std::fs;
use std::io;
use std::thread;

const DASH: &str = "–";

/// The machine and the programs that were compared, and how busy the machine was before we began.
pub(crate) fn machine(peers: &[Peer]) -> String {
    let cores = thread::available_parallelism().map_or(0, |cores| cores.get());
    let mut parts = vec![
        cpu_model().unwrap_or_else(|| consts::ARCH.to_owned()),
        format!("{cores} cores"),
        format!("{} {}", consts::OS, first_line("/proc/sys/kernel/osrelease")),
        format!("load before {}", load()),
    ];
    parts.extend(peers.iter().filter_map(|peer| peer.version()));
    parts.join("; ")
}

fn cpu_model() -> Option<String> {
    let information = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = information.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The averages of one, five and fifteen minutes.
fn load() -> String {
    let words = first_line("/proc/loadavg");
    let words: Vec<&str> = words.split_whitespace().take(3).collect();
    words.join(" ")
}

fn first_line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or(DASH).to_owned()
}

/// Everything that was measured.
pub(crate) fn text(
    sizes: &Sizes,
    machine: &str,
    peers: &[Peer],
    results: &Results,
    idle: &io::Result<Idle>,
    starts: &io::Result<Starts>,
    size: &io::Result<u64>,
) -> String {
    let mut lines = vec![
        format!("Machine: {machine}"),
        String::new(),
        format!(
            "Medians of {} rounds, in turns; in brackets the ratio to the bare copy, the median of the ratios of each turn. \
             A round: {} round trips and {} times {} lines of {} bytes, {} MiB of bulk in blocks of {} KiB. \
             The two clients run on the same machine.",
            sizes.rounds,
            grouped(sizes.round_trips as f64, 0),
            Test::Lines.turns(),
            grouped(sizes.lines as f64, 0),
            traffic::LINE,
            grouped((sizes.bulk >> 20) as f64, 0),
            traffic::BUFFER >> 10,
        ),
    ];
    if cfg!(debug_assertions) {
        lines.push("**Not a release build: the figures mean nothing.**".to_owned());
    }
    lines.push(String::new());
    lines.extend(table(&relays(peers, results)));
    lines.extend(remarks(peers, results));
    lines.push(String::new());
    lines.extend(server_lines(idle, starts, size));
    lines.push(String::new());
    lines.extend(table(&goals(results, idle, starts, size)));
    lines.push(String::new());
    lines.join("\n")
}

fn relays(peers: &[Peer], results: &Results) -> Vec<Vec<String>> {
    let titles = Figure::ALL.iter().map(|figure| figure.title().to_owned());
    let mut rows = vec![[String::new()].into_iter().chain(titles).collect()];
    for &peer in peers {
        let cells = Figure::ALL.iter().map(|&figure| cell(peer, figure, results));
        rows.push([peer.name().to_owned()].into_iter().chain(cells).collect());
    }
    rows
}

fn cell(peer: Peer, figure: Figure, results: &Results) -> String {
    if results.failure(peer, figure.test()).is_some() {
        return "failed".to_owned();
    }
    let Some(value) = results.median(peer, figure) else {
        return DASH.to_owned();
    };
    let value = grouped(value, figure.decimals());
    match results.ratio(peer, figure) {
        Some(ratio) if peer != Peer::BareCopy => format!("{value} ({:.2}×)", ratio.median),
        _ => value,
    }
}

/// Who is missing from the table, and why.
fn remarks(peers: &[Peer], results: &Results) -> Vec<String> {
    let mut lines = Vec::new();
    for peer in Peer::ALL {
        if !peers.contains(&peer) {
            lines.push(format!("- {} is not installed: left out", peer.name()));
        }
        for test in Test::ALL {
            if let Some(failure) = results.failure(peer, test) {
                lines.push(format!("- {}, {}: failed: {failure}", peer.name(), test.name()));
            }
        }
    }
    if !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}

fn server_lines(idle: &io::Result<Idle>, starts: &io::Result<Starts>, size: &io::Result<u64>) -> Vec<String> {
    let mut lines = vec!["chat-server alone:".to_owned(), String::new()];
    match idle {
        Ok(idle) => {
            lines.push(format!(
                "- {} idle chats at once: {} KiB of resident memory a chat when connected, \
                 {} KiB after a line each way (all arrived); {} threads a chat; {} chats set up a second",
                grouped(idle.chats as f64, 0),
                optional(idle.resident_connected, 1),
                optional(idle.resident_after_lines, 1),
                optional(idle.threads, 2),
                grouped(idle.chats_per_second, 0),
            ));
            lines.extend(idle.lowered.iter().map(|why| format!("- {why}")));
        }
        Err(error) => lines.push(format!("- idle chats: failed: {error}")),
    }
    match starts {
        Ok(starts) => lines.push(format!(
            "- start, until the log says so: {:.1} ms (median of {}; slowest {:.1} ms)",
            starts.median.as_secs_f64() * 1e3,
            starts.count,
            starts.slowest.as_secs_f64() * 1e3,
        )),
        Err(error) => lines.push(format!("- start: failed: {error}")),
    }
    match size {
        Ok(bytes) => lines.push(format!("- program: {} bytes", grouped(*bytes as f64, 0))),
        Err(error) => lines.push(format!("- program: failed: {error}")),
    }
    lines
}

/// The goals, each with what was measured. A ratio also shows the lowest and highest of all turns.
fn goals(
    results: &Results,
    idle: &io::Result<Idle>,
    starts: &io::Result<Starts>,
    size: &io::Result<u64>,
) -> Vec<Vec<String>> {
    let mut rows = vec![row(["goal", "measured", "met"])];
    let ratios = [
        ("round trip", Figure::RoundTripMedian, Bound::AtMost(1.05)),
        ("lines a second", Figure::Lines, Bound::AtLeast(1.0)),
        ("bulk one way", Figure::OneWay, Bound::AtLeast(1.2)),
        ("CPU per GiB one way", Figure::OneWayCpu, Bound::AtMost(0.7)),
        ("bulk both ways", Figure::BothWays, Bound::AtLeast(1.2)),
        ("CPU per GiB both ways", Figure::BothWaysCpu, Bound::AtMost(0.7)),
    ];
    for (name, figure, bound) in ratios {
        let ratio = results.ratio(Peer::ChatServer, figure);
        let measured = ratio.as_ref().map_or_else(
            || DASH.to_owned(),
            |ratio| format!("{:.2}× ({:.2} to {:.2})", ratio.median, ratio.lowest, ratio.highest),
        );
        let goal = format!("{name}: {} {}× the bare copy's", bound.word(), bound.value());
        rows.push(vec![goal, measured, bound.verdict(ratio.map(|ratio| ratio.median))]);
    }

    let resident = idle.as_ref().ok().and_then(|idle| idle.resident_after_lines);
    let start = starts.as_ref().ok().map(|starts| starts.median.as_secs_f64() * 1e3);
    let size = size.as_ref().ok().map(|bytes| *bytes as f64 / 1e6);
    let figures = [
        ("an idle chat", "KiB", 1, resident, Bound::AtMost(45.0)),
        ("the server's program", "MB", 2, size, Bound::Below(2.0)),
        ("start", "ms", 1, start, Bound::Below(20.0)),
    ];
    for (name, unit, decimals, value, bound) in figures {
        rows.push(vec![
            format!("{name}: {} {} {unit}", bound.word(), bound.value()),
            format!("{} {unit}", optional(value, decimals)),
            bound.verdict(value),
        ]);
    }
    rows
}

enum Bound {
    AtMost(f64),
    AtLeast(f64),
    Below(f64),
}

impl Bound {
    fn word(&self) -> &'static str {
        match self {
            Self::AtMost(_) => "at most",
            Self::AtLeast(_) => "at least",
            Self::Below(_) => "under",
        }
    }

    fn value(&self) -> f64 {
        let (Self::AtMost(value) | Self::AtLeast(value) | Self::Below(value)) = self;
        *value
    }

    fn verdict(&self, measured: Option<f64>) -> String {
        let met = measured.map(|measured| match self {
            Self::AtMost(most) => measured <= *most,
            Self::AtLeast(least) => measured >= *least,
            Self::Below(limit) => measured < *limit,
        });
        match met {
            Some(true) => "yes",
            Some(false) => "no",
            None => "not measured",
        }
        .to_owned()
    }
}

/// A Markdown table whose first row is its head, padded so that it also reads well as plain text.
fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells = row.iter().zip(&widths);
            let cells: Vec<String> = cells.map(|(cell, &width)| format!("{cell:width$}")).collect();
            format!("| {} |", cells.join(" | "))
        })
        .collect();
    let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
    lines.insert(lines.len().min(1), format!("| {} |", rule.join(" | ")));
    lines
}

fn row(cells: [&str; 3]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn optional(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| DASH.to_owned(), |value| grouped(value, decimals))
}

/// Thousands apart: 1234567.8 becomes 1,234,567.8.
fn grouped(value: f64, decimals: usize) -> String {
    let digits = format!("{value:.decimals$}");
    let (whole, fraction) = digits.find('.').map_or((digits.as_str(), ""), |point| digits.split_at(point));
    let mut text = String::new();
    for (place, digit) in (0..whole.len()).rev().zip(whole.chars()) {
        text.push(digit);
        if place > 0 && place % 3 == 0 && digit.is_ascii_digit() {
            text.push(',');
        }
    }
    text + fraction
}

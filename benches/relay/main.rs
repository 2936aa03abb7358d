//! The relay beside its peers: `cargo bench --bench relay`.
//!
//! Starts the real `chat-server` and measures, through it, what two people and two scripts would feel: how long
//! a line travels, how many lines and bytes pass in a second, and what that and an idle chat cost the machine.
//! In the same run and in turns, so that a busy moment of the machine meets all of them, the same traffic goes
//! through no relay at all (the limit), a bare copy loop (the practical limit), and the relays a person may have
//! installed. The report on stdout is Markdown; progress goes to stderr.
//!
//! It reports timings and never judges by its exit code: only a test on a quiet machine could.

#![allow(clippy::print_stderr, reason = "a program that people watch for minutes says where it is")]

mod bare_copy;
mod figures;
mod options;
mod peers;
mod process;
mod report;
mod server;
mod traffic;

use figures::{Figure, Results, Test};
use options::{Call, Sizes};
use peers::Peer;
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = match options::parse(std::env::args().skip(1)) {
        Ok(Call::Measure(sizes)) => measure(&sizes),
        Ok(Call::BareCopy) => bare_copy::serve(),
        Ok(Call::Nothing) => {
            eprintln!("nothing measured; {}", options::USAGE);
            Ok(())
        }
        Err(complaint) => {
            eprintln!("{complaint}; {}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("relay bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(sizes: &Sizes) -> io::Result<()> {
    let installed = peers::installed();
    let machine = report::machine(&installed);
    let mut results = Results::default();
    for round in 0..sizes.rounds {
        for test in Test::ALL {
            eprintln!("round {} of {}: {}", round + 1, sizes.rounds, test.name());
            for turn in 0..test.turns() {
                take_turns(test, round + turn, &installed, sizes, &mut results);
            }
        }
    }
    eprintln!("idle chats");
    let idle = server::idle_chats(sizes);
    eprintln!("starts");
    let start = server::start_times(sizes.starts);
    let size = server::binary_size();

    let text = report::text(sizes, &machine, &installed, &results, &idle, &start, &size);
    io::stdout().lock().write_all(text.as_bytes())
}

/// Runs one test of each peer.
fn take_turns(test: Test, first: usize, installed: &[Peer], sizes: &Sizes, results: &mut Results) {
    // Each turn begins with another peer, so that none always follows the same neighbour.
    let mut order = installed.to_vec();
    order.rotate_left(first % installed.len());
    for peer in order {
        // What failed once would only make everyone wait for its time limit again.
        if results.failure(peer, test).is_none() {
            match run(peer, test, sizes) {
                Ok(figures) => results.add(peer, &figures),
                Err(error) => results.fail(peer, test, &error),
            }
        }
    }
}

/// One test of one peer, in a relay process of its own, so that nothing is left over from the test before.
fn run(peer: Peer, test: Test, sizes: &Sizes) -> io::Result<Vec<(Figure, f64)>> {
    let pair = peers::join(peer)?;
    match test {
        Test::RoundTrip => {
            let times = traffic::round_trip(&pair, sizes.round_trips)?;
            Ok(vec![(Figure::RoundTripMedian, times.median), (Figure::RoundTripTail, times.tail)])
        }
        Test::Lines => Ok(vec![(Figure::Lines, traffic::lines(&pair, sizes.lines)?)]),
        Test::OneWay => {
            let bulk = traffic::bulk(&pair, sizes.bulk, false)?;
            let mut figures = vec![(Figure::OneWay, bulk.mebibytes_per_second)];
            figures.extend(bulk.cpu_per_gibibyte.map(|cpu| (Figure::OneWayCpu, cpu)));
            Ok(figures)
        }
        Test::BothWays => {
            let bulk = traffic::bulk(&pair, sizes.bulk / 2, true)?;
            let mut figures = vec![(Figure::BothWays, bulk.mebibytes_per_second)];
            figures.extend(bulk.cpu_per_gibibyte.map(|cpu| (Figure::BothWaysCpu, cpu)));
            Ok(figures)
        }
    }
}

//! Members and guests that stop reading: they are given up after half a minute, and delay nobody else until then.
#![cfg(feature = "peer")]

mod support;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ChildStdin;
use std::thread;
use std::time::{Duration, Instant};

use support::{Captured, LIMIT, Peer, Plain, Played, eventually};

/// The patience with a member that takes nothing, and how much later it may be noticed.
const PATIENCE: Duration = Duration::from_secs(30);
const LATER: Duration = Duration::from_secs(10);

/// What counts as at once, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(3);

/// More than one who does not read can take: its box, and what the system holds for both ends.
const LINES: usize = 20_000;

/// Says `LINES` lines of a kilobyte, on a thread of its own.
fn flood(mut input: ChildStdin) -> thread::JoinHandle<ChildStdin> {
    thread::spawn(move || {
        let filling = "x".repeat(1_000);
        for thousand in (1..=LINES).collect::<Vec<_>>().chunks(1_000) {
            let mut lines = String::new();
            for number in thousand {
                writeln!(lines, "flood {number} {filling}").expect("a string takes everything");
            }
            input.write_all(lines.as_bytes()).expect("it takes lines");
        }
        input
    })
}

/// Waits for the last line of the flood.
#[track_caller]
fn wait_for_the_last(output: &Captured) {
    // A kilobyte each, and who said it.
    let length = LINES * 1_000;
    let last = format!("flood {LINES} x");
    output.wait_until(LIMIT, "the whole flood", |bytes| {
        let end = bytes.get(bytes.len().saturating_sub(2_000)..).unwrap_or_default();
        bytes.len() > length && String::from_utf8_lossy(end).contains(&last)
    });
}

/// Alice, bob, and carol, all three connected.
#[track_caller]
fn three() -> (Peer, Peer, Peer) {
    let alice = Peer::alone("alice");
    let bob = Peer::dialling("bob", &[alice.port()], &[]);
    let carol = Peer::dialling("carol", &[alice.port()], &[]);
    alice.wait_for_members(&["bob", "carol"]);
    bob.wait_for_members(&["alice", "carol"]);
    carol.wait_for_members(&["alice", "bob"]);
    (alice, bob, carol)
}

/// Carol says something again and again, and is heard by the others at once, until Alice gives her notice.
#[track_caller]
fn expect_carol_to_be_heard_until(notice: &str, carol: &mut Peer, [alice, bob]: [&Peer; 2]) {
    let limit = Instant::now() + PATIENCE + LATER;
    let mut number = 0;
    let given = || alice.errors.text().contains(notice).then_some(());
    while eventually(Duration::from_millis(300), given).is_none() {
        let since = Instant::now();
        assert!(since < limit, "expected a notice: {notice}, came:\n{}", alice.errors.text());
        number += 1;
        carol.send(&format!("line {number}\n"));
        for other in [alice, bob] {
            other.output.wait_for_in_flood(&format!("carol: line {number}\n"));
        }
        assert!(since.elapsed() < AT_ONCE, "line {number} took {:?}", since.elapsed());
    }
}

#[test]
#[ignore = "35 s: the time it has to go on reading is 30 s"]
fn a_member_that_stops_reading_is_disconnected_after_30_s_and_others_are_heard_meanwhile() {
    let (mut alice, bob, mut carol) = three();
    let stalled = Played::meets(alice.port(), Played::SMALL, "lobby", "mallory");
    alice.wait_for_members(&["mallory"]);
    let since = Instant::now();
    let flooding = flood(alice.take_input());
    expect_carol_to_be_heard_until("mallory stopped reading, and was disconnected", &mut carol, [&alice, &bob]);
    assert!(since.elapsed() > PATIENCE, "expected some patience, it ended after {:?}", since.elapsed());
    // What the flood could not say while it waited, it says now.
    for peer in [&bob, &carol] {
        wait_for_the_last(&peer.output);
    }
    let errors = alice.errors.text();
    assert!(!errors.contains("bob is gone") && !errors.contains("carol is gone"), "came:\n{errors}");
    flooding.join().expect("it says everything");
    drop(stalled);
}

#[test]
fn a_guest_that_stops_reading_is_disconnected_and_delays_nothing_of_what_its_host_hears() {
    let (alice, mut bob, mut carol) = three();
    let mut guest = Plain::named(alice.port(), "gary");
    guest.expect("Connected to alice\n");
    alice.errors.wait_for("gary is here as your guest");
    let since = Instant::now();
    let flooding = flood(bob.take_input());
    let notice = "gary, your guest, stopped reading, and was disconnected";
    expect_carol_to_be_heard_until(notice, &mut carol, [&alice, &bob]);
    wait_for_the_last(&alice.output);
    assert!(since.elapsed() < PATIENCE, "expected nobody to wait for a guest, it took {:?}", since.elapsed());
    let errors = alice.errors.text();
    assert!(!errors.contains("bob is gone") && !errors.contains("carol is gone"), "came:\n{errors}");
    flooding.join().expect("it says everything");
}

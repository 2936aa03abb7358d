//! Members and guests that stop reading: they are given up after half a minute, and delay nobody else until then.
#![cfg(feature = "peer")]

mod support;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ChildStdin;
use std::thread;
use std::time::{Duration, Instant};

use support::{Captured, LIMIT, Peer, Plain, Played};

/// The patience with a member that takes nothing, and how much later it may be noticed.
const PATIENCE: Duration = Duration::from_secs(30);
const LATER: Duration = Duration::from_secs(10);

/// What counts as at once, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(3);

/// More than one who does not read can take: its box, and what the system holds for both ends.
const LINES: usize = 30_000;

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
fn wait_for_the_last(output: &Captured, limit: Duration) {
    // A kilobyte each, and who said it.
    let length = LINES * 1_000;
    let last = format!("flood {LINES} x");
    output.wait_until(limit, "the whole flood", |bytes| {
        bytes.len() > length && String::from_utf8_lossy(&bytes[bytes.len() - 2_000..]).contains(&last)
    });
}

/// Waits for a notice that comes about when patience ends.
#[track_caller]
fn wait_for_notice(peer: &Peer, since: Instant, words: &str) {
    peer.errors.wait_until(PATIENCE + LATER, words, |bytes| String::from_utf8_lossy(bytes).contains(words));
    let after = since.elapsed();
    assert!(after > PATIENCE - AT_ONCE, "expected {words} after {PATIENCE:?}, came after {after:?}");
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

/// Carol is heard by the others at once, whatever else is going on.
#[track_caller]
fn expect_carol_to_be_heard(carol: &mut Peer, others: [&Peer; 2]) {
    for number in 1..=20 {
        let since = Instant::now();
        carol.send(&format!("line {number}\n"));
        for other in others {
            other.output.wait_for_in_flood(&format!("carol: line {number}\n"));
        }
        assert!(since.elapsed() < AT_ONCE, "line {number} took {:?}", since.elapsed());
    }
}

#[test]
fn a_member_that_stops_reading_is_disconnected_and_others_are_heard_meanwhile() {
    let (mut alice, bob, mut carol) = three();
    let stalled = Played::meets(alice.port(), Played::SMALL, "lobby", "mallory");
    alice.wait_for_members(&["mallory"]);
    let since = Instant::now();
    let flooding = flood(alice.take_input());
    bob.output.wait_for_in_flood("alice: flood 1000 ");
    expect_carol_to_be_heard(&mut carol, [&alice, &bob]);
    wait_for_notice(&alice, since, "mallory stopped reading, and was disconnected");
    for peer in [&bob, &carol] {
        wait_for_the_last(&peer.output, LIMIT);
    }
    let errors = alice.errors.text();
    assert!(!errors.contains("bob is gone") && !errors.contains("carol is gone"), "came:\n{errors}");
    flooding.join().expect("it says everything");
    drop(stalled);
}

#[test]
fn what_a_script_floods_reaches_others_without_delay_while_one_stops_reading() {
    let (mut alice, bob, carol) = three();
    let stalled = Played::meets(alice.port(), Played::SMALL, "lobby", "mallory");
    alice.wait_for_members(&["mallory"]);
    let since = Instant::now();
    let flooding = flood(alice.take_input());
    for peer in [&bob, &carol] {
        wait_for_the_last(&peer.output, PATIENCE + LATER);
    }
    let after = since.elapsed();
    assert!(after < LIMIT, "expected the flood to arrive without delay, it took {after:?}");
    flooding.join().expect("it says everything");
    drop(stalled);
}

#[test]
fn a_guest_that_stops_reading_is_disconnected_and_delays_nothing_of_what_its_host_hears() {
    let (alice, mut bob, mut carol) = three();
    let mut guest = Plain::named(alice.port(), "gary");
    guest.expect("Connected to alice\n");
    alice.errors.wait_for("gary is here as your guest");
    let flooding = flood(bob.take_input());
    alice.output.wait_for_in_flood("bob: flood 1000 ");
    let since = Instant::now();
    expect_carol_to_be_heard(&mut carol, [&alice, &bob]);
    wait_for_notice(&alice, since, "gary, your guest, stopped reading, and was disconnected");
    wait_for_the_last(&alice.output, LIMIT);
    let errors = alice.errors.text();
    assert!(!errors.contains("bob is gone") && !errors.contains("carol is gone"), "came:\n{errors}");
    flooding.join().expect("it says everything");
}

//! How nodes meet without a server: by direct dial, on the local network, through a tracker, and all at once.
#![cfg(feature = "peer")]

mod support;

use std::thread;
use std::time::Duration;

use support::{Air, LIMIT, Peer, Tracker, eventually, expect_numbered, free_port, meet_all, numbered_lines};

/// How long sixteen processes on a busy machine of two cores may take.
const CROWD: Duration = Duration::from_secs(60);

/// Each says one line, and hears that of each other, once.
#[track_caller]
fn expect_everybody_hears_everybody(peers: &mut [Peer], names: &[&str]) {
    meet_all(peers, names);
    for (peer, name) in peers.iter_mut().zip(names) {
        peer.send(&format!("{name} 1\n"));
    }
    for (peer, own) in peers.iter().zip(names) {
        let others: Vec<_> = names.iter().copied().filter(|name| name != own).collect();
        expect_numbered(&peer.output, &others, 1, LIMIT);
    }
}

/// Sixteen that say a thousand lines each, all at once, as soon as each has met all others.
#[track_caller]
fn expect_sixteen_to_hear_all(mut start: impl FnMut(&str, &[Peer]) -> Peer) {
    let names: Vec<_> = (1..=16).map(|number| format!("n{number:02}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut peers = Vec::new();
    for name in &names {
        let mut peer = start(name, &peers);
        let (mut input, lines) = (peer.take_input(), numbered_lines(name, 1_000));
        // The input stays open: whoever has said everything still listens.
        thread::spawn(move || {
            support::write_in_chunks(&mut input, lines.as_bytes(), 4_000, 7).ok();
            thread::park();
        });
        peers.push(peer);
    }
    for (peer, own) in peers.iter().zip(&names) {
        let others: Vec<_> = names.iter().copied().filter(|name| name != own).collect();
        expect_numbered(&peer.output, &others, 1_000, CROWD);
    }
    meet_all(&peers, &names);
    for (peer, own) in peers.iter().zip(&names) {
        let errors = peer.errors.text();
        let others = names.iter().filter(|name| *name != own);
        let twice: Vec<_> = others.filter(|name| errors.matches(&format!("{name} is here")).count() != 1).collect();
        assert!(twice.is_empty(), "expected everybody to come once, but {twice:?} came to {own} as this:\n{errors}");
    }
}

#[test]
fn two_meet_when_one_dials_the_other() {
    let alice = Peer::alone("alice");
    let bob = Peer::dialling("bob", &[alice.port()], &[]);
    expect_everybody_hears_everybody(&mut [alice, bob], &["alice", "bob"]);
}

#[test]
fn who_dials_one_member_meets_the_others_too() {
    let alice = Peer::alone("alice");
    let bob = Peer::dialling("bob", &[alice.port()], &[]);
    let carol = Peer::dialling("carol", &[alice.port()], &[]);
    expect_everybody_hears_everybody(&mut [alice, bob, carol], &["alice", "bob", "carol"]);
}

#[test]
fn two_and_three_meet_on_the_local_network() {
    let air = Air::new();
    let [alice, bob] = ["alice", "bob"].map(|name| Peer::on_air(name, &air, &[]));
    let mut peers = vec![alice, bob];
    expect_everybody_hears_everybody(&mut peers, &["alice", "bob"]);
    peers.push(Peer::on_air("carol", &air, &[]));
    for peer in &peers[..2] {
        peer.wait_for_members(&["carol"]);
    }
    peers[2].wait_for_members(&["alice", "bob"]);
    peers[2].send("hello\n");
    for peer in &peers[..2] {
        peer.output.wait_for("carol: hello");
    }
}

#[test]
fn two_and_three_meet_through_a_tracker() {
    let tracker = Tracker::start();
    let peers = ["alice", "bob", "carol"].map(|name| Peer::tracked(name, tracker.port(), &[]));
    let mut peers = Vec::from(peers);
    expect_everybody_hears_everybody(&mut peers[..2], &["alice", "bob"]);
    meet_all(&peers, &["alice", "bob", "carol"]);
    peers[2].send("hello\n");
    for peer in &peers[..2] {
        peer.output.wait_for("carol: hello");
    }
}

#[test]
fn the_ways_of_meeting_can_be_mixed() {
    let (air, tracker) = (Air::new(), Tracker::start());
    let room = ["--room", &air.room];
    let alice = Peer::on_air("alice", &air, &[]);
    let tracker_place = format!("127.0.0.1:{}", tracker.port());
    let bob = Peer::on_air("bob", &air, &["--tracker", &tracker_place]);
    let carol = Peer::tracked("carol", tracker.port(), &room);
    let dave = Peer::dialling("dave", &[carol.port()], &room);
    expect_everybody_hears_everybody(&mut [alice, bob, carol, dave], &["alice", "bob", "carol", "dave"]);
}

#[test]
fn sixteen_that_dial_one_of_them_hear_all_that_the_others_say() {
    expect_sixteen_to_hear_all(|name, there| match there.first() {
        None => Peer::start(name, &["--listen", "127.0.0.1:0", "--wait", "15"]),
        Some(first) => Peer::dialling(name, &[first.port()], &["--wait", "15"]),
    });
}

#[test]
fn sixteen_on_the_local_network_hear_all_that_the_others_say() {
    let air = Air::new();
    expect_sixteen_to_hear_all(|name, _| Peer::on_air(name, &air, &["--wait", "15"]));
}

#[test]
fn sixteen_of_a_tracker_hear_all_that_the_others_say() {
    let tracker = Tracker::start();
    expect_sixteen_to_hear_all(|name, _| Peer::tracked(name, tracker.port(), &["--wait", "15"]));
}

#[test]
fn scripts_that_leave_as_soon_as_they_have_spoken_leave_nobody_waiting_for_ever() {
    let tracker = Tracker::start();
    let names: Vec<_> = (1..=16).map(|number| format!("n{number:02}")).collect();
    let mut peers: Vec<_> = names.iter().map(|name| Peer::tracked(name, tracker.port(), &["--wait", "15"])).collect();
    for (peer, name) in peers.iter_mut().zip(&names) {
        peer.send(&numbered_lines(name, 10));
        peer.finish();
    }
    for peer in &mut peers {
        let ended = eventually(LIMIT, || peer.has_ended().then_some(()));
        assert!(ended.is_some(), "expected it to end, it still waits:\n{}", peer.errors.text());
        peer.expect_exit(0);
    }
}

#[test]
fn rooms_are_apart_whatever_the_way() {
    let (air, tracker) = (Air::new(), Tracker::start());
    let place = format!("127.0.0.1:{}", tracker.port());
    let tea = Peer::on_air("alice", &air, &["--tracker", &place]);
    let other = Air { port: air.port, room: format!("{}x", air.room) };
    let dialled = format!("127.0.0.1:{}", tea.port());
    let stranger = Peer::on_air("mallory", &other, &["--tracker", &place, "--connect", &dialled]);
    stranger.errors.wait_for(&format!("127.0.0.1:{} will not have us: this is the room {}", tea.port(), air.room));
    let bob = Peer::on_air("bob", &air, &["--tracker", &place]);
    meet_all(&[tea, bob], &["alice", "bob"]);
    assert!(!stranger.errors.text().contains("is here"), "expected nobody, came:\n{}", stranger.errors.text());
}

#[test]
fn a_node_that_dials_itself_says_so_and_stays() {
    let port = free_port();
    let place = format!("127.0.0.1:{port}");
    let mut alice = Peer::start("alice", &["--listen", &place, "--connect", &place]);
    alice.errors.wait_for(&format!("{place} will not have us: "));
    let bob = Peer::dialling("bob", &[port], &[]);
    bob.wait_for_members(&["alice"]);
    alice.send("hello\n");
    bob.output.wait_for("alice: hello");
    assert!(!alice.errors.text().contains("alice is here"), "it met itself:\n{}", alice.errors.text());
}

#[test]
fn a_node_that_comes_later_than_who_dials_it_is_met_all_the_same() {
    let port = free_port();
    let mut bob = Peer::dialling("bob", &[port], &[]);
    bob.errors.wait_for(&format!("Cannot connect to 127.0.0.1:{port}"));
    bob.send("I am patient\n");
    let alice = Peer::start("alice", &["--listen", &format!("127.0.0.1:{port}")]);
    alice.output.wait_for("bob: I am patient");
    bob.wait_for_members(&["alice"]);
    let complaints = bob.errors.text().matches("Cannot connect").count();
    assert_eq!(complaints, 1, "(complaints that came, that were expected)\n{}", bob.errors.text());
}

#[test]
fn two_that_dial_each_other_have_one_connection_and_hear_each_line_once() {
    for round in 0..10 {
        let ports = [free_port(), free_port()];
        let places = ports.map(|port| format!("127.0.0.1:{port}"));
        let start = |name: &'static str, own: usize| {
            let (own, other) = (places[own].clone(), places[1 - own].clone());
            thread::spawn(move || Peer::start(name, &["--listen", &own, "--connect", &other]))
        };
        let [alice, bob] = [start("alice", 0), start("bob", 1)];
        let [mut alice, mut bob] = [alice, bob].map(|starting| starting.join().expect("both start"));
        alice.send(&numbered_lines("alice", 20));
        bob.send(&numbered_lines("bob", 20));
        expect_numbered(&alice.output, &["bob"], 20, LIMIT);
        expect_numbered(&bob.output, &["alice"], 20, LIMIT);
        for (peer, other) in [(&alice, "bob"), (&bob, "alice")] {
            peer.wait_for_members(&[other]);
            let met = peer.errors.text().matches(&format!("{other} is here")).count();
            assert_eq!(met, 1, "(in round {round} {other} came so often)\n{}", peer.errors.text());
        }
        alice.finish();
        alice.expect_exit(0);
        bob.errors.wait_for("alice has left");
        bob.finish();
        bob.expect_exit(0);
    }
}

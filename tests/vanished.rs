//! A host that vanishes without a word: the others hear of it within about a minute, whatever was under way.
#![cfg(all(feature = "keepalive", target_os = "linux"))]

mod support;

use std::time::Duration;

use support::{Host, LIMIT, Resident, Switch, networks_can_be_made};

/// A minute, and what a busy machine needs to say so.
const MINUTE: Duration = Duration::from_secs(75);

const SERVER: &str = env!("CARGO_BIN_EXE_chat-server");
const CLIENT: &str = env!("CARGO_BIN_EXE_chat-client");

/// A server and two clients, each on a host of its own.
struct Net {
    switch: Switch,
    bobs: Host,
    server: Resident,
    alice: Resident,
    bob: Resident,
    _others: [Host; 2],
}

#[track_caller]
fn chat() -> Net {
    let switch = Switch::new();
    let [server, alice, bobs] = ["server", "alice", "bob"].map(Host::with_ipv4_only);
    for (number, host) in (1..).zip([&server, &alice, &bobs]) {
        host.plug("eth0", &switch);
        host.address("eth0", &format!("10.74.0.{number}/24"));
    }
    let others = [server, alice];
    let server = others[0].run(SERVER, &["10.74.0.1", "8888"]);
    server.errors.wait_for("Waiting for 2 clients");
    let join = |host: &Host, nickname| host.run(CLIENT, &["10.74.0.1", "8888", "--nick", nickname]);
    let alice = join(&others[1], "alice");
    let bob = join(&bobs, "bob");
    alice.errors.wait_for("Connected to bob");
    bob.errors.wait_for("Connected to alice");
    Net { switch, bobs, server, alice, bob, _others: others }
}

#[test]
#[ignore = "60 s: keepalive takes that long"]
fn a_companion_whose_cable_is_pulled_is_lost_after_a_minute_of_silence() {
    if !networks_can_be_made() {
        return;
    }
    let net = chat();
    net.switch.pull(&net.bobs);
    net.alice.errors.wait_within(MINUTE, 1, "Connection lost");
    net.server.errors.wait_within(LIMIT, 1, "(bob) connection lost");
    net.bob.errors.wait_within(MINUTE, 1, "Connection lost");
}

#[test]
#[ignore = "60 s: words that nobody acknowledges are given up after that"]
fn a_companion_whose_cable_is_pulled_is_lost_after_a_minute_with_words_under_way() {
    if !networks_can_be_made() {
        return;
    }
    let mut net = chat();
    net.switch.pull(&net.bobs);
    net.alice.say("Are you still there?");
    net.bob.say("Are you?");
    net.alice.errors.wait_within(MINUTE, 1, "Connection lost");
    net.server.errors.wait_within(LIMIT, 1, "(bob) connection lost");
    net.bob.errors.wait_within(MINUTE, 1, "Connection lost");
}

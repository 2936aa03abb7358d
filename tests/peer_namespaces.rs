//! The local network, with hosts of their own: network namespaces, joined by a bridge.
#![cfg(all(feature = "peer", target_os = "linux"))]

mod support;

use std::time::Duration;

use support::{Host, LIMIT, Resident, Switch, networks_can_be_made};

/// Silence is noticed within this time, and whoever was out of reach is found again.
const MINUTE: Duration = Duration::from_secs(60);

/// How much each says at once.
const LINES: usize = 50;

#[test]
#[ignore = "50 s: a member that is not heard is lost after 45 s"]
fn hosts_find_each_other_by_broadcast_and_again_when_a_cable_was_out() {
    if !networks_can_be_made() {
        return;
    }
    let switch = Switch::new();
    let hosts = ["alice", "bob", "carol"].map(Host::with_ipv4_only);
    for (number, host) in (1..).zip(&hosts) {
        host.plug("eth0", &switch);
        host.address("eth0", &format!("10.73.0.{number}/24 brd +"));
    }
    let mut residents = hosts.each_ref().map(Host::chat);
    all_meet(&residents, 1, LIMIT);
    all_talk(&mut residents, "before");

    switch.pull(&hosts[0]);
    alice_is_missed(&mut residents);
    switch.put_back(&hosts[0]);
    alice_is_back(&mut residents);
}

#[test]
#[ignore = "50 s: a member that is not heard is lost after 45 s"]
fn hosts_without_an_address_of_their_own_find_each_other_by_multicast_and_again_after_one_was_off() {
    if !networks_can_be_made() {
        return;
    }
    let switch = Switch::new();
    let hosts = ["alice", "bob", "carol"].map(Host::new);
    // They have IPv6 addresses, link-local ones, and no other.
    hosts.iter().for_each(|host| host.plug("eth0", &switch));
    let mut residents = hosts.each_ref().map(Host::chat);
    all_meet(&residents, 1, LIMIT);
    all_talk(&mut residents, "before");

    // Unlike a cable that is out, it takes the address away.
    hosts[0].switch_off("eth0");
    alice_is_missed(&mut residents);
    hosts[0].switch_on("eth0");
    alice_is_back(&mut residents);
}

#[test]
fn a_host_in_two_networks_is_found_in_both() {
    if !networks_can_be_made() {
        return;
    }
    let (left, right) = (Switch::new(), Switch::new());
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(Host::new);
    alice.plug("eth0", &left);
    bob.plug("eth0", &left);
    bob.plug("eth1", &right);
    carol.plug("eth0", &right);
    // No broadcast address is set: it follows from the length of the network's.
    alice.address("eth0", "10.74.1.1/24");
    bob.address("eth0", "10.74.1.2/24");
    bob.address("eth1", "10.74.2.2/25");
    carol.address("eth0", "10.74.2.1/25");
    let mut residents = [&alice, &bob, &carol].map(Host::chat);
    residents[0].meets(&["bob"], 1, LIMIT);
    residents[1].meets(&["alice", "carol"], 1, LIMIT);
    residents[2].meets(&["bob"], 1, LIMIT);

    for number in 1..=LINES {
        residents.iter_mut().for_each(|resident| resident.say(&format!("now {number}")));
    }
    let last = format!("now {LINES}");
    residents[0].hears("bob", &last);
    residents[1].hears("alice", &last);
    residents[1].hears("carol", &last);
    residents[2].hears("bob", &last);
    let [(alice, _), (bob, told), (carol, _)] = residents.each_mut().map(Resident::leave);
    assert_said_once(&alice, "bob", "now");
    assert_said_once(&bob, "alice", "now");
    assert_said_once(&bob, "carol", "now");
    assert_said_once(&carol, "bob", "now");
    // Over IPv4 or IPv6, they are met once.
    assert_times(&told, "alice is here", 1);
    assert_times(&told, "carol is here", 1);
}

#[test]
#[ignore = "30 s: announcements are that far apart"]
fn a_node_that_was_there_before_the_network_is_found_when_that_comes_up() {
    if !networks_can_be_made() {
        return;
    }
    let switch = Switch::new();
    let hosts = ["alice", "bob"].map(Host::new);
    let mut residents = hosts.each_ref().map(Host::chat);
    for (number, host) in (1..).zip(&hosts) {
        host.plug("eth0", &switch);
        host.address("eth0", &format!("10.75.0.{number}/16 brd +"));
    }
    all_meet(&residents, 1, MINUTE);
    all_talk(&mut residents, "at last");
}

/// Everybody meets everybody, for this time around.
#[track_caller]
fn all_meet(residents: &[Resident], times: usize, limit: Duration) {
    for resident in residents {
        resident.meets(&others(residents, resident), times, limit);
    }
}

fn others(residents: &[Resident], one: &Resident) -> Vec<&'static str> {
    residents.iter().map(|other| other.name).filter(|name| *name != one.name).collect()
}

/// All talk at once, and hear all of it.
#[track_caller]
fn all_talk(residents: &mut [Resident], about: &str) {
    for number in 1..=LINES {
        residents.iter_mut().for_each(|resident| resident.say(&format!("{about} {number}")));
    }
    for resident in residents.iter() {
        others(residents, resident).iter().for_each(|other| resident.hears(other, &format!("{about} {LINES}")));
    }
}

/// Alice is out of reach: she and the others notice, and the others go on without her.
#[track_caller]
fn alice_is_missed([alice, bob, carol]: &mut [Resident; 3]) {
    alice.loses(&["bob", "carol"], MINUTE);
    bob.loses(&["alice"], MINUTE);
    carol.loses(&["alice"], MINUTE);
    bob.say("where is she?");
    carol.hears("bob", "where is she?");
}

/// She can be reached again: they talk, and at the end everybody has heard everything once.
#[track_caller]
fn alice_is_back(residents: &mut [Resident; 3]) {
    let [alice, bob, carol] = residents;
    alice.meets(&["bob", "carol"], 2, MINUTE);
    bob.meets(&["alice"], 2, MINUTE);
    carol.meets(&["alice"], 2, MINUTE);
    all_talk(residents, "after");

    for (one, (heard, told)) in ["alice", "bob", "carol"].iter().zip(residents.each_mut().map(Resident::leave)) {
        for other in ["alice", "bob", "carol"].iter().filter(|other| *other != one) {
            assert_said_once(&heard, other, "before");
            assert_said_once(&heard, other, "after");
            let alice_is_one_of_them = [one, other].contains(&&"alice");
            assert_times(&told, &format!("{other} is here"), if alice_is_one_of_them { 2 } else { 1 });
            assert_times(&told, &format!("{other} is gone"), if alice_is_one_of_them { 1 } else { 0 });
        }
    }
}

/// Every line of this person about this came once, and in order.
#[track_caller]
fn assert_said_once(heard: &[String], who: &str, about: &str) {
    let start = format!("{who}: {about} ");
    let came = heard.iter().filter_map(|line| line.strip_prefix(&start)).collect::<Vec<_>>();
    let expected = (1..=LINES).map(|number| number.to_string()).collect::<Vec<_>>();
    assert_eq!(came, expected, "(what came of {start:?}, what was expected)");
}

#[track_caller]
fn assert_times(told: &[String], text: &str, times: usize) {
    let came = told.iter().filter(|line| line.contains(text)).count();
    assert_eq!(came, times, "(how often {text:?} came, was expected) in:\n{}", told.join("\n"));
}

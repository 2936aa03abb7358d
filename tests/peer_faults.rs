//! What hostile members, trackers and strangers cannot do to a node.
#![cfg(feature = "peer")]

mod support;

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::{
    Air, LIMIT, Peer, Plain, Played, Tracker, accept_one, eventually, expect_numbered, numbered_lines, read_line,
};

/// What a flood may leave behind, in KiB: tables of bounded size, buffers, and the stacks of threads.
const SLACK: usize = 16 << 10;

/// Ports that no test listens on: they are outside of the range from which the system takes free ones.
fn forged_port(number: u32) -> u32 {
    10_000 + number % 20_000
}

/// Alice, and a member that dialled her.
#[track_caller]
fn alice_and_bob() -> (Peer, Peer) {
    let alice = Peer::alone("alice");
    let bob = Peer::dialling("bob", &[alice.port()], &[]);
    alice.wait_for_members(&["bob"]);
    bob.wait_for_members(&["alice"]);
    (alice, bob)
}

/// Both still hear each other.
#[track_caller]
fn expect_the_chat_goes_on(alice: &mut Peer, bob: &mut Peer, words: &str) {
    alice.send(&format!("{words}\n"));
    bob.output.wait_for(&format!("alice: {words}"));
    bob.send(&format!("{words}\n"));
    alice.output.wait_for(&format!("bob: {words}"));
}

/// A listener that counts who comes, and hangs up.
fn counting_listener() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("the listener has an address");
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for caller in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(caller);
        }
    });
    (address, count)
}

/// The number with which a node introduces itself.
#[track_caller]
fn number_of(peer: &Peer, room: &str) -> u64 {
    let mut asking = Played::introduces(peer.port(), Played::SMALL + 77, room, "somebody");
    let hello = asking.wire.line();
    let number = hello.split(' ').nth(2).and_then(|number| u64::from_str_radix(number, 16).ok());
    number.unwrap_or_else(|| panic!("expected an introduction, came: {hello}"))
}

#[test]
fn a_hundred_thousand_forged_announcements_cost_little_and_disturb_nobody() {
    let air = Air::new();
    let [mut alice, mut bob] = ["alice", "bob"].map(|name| Peer::on_air(name, &air, &[]));
    alice.wait_for_members(&["bob"]);
    bob.wait_for_members(&["alice"]);
    expect_the_chat_goes_on(&mut alice, &mut bob, "before it");
    let (counted, count) = counting_listener();
    let before = alice.figures();
    let started = Instant::now();
    let flooding = {
        let ((socket, all), room) = (air.shouting(), air.room.clone());
        thread::spawn(move || {
            for number in 0..100_000_u32 {
                let forged = if number % 100 == 0 { u32::from(counted.port()) } else { forged_port(number) };
                let announcement = format!("p2p-chat 1 {:016x} {forged} {room}", u64::from(number) << 20);
                // A full queue loses datagrams, as a network does.
                let _ = socket.send_to(announcement.as_bytes(), all);
            }
        })
    };
    alice.send(&numbered_lines("alice", 500));
    bob.send(&numbered_lines("bob", 500));
    bob.output.wait_for("alice: alice 500");
    alice.output.wait_for("bob: bob 500");
    flooding.join().expect("it sends to its end");
    expect_the_chat_goes_on(&mut alice, &mut bob, "behind it");
    let came = eventually(LIMIT, || (count.load(Ordering::SeqCst) > 0).then_some(()));
    assert!(came.is_some(), "expected that an announced address is dialled");
    let (dials, seconds) = (count.load(Ordering::SeqCst), started.elapsed().as_secs());
    // Two nodes, each at most once in ten seconds.
    let most = 2 * (1 + usize::try_from(seconds).expect("a few") / 10);
    assert!(dials <= most, "expected at most {most} dials in {seconds} s, came {dials}");
    let after = alice.figures();
    assert!(after.resident_kib < before.resident_kib + SLACK, "before: {before:?}\n after: {after:?}");
    let mut carol = Peer::on_air("carol", &air, &["--wait", "2"]);
    carol.send("and I came later\n");
    for peer in [&alice, &bob] {
        peer.output.wait_for("carol: and I came later");
        assert!(!peer.errors.text().contains("Cannot"), "came:\n{}", peer.errors.text());
    }
}

#[test]
fn announcements_that_are_none_or_not_for_us_are_passed_over() {
    let air = Air::new();
    let alice = Peer::on_air("alice", &air, &[]);
    let own = number_of(&alice, &air.room);
    let (counted, count) = counting_listener();
    let (socket, all) = air.shouting();
    let (port, room) = (counted.port(), &air.room);
    let good = format!("p2p-chat 1 00000000000000aa {port} {room}");
    let garbage = [
        b"".to_vec(),
        b"\xff\xfe\x00\x01".to_vec(),
        vec![b'x'; 60_000],
        format!("{good}{}", " ".repeat(200)).into(),
        format!("{good}{}", "x".repeat(1_000)).into(),
        format!("p2p-chat 2 00000000000000aa {port} {room}").into(),
        format!("P2P-CHAT 1 00000000000000aa {port} {room}").into(),
        format!("p2p-chat 1 aa {port} {room}").into(),
        format!("p2p-chat 1 00000000000000aa 0 {room}").into(),
        format!("p2p-chat 1 00000000000000aa 65536 {room}").into(),
        format!("p2p-chat 1 00000000000000aa {port} other-{room}").into(),
        format!("p2p-chat 1 00000000000000aa {port} {room} more").into(),
        format!("p2p-chat 1 {own:016x} {port} {room}").into(),
    ];
    for datagram in &garbage {
        socket.send_to(datagram, all).expect("loopback takes a datagram");
    }
    // Datagrams are heard one after the other: when this one is dialled, the others were heard.
    let (other, other_count) = counting_listener();
    let good = format!("p2p-chat 1 00000000000000ab {} {room}", other.port());
    socket.send_to(good.as_bytes(), all).expect("loopback takes a datagram");
    let dialled = eventually(LIMIT, || (other_count.load(Ordering::SeqCst) == 1).then_some(()));
    assert!(dialled.is_some(), "expected that a good announcement is dialled");
    assert_eq!(count.load(Ordering::SeqCst), 0, "(dials because of what is no announcement, expected none)");
    assert_eq!(alice.errors.text().lines().count(), 2, "came:\n{}", alice.errors.text());
}

#[test]
fn a_member_cannot_speak_in_anothers_name() {
    let (alice, _bob) = alice_and_bob();
    let mut mallory = Played::meets(alice.port(), Played::SMALL, "lobby", "mallory");
    alice.wait_for_members(&["mallory"]);
    mallory
        .send("/say one\nbob: forged\n/say bob: forged\n/say /say bob: forged\nsay bob: forged\n /say bob: forged\n");
    mallory.send("/guest bob: forged\n/guest bob bob: forged\n/to bob: forged\n/say two\r\n/say over\n");
    alice.output.wait_for("mallory: over");
    assert_eq!(
        alice.output.lines(),
        [
            "mallory: one",
            "mallory: bob: forged",
            "mallory: /say bob: forged",
            "bob: (guest of mallory): forged",
            "bob (guest of mallory): bob: forged",
            "mallory (to you): bob: forged",
            "mallory: two",
            "mallory: over",
        ]
    );
}

#[test]
fn a_carriage_return_begins_no_line_in_a_script() {
    let (alice, bob) = alice_and_bob();
    let mut mallory = Played::meets(alice.port(), Played::SMALL, "lobby", "mallory");
    alice.wait_for_members(&["mallory"]);
    mallory.send("/say one\rbob: forged\n/to two\rbob: forged\n/guest gary three\rbob: forged\n/say over\n");
    alice.output.wait_for("mallory: over");
    // Many programs take a CR for the end of a line, and a terminal overwrites what stands before it.
    let came = alice.output.text();
    let forged = came.split(['\n', '\r']).any(|line| line.starts_with("bob: "));
    assert!(!forged, "expected nothing that begins as if bob said it, came: {came:?}");
    drop(bob);
}

#[test]
fn escape_codes_of_a_member_do_not_reach_a_guest() {
    let alice = Peer::alone("alice");
    let mut guest = Plain::named(alice.port(), "gary");
    guest.expect("Connected to alice\n");
    let mut mallory = Played::meets(alice.port(), Played::SMALL, "lobby", "mallory");
    mallory.send("/say \x1b[2J\x1b]0;owned\x07red\rbob: forged\u{202e}\n/guest gary \x1b[2J\n/to \x1b[2J\n/say over\n");
    guest.expect("mallory: \\u{1b}[2J\\u{1b}]0;owned\\u{7}red\\u{d}bob: forged\\u{202e}\n");
    guest.expect("gary (guest of mallory): \\u{1b}[2J\nmallory: over\n");
}

#[test]
fn who_claims_to_be_a_member_that_is_there_does_not_take_its_place() {
    // Only the one with the smaller number chooses between connections: play until it is bob.
    let (alice, mut bob, number) = eventually(LIMIT, || {
        let (alice, bob) = alice_and_bob();
        let (alices, bobs) = (number_of(&alice, "lobby"), number_of(&bob, "lobby"));
        (bobs < alices).then_some((alice, bob, bobs))
    })
    .expect("one of two is smaller in every second try");
    let from = SocketAddr::from(([127, 0, 0, 2], 0));
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&from.into()).expect("all of 127.0.0.0/8 is this machine");
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], alice.port())).into()).expect("alice listens");
    let mut mallory = TcpStream::from(socket);
    mallory.set_read_timeout(Some(LIMIT)).expect("a stream takes a limit");
    mallory.write_all(format!("/peer 1 {number:016x} 0 1 lobby bob\n/adopt\n/say forged\n").as_bytes()).expect("sent");
    mallory.shutdown(Shutdown::Write).expect("a connected socket can be half-closed");
    // Whatever she is told, it ends.
    let _ = std::io::copy(&mut mallory, &mut std::io::sink());
    bob.send("it is still me\n");
    alice.output.wait_for("it is still me");
    assert_eq!(alice.output.text(), "bob: it is still me\n", "(what alice heard, what bob said)");
}

#[test]
fn a_node_is_not_taken_in_from_another_room_version_or_as_oneself() {
    let alice = Peer::alone("alice");
    let number = number_of(&alice, "lobby");
    for (hello, words) in [
        ("/peer 1 00000000000000aa 0 1 tea mallory", "this is the room lobby"),
        ("/peer 2 00000000000000aa 0 1 lobby mallory", "this node speaks another version"),
        ("/peer 1 aa 0 1 lobby mallory", "this node speaks another version"),
        ("/peer 1 00000000000000aa 0 1 lobby two words", "this node speaks another version"),
        ("/peer 1 00000000000000aa 0 1 lobby", "this node speaks another version"),
        ("/peer ", "this node speaks another version"),
        (&format!("/peer 1 {number:016x} 0 1 lobby mallory"), "that is yourself"),
    ] {
        let mut mallory = Plain::connect(alice.port());
        mallory.expect("Enter your nickname: ");
        mallory.send(format!("{hello}\n"));
        mallory.expect_refusal(words);
    }
    assert_eq!(alice.errors.text().lines().count(), 1, "came:\n{}", alice.errors.text());
}

#[test]
fn garbage_from_a_member_is_passed_over() {
    let (mut alice, mut bob) = alice_and_bob();
    let mut mallory = Played::meets(alice.port(), Played::SMALL, "lobby", "mallory");
    alice.wait_for_members(&["mallory"]);
    mallory.send("/adopt\n/adopt\n/peer 1 00000000000000aa 0 1 lobby bob\n/\n\n/nonsense\n/told-all\n/told 1 bob: x\n");
    mallory.send("/know\n/know x y z\n/know 00000000000000aa 127.0.0.1:0 nobody\n/bye bye\n/history of it\n");
    mallory.send(b"\x00\xff\xfe\n/guest\n/guest /x y\n/told 99999999999999999999 x\n");
    mallory.send("/say over\n");
    alice.output.wait_for("mallory: over");
    assert_eq!(alice.output.lines(), ["mallory: over"]);
    expect_the_chat_goes_on(&mut alice, &mut bob, "nothing happened");
    assert!(!alice.errors.text().contains("mallory is gone"), "came:\n{}", alice.errors.text());
}

#[test]
fn a_line_longer_than_any_ends_the_connection_and_takes_no_memory() {
    let (mut alice, mut bob) = alice_and_bob();
    for (round, start) in ["/say ", "", "/know "].iter().enumerate() {
        let mut mallory = Played::meets(alice.port(), Played::SMALL + 1, "lobby", "mallory");
        alice.errors.wait_for_line(round + 1, "mallory is here");
        let before = alice.figures();
        mallory.send(start);
        // It hangs up in the middle of it.
        let chunk = vec![b'x'; 64 * 1024];
        let taken = (0..1_000).take_while(|_| mallory.wire.try_send(&chunk)).count();
        assert!(taken < 1_000, "expected to be disconnected, 64 MB were taken");
        alice.errors.wait_for_line(round + 1, "mallory is gone");
        let after = alice.figures();
        assert!(after.resident_kib < before.resident_kib + SLACK, "before: {before:?}\n after: {after:?}");
    }
    expect_the_chat_goes_on(&mut alice, &mut bob, "nothing happened");
    assert_eq!(alice.output.lines().len(), 1, "came:\n{}", alice.output.text());
}

#[test]
fn the_longest_message_between_members_passes() {
    let alice = Peer::alone("alice");
    let mut mallory = Played::meets(alice.port(), Played::LARGE, "lobby", "mallory");
    let text = "x".repeat(64 * 1024);
    mallory.send(format!("/say {text}\n/say over\n"));
    alice.output.wait_for("mallory: over");
    assert_eq!(alice.output.text().len(), "mallory: \nmallory: over\n".len() + text.len());
}

#[test]
fn a_flood_of_members_that_are_none_takes_little_memory_and_the_chat_goes_on() {
    let (mut alice, mut bob) = alice_and_bob();
    let mut mallory = Played::meets(alice.port(), Played::SMALL, "lobby", "mallory");
    alice.wait_for_members(&["mallory"]);
    let before = alice.figures();
    for thousand in 0..100_u32 {
        let lines: String = (0..1_000)
            .map(|one| {
                let number = thousand * 1_000 + one;
                let place = format!("127.0.{}.{}:{}", thousand % 250, one % 250 + 1, forged_port(number));
                format!("/know {:016x} {place} nobody{number}\n", u64::from(number) << 16)
            })
            .collect();
        mallory.send(lines);
        if thousand % 20 == 0 {
            expect_the_chat_goes_on(&mut alice, &mut bob, &format!("{thousand}"));
        }
    }
    mallory.send("/say over\n");
    alice.output.wait_for("mallory: over");
    let carol = Peer::dialling("carol", &[bob.port()], &[]);
    carol.wait_for_members(&["alice", "bob"]);
    let after = alice.figures();
    assert!(after.resident_kib < before.resident_kib + SLACK, "before: {before:?}\n after: {after:?}");
    let said = alice.errors.text().lines().count();
    assert!(said < 2_000, "expected a bounded number of complaints, came {said}");
}

#[test]
fn the_threads_and_descriptors_of_those_who_came_and_went_are_given_back() {
    let (mut alice, mut bob) = alice_and_bob();
    // All threads between them run once each has heard the other.
    expect_the_chat_goes_on(&mut alice, &mut bob, "hello");
    let before = alice.figures();
    for round in 0..200 {
        let mut mallory = Played::meets(alice.port(), Played::SMALL + round % 7, "lobby", "mallory");
        match round % 3 {
            0 => drop(mallory),
            1 => mallory.send("/say hello\n/bye\n"),
            _ => {
                let mut guest = Plain::named(alice.port(), &format!("gary{round}"));
                guest.expect("Connected to alice\n");
            }
        }
    }
    let as_before = eventually(2 * LIMIT, || {
        let now = alice.figures();
        (now.threads <= before.threads
            && now.descriptors <= before.descriptors
            && now.resident_kib < before.resident_kib + SLACK)
            .then_some(())
    });
    assert!(as_before.is_some(), "expected about: {before:?}\n          came: {:?}", alice.figures());
}

#[test]
fn silent_connections_do_not_keep_a_newcomer_away() {
    let alice = Peer::alone("alice");
    let silent: Vec<_> = (0..300).map(|_| Plain::connect(alice.port())).collect();
    let mut bob = Peer::dialling("bob", &[alice.port()], &[]);
    bob.send("hello\n");
    alice.output.wait_for("bob: hello");
    assert_eq!(silent.len(), 300);
}

/// A tracker that the test plays: greets who comes, and hears who it is.
#[track_caller]
fn play_the_tracker(listener: &TcpListener) -> TcpStream {
    let mut node = accept_one(listener);
    node.write_all(b"Enter your nickname: ").expect("it listens");
    let hello = read_line(&mut node);
    assert!(hello.starts_with("/peer 1 "), "expected an introduction, came: {hello}");
    node
}

#[test]
fn a_tracker_makes_a_node_dial_and_nothing_else() {
    let tracker = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = tracker.local_addr().expect("it has an address").port();
    let alice = Peer::tracked("alice", port, &[]);
    let mut node = play_the_tracker(&tracker);
    let (counted, count) = counting_listener();
    let lines = format!(
        "/ping\n/say forged\n/to forged\n/told 1 bob: forged\n/guest a forged\n/adopt\n/bye\n/history\n\x1b[2J\n{}\n\
        /member 00000000000000aa {counted} \x1b[2J\n/member 00000000000000aa 127.0.0.1:0 nobody\n/member x\n\
        /gone 00000000000000aa\n/gone x\n/ping\n/member 00000000000000aa {counted} mallory\n",
        "x".repeat(100_000)
    );
    node.write_all(lines.as_bytes()).expect("it reads");
    let dialled = eventually(LIMIT, || (count.load(Ordering::SeqCst) > 0).then_some(()));
    assert!(dialled.is_some(), "expected that it dials whom the tracker names");
    alice.errors.wait_for(&format!("Cannot reach mallory at {counted}: "));
    assert_eq!(alice.output.text(), "");
    assert_eq!(alice.errors.text().lines().count(), 3, "came:\n{}", alice.errors.text());
}

#[test]
fn a_tracker_that_names_a_hundred_thousand_takes_little_memory() {
    let tracker = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = tracker.local_addr().expect("it has an address").port();
    let mut alice = Peer::tracked("alice", port, &[]);
    let mut node = play_the_tracker(&tracker);
    node.write_all(b"/ping\n").expect("it reads");
    let mut bob = Peer::dialling("bob", &[alice.port()], &[]);
    alice.wait_for_members(&["bob"]);
    let before = alice.figures();
    for number in 0..100_000_u32 {
        let place = format!("127.0.{}.{}:{}", number / 400 % 250, number % 250 + 1, forged_port(number));
        let line = format!("/member {:016x} {place} nobody{number}\n", u64::from(number) << 16);
        node.write_all(line.as_bytes()).expect("it reads");
    }
    expect_the_chat_goes_on(&mut alice, &mut bob, "nothing happened");
    let after = alice.figures();
    assert!(after.resident_kib < before.resident_kib + SLACK, "before: {before:?}\n after: {after:?}");
}

#[test]
fn something_else_than_a_tracker_or_a_node_is_said_once_and_the_chat_goes_on() {
    let strange = support::impostor(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let place = strange.to_string();
    for way in ["--tracker", "--connect"] {
        let mut alice = Peer::start("alice", &[way, &place]);
        alice.errors.wait_for("that is no chat-peer");
        let mut bob = Peer::dialling("bob", &[alice.port()], &[]);
        alice.wait_for_members(&["bob"]);
        expect_the_chat_goes_on(&mut alice, &mut bob, "all the same");
        assert_eq!(alice.errors.text().matches("trying again").count(), 1, "came:\n{}", alice.errors.text());
    }
}

#[test]
fn a_tracker_that_is_killed_is_missed_once_and_welcomed_once_and_the_chat_goes_on() {
    let mut tracker = Tracker::start();
    let port = tracker.port();
    let mut alice = Peer::tracked("alice", port, &[]);
    let mut bob = Peer::tracked("bob", port, &[]);
    alice.wait_for_members(&["bob"]);
    bob.wait_for_members(&["alice"]);
    tracker.kill();
    for peer in [&alice, &bob] {
        peer.errors.wait_for(&format!("Tracker 127.0.0.1:{port}: "));
    }
    expect_the_chat_goes_on(&mut alice, &mut bob, "without it");
    // It is gone for a few of their attempts.
    let gone = Instant::now();
    eventually(LIMIT, || (gone.elapsed() > Duration::from_secs(3)).then_some(())).expect("time passes");
    let again = Tracker::at(port);
    for peer in [&alice, &bob] {
        peer.errors.wait_for(&format!("Found the tracker 127.0.0.1:{port} again"));
    }
    let mut carol = Peer::tracked("carol", again.port(), &["--wait", "2"]);
    carol.send("and I came later\n");
    for peer in [&alice, &bob] {
        peer.output.wait_for("carol: and I came later");
        let errors = peer.errors.text();
        assert_eq!(errors.matches("trying again").count(), 1, "(complaints, expected one)\n{errors}");
        let welcomes = errors.matches(&format!("Found the tracker 127.0.0.1:{port}\n")).count();
        let welcomes_back = errors.matches(&format!("Found the tracker 127.0.0.1:{port} again\n")).count();
        assert_eq!((welcomes, welcomes_back), (1, 1), "(first, again)\n{errors}");
        assert!(!errors.contains("gone:"), "expected nobody to be gone, came:\n{errors}");
    }
    expect_numbered(&carol.output, &[], 0, LIMIT);
}

#[test]
fn a_member_that_is_lost_is_dialled_again_where_it_said_it_can_be_and_one_that_left_is_not() {
    for (last_word, dialled_again) in [("", true), ("/bye\n", false)] {
        let alice = Peer::alone("alice");
        let (address, count) = counting_listener();
        let mut mallory = Plain::connect(alice.port());
        mallory.expect("Enter your nickname: ");
        mallory.send(format!("/peer 1 {:016x} {} 1 lobby mallory\n", Played::SMALL, address.port()));
        mallory.line();
        mallory.send(format!("/adopt\n{last_word}"));
        alice.wait_for_members(&["mallory"]);
        drop(mallory);
        if dialled_again {
            alice.errors.wait_for("mallory is gone: connection lost");
            alice.errors.wait_for(&format!("Cannot reach mallory at {address}: "));
        } else {
            alice.errors.wait_for("mallory has left");
            // Whoever comes later is dialled now; mallory would have been before.
            let later = Peer::alone("later");
            let mut bob = Played::meets(alice.port(), Played::LARGE, "lobby", "bob");
            bob.send(format!("/know 00000000000000aa 127.0.0.1:{} later\n", later.port()));
            alice.wait_for_members(&["bob", "later"]);
        }
        assert_eq!(count.load(Ordering::SeqCst) > 0, dialled_again, "(whether it was dialled)");
    }
}

//! The tracker: who is told of whom, what it withstands, and how it stops.
#![cfg(feature = "peer")]

mod support;

use std::time::{Duration, Instant};

use support::{End, LIMIT, Listed, Peer, Plain, Tracker, eventually};

#[test]
fn each_is_told_who_was_there_and_who_comes_and_goes() {
    let tracker = Tracker::start();
    let port = tracker.port();
    let mut alice = Listed::joins(port, 1, "lobby", "alice", &[]);
    let mut bob = Listed::joins(port, 2, "lobby", "bob", &[&alice]);
    alice.expect_arrival(&bob);
    let carol = Listed::joins(port, 3, "lobby", "carol", &[&alice, &bob]);
    alice.expect_arrival(&carol);
    bob.expect_arrival(&carol);
    let Listed { wire, .. } = &carol;
    wire.stream().shutdown(std::net::Shutdown::Both).expect("it is connected");
    alice.expect_gone(&carol);
    bob.expect_gone(&carol);
    let dave = Listed::joins(port, 4, "lobby", "dave", &[&alice, &bob]);
    alice.expect_arrival(&dave);
    bob.expect_arrival(&dave);
}

#[test]
fn who_disconnects_is_gone_at_once_however_it_ends() {
    let tracker = Tracker::start();
    let port = tracker.port();
    let mut alice = Listed::joins(port, 1, "lobby", "alice", &[]);
    let mut ends: [fn(Listed); 3] = [
        drop,
        |mut listed| listed.wire.finish(),
        |mut listed| {
            // The answer lies unread when it closes: a reset.
            listed.wire.send("/ping\n");
            listed.wire.reset();
        },
    ];
    for (number, end) in (2..).zip(&mut ends) {
        let listed = Listed::joins(port, number, "lobby", "bob", &[&alice]);
        alice.expect_arrival(&listed);
        let since = Instant::now();
        end(listed);
        alice.wire.expect(&format!("/gone {number:016x}\n"));
        assert!(since.elapsed() < Duration::from_secs(2), "expected it at once, came after {:?}", since.elapsed());
    }
}

#[test]
fn a_sign_of_life_is_answered() {
    let tracker = Tracker::start();
    let mut alice = Listed::joins(tracker.port(), 1, "lobby", "alice", &[]);
    for _ in 0..3 {
        alice.wire.send("/ping\n");
        alice.wire.expect("/ping\n");
    }
}

#[test]
fn rooms_are_apart() {
    let tracker = Tracker::start();
    let port = tracker.port();
    let mut alice = Listed::joins(port, 1, "tea", "alice", &[]);
    let mut bob = Listed::joins(port, 2, "coffee", "bob", &[]);
    let carol = Listed::joins(port, 3, "tea", "carol", &[&alice]);
    alice.expect_arrival(&carol);
    bob.wire.send("/ping\n");
    bob.wire.expect("/ping\n");
}

#[test]
fn a_nickname_and_garbage_are_refused_with_a_hint() {
    let tracker = Tracker::start();
    for words in [
        &b"alice\n"[..],
        b"\n",
        b"/peer\n",
        b"/peer 2 0000000000000001 1 1 lobby alice\n",
        b"/peer 1 1 1 1 lobby alice\n",
        b"/peer 1 0000000000000001 70000 1 lobby alice\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\xff\xfe\x00\x01\n",
        &[b'x'; 600],
        &[b'\n'; 600],
    ] {
        let mut stranger = Plain::connect(tracker.port());
        stranger.expect("Enter your nickname: ");
        stranger.send(words);
        stranger.expect_refusal("this is a tracker: chat-peer NAME --tracker HOST:PORT");
    }
}

#[test]
fn garbage_and_long_lines_of_a_member_are_passed_over_in_bounded_memory() {
    let tracker = Tracker::start();
    let port = tracker.port();
    let mut alice = Listed::joins(port, 1, "lobby", "alice", &[]);
    let mut bob = Listed::joins(port, 2, "lobby", "bob", &[&alice]);
    alice.expect_arrival(&bob);
    let before = tracker.figures();
    bob.wire.send("/member 0000000000000003 127.0.0.1:1 mallory\n/gone 0000000000000001\n/say hello\n\n\x00\x1b[2J\n");
    bob.wire.send("/peer 1 0000000000000009 7 1 lobby mallory\n");
    let chunk = vec![b'x'; 1 << 20];
    (0..20).for_each(|_| bob.wire.send(&chunk));
    bob.wire.send("\n/ping\n");
    bob.wire.expect("/ping\n");
    alice.wire.send("/ping\n");
    alice.wire.expect("/ping\n");
    let after = tracker.figures();
    assert!(after.resident_kib < before.resident_kib + (4 << 10), "before: {before:?}\n after: {after:?}");
}

#[test]
fn the_line_end_may_be_crlf_and_come_in_pieces() {
    let tracker = Tracker::start();
    let mut alice = Plain::connect(tracker.port());
    alice.expect("Enter your nickname: ");
    for piece in ["/peer 1 00000000", "00000001 7 1 lob", "by alice\r", "\n/pi", "ng\r\n"] {
        alice.send(piece);
    }
    alice.expect("/ping\n/ping\n");
}

#[test]
fn a_member_that_never_reads_does_not_keep_hundreds_from_coming_and_going() {
    let tracker = Tracker::start();
    let port = tracker.port();
    let stalled = Listed::joins(port, 1, "lobby", "mallory", &[]);
    let mut alice = Listed::introduces(port, 2, "lobby", "alice");
    assert_eq!(alice.list(), [stalled.member.as_str()]);
    let since = Instant::now();
    for number in 3..400 {
        let mut member = Listed::introduces(port, number, "lobby", &format!("member{number}"));
        assert_eq!(member.list().len(), 2, "(who is told of, mallory and alice)");
        alice.expect_arrival(&member);
        drop(member);
        alice.wire.expect(&format!("/gone {number:016x}\n"));
    }
    assert!(since.elapsed() < LIMIT, "expected no delay, it took {:?}", since.elapsed());
    drop(stalled);
}

#[test]
fn a_member_that_stops_reading_is_off_the_list_when_it_can_take_no_more() {
    let tracker = Tracker::start();
    let port = tracker.port();
    let mut stalled = Listed::joins(port, 1, "lobby", "mallory", &[]);
    let mut alice = Listed::introduces(port, 2, "lobby", "alice");
    assert_eq!(alice.list(), [stalled.member.as_str()]);
    // Each sign of life is answered: the answers fill what the system holds for it.
    let pings = "/ping\n".repeat(100_000);
    while stalled.wire.try_send(&pings) {}
    alice.expect_gone(&stalled);
    tracker.wait_for_logs(1, "Client 1 (mallory, room lobby) ");
}

#[test]
fn five_hundred_silent_connections_do_not_keep_two_nodes_from_meeting() {
    let tracker = Tracker::start();
    let silent: Vec<_> = (0..500).map(|_| Plain::connect(tracker.port())).collect();
    let mut alice = Peer::tracked("alice", tracker.port(), &[]);
    let bob = Peer::tracked("bob", tracker.port(), &[]);
    alice.send("hello\n");
    bob.output.wait_for("alice: hello");
    assert_eq!(silent.len(), 500);
}

#[test]
fn a_room_that_is_full_refuses_and_takes_in_again_when_one_leaves() {
    let tracker = Tracker::start();
    let port = tracker.port();
    let mut members: Vec<_> = (1..=256)
        .map(|number| {
            let mut member = Listed::introduces(port, number, "lobby", "member");
            assert_eq!(member.list().len() as u64, number - 1, "(who is told of, who is there)");
            member
        })
        .collect();
    let mut late = Listed::introduces(port, 300, "lobby", "late");
    late.wire.expect_refusal("the room is full");
    let _elsewhere = Listed::joins(port, 301, "tea", "late", &[]);
    drop(members.pop());
    members[0].wire.send("/ping\n");
    let gone = eventually(LIMIT, || (members[0].wire.line() == format!("/gone {:016x}", 256)).then_some(()));
    assert!(gone.is_some(), "expected it to be gone");
    let mut late = Listed::introduces(port, 302, "lobby", "late");
    assert_eq!(late.list().len(), 255, "(who is told of, who is there)");
}

#[cfg(unix)]
#[test]
fn a_signal_stops_it_in_order() {
    for signal in ["INT", "TERM", "HUP"] {
        let mut tracker = Tracker::start();
        let mut alice = Listed::joins(tracker.port(), 1, "lobby", "alice", &[]);
        let mut silent = Plain::connect(tracker.port());
        silent.expect("Enter your nickname: ");
        tracker.signal(signal);
        let (last, end) = alice.wire.rest();
        assert_eq!((last.as_str(), end), ("Chat refused: the tracker is stopping\n", End::Orderly));
        assert_eq!(tracker.exit_code(), Some(0), "log:\n{}", tracker.log());
        tracker.wait_for_logs(1, "🛑 Tracker stopped");
    }
}

#[cfg(unix)]
#[test]
fn a_tracker_that_stops_in_order_is_missed_once_too() {
    let mut tracker = Tracker::start();
    let mut alice = Peer::tracked("alice", tracker.port(), &[]);
    let bob = Peer::tracked("bob", tracker.port(), &[]);
    alice.wait_for_members(&["bob"]);
    tracker.signal("INT");
    assert_eq!(tracker.exit_code(), Some(0));
    for peer in [&alice, &bob] {
        peer.errors.wait_for("the tracker is stopping; the chat goes on without it (trying again)");
    }
    alice.send("hello\n");
    bob.output.wait_for("alice: hello");
}

#[test]
fn it_says_who_comes_and_goes() {
    let tracker = Tracker::start();
    let alice = Listed::joins(tracker.port(), 1, "tea", "alice", &[]);
    tracker.wait_for_logs(1, "👤 Client 1 nickname: alice (room tea, 1 there)");
    drop(alice);
    tracker.wait_for_logs(1, "👋 Client 1 (alice, room tea) left");
    drop(Plain::connect(tracker.port()));
    // Its number is the first one's when that is free again.
    tracker.wait_for_logs(2, " left");
}

#[test]
fn the_threads_and_descriptors_of_those_who_came_and_went_are_given_back() {
    let tracker = Tracker::start();
    drop(Listed::joins(tracker.port(), 1, "lobby", "alice", &[]));
    tracker.wait_for_logs(1, "(alice, room lobby) left");
    let before = tracker.figures();
    for round in 0..500_u64 {
        let listed = Listed::introduces(tracker.port(), round, &format!("room{round}"), "alice");
        if round % 2 == 0 {
            tracker.wait_for_logs(1, &format!("nickname: alice (room room{round}, 1 there)"));
        }
        drop(listed);
    }
    let as_before = eventually(LIMIT, || {
        let now = tracker.figures();
        let memory = now.resident_kib < before.resident_kib + (4 << 10);
        (now.threads <= before.threads && now.descriptors <= before.descriptors && memory).then_some(())
    });
    assert!(as_before.is_some(), "expected about: {before:?}\n          came: {:?}", tracker.figures());
}

#[test]
fn a_start_that_cannot_work_is_one_clear_line() {
    let tracker = Tracker::start();
    let port = tracker.port().to_string();
    let (code, errors, _) = Tracker::run(&["127.0.0.1", &port]);
    assert!(
        code == Some(1) && errors.lines().count() == 1 && errors.contains("; stop the program that has it"),
        "came {code:?}, stderr:\n{errors}"
    );
    let (code, errors, _) = Tracker::run(&["no-such-host.invalid", "0"]);
    assert!(
        code == Some(1) && errors.lines().count() == 1 && errors.contains("cannot find the host"),
        "came {code:?}, stderr:\n{errors}"
    );
    for arguments in [&["127.0.0.1", "65536"][..], &["127.0.0.1", "x"], &["--members", "0"], &["--nonsense"]] {
        let (code, errors, _) = Tracker::run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}, stderr:\n{errors}");
    }
}

/// Takes ten thousand connections, threads and ports of the machine for a while: run it alone.
#[test]
#[ignore = "heavy: ten thousand connections and threads"]
fn ten_thousand_members_of_a_thousand_rooms_are_told_the_right_ones() {
    const ROOMS: u64 = 1_000;
    const EACH: u64 = 10;
    let advice = p2p_chat::limits::raise_descriptors(10_000);
    assert_eq!(advice, None, "(what the test itself lacks)");
    let mut tracker = Tracker::start();
    let empty = tracker.figures();
    let started = Instant::now();
    let mut rooms: Vec<Vec<Listed>> = (0..ROOMS).map(|_| Vec::new()).collect();
    for seat in 0..EACH {
        for (number, room) in (0..).zip(&mut rooms) {
            let others: Vec<_> = room.iter().collect();
            let id = number * EACH + seat + 1;
            let listed = Listed::joins(tracker.port(), id, &format!("room{number}"), &format!("member{seat}"), &others);
            for other in room.iter_mut() {
                other.expect_arrival(&listed);
            }
            room.push(listed);
        }
        assert!(started.elapsed() < 12 * LIMIT, "expected it to take two minutes at most");
    }
    let (set_up, full) = (started.elapsed(), tracker.figures());
    let started = Instant::now();
    for room in &mut rooms {
        let first = room.remove(0);
        first.wire.stream().shutdown(std::net::Shutdown::Both).expect("it is connected");
        for other in room.iter_mut() {
            other.expect_gone(&first);
        }
        for member in room.iter_mut() {
            member.wire.send("/ping\n");
            member.wire.expect("/ping\n");
        }
    }
    println!("10,000 were there after {set_up:?}; 1,000 left within {:?}", started.elapsed());
    println!("empty: {empty:?}\n full: {full:?}");
    tracker.signal("INT");
    let started = Instant::now();
    let mut last = rooms.pop().and_then(|mut room| room.pop()).expect("somebody is there");
    let (came, end) = last.wire.rest();
    assert!(came.ends_with("Chat refused: the tracker is stopping\n") && end == End::Orderly, "came: {came}, {end:?}");
    drop(rooms);
    assert_eq!(tracker.exit_code(), Some(0));
    println!("it stopped within {:?}", started.elapsed());
}

//! What is said in a chat without a server: who hears what, from whom, and how one leaves.
#![cfg(feature = "peer")]

mod support;

use std::io::Write;
use std::process::ChildStdin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use support::{
    LIMIT, Peer, Plain, eventually, expect_numbered, free_port, numbered_lines, port_without_a_server, waits_for_a_pipe,
};

/// What counts as at once, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Alice waits, and the others dial her; all have met.
#[track_caller]
fn company<const N: usize>(others: [&str; N]) -> (Peer, [Peer; N]) {
    let alice = Peer::alone("alice");
    let peers = others.map(|name| Peer::dialling(name, &[alice.port()], &[]));
    alice.wait_for_members(&others);
    for (peer, own) in peers.iter().zip(others) {
        peer.wait_for_members(&["alice"]);
        peer.wait_for_members(&others.into_iter().filter(|name| *name != own).collect::<Vec<_>>());
    }
    (alice, peers)
}

/// Says numbered lines until told to stop, and returns the last number; its input stays open as long as that is kept.
fn keep_talking(peer: &mut Peer, name: &'static str, stop: &Arc<AtomicBool>) -> JoinHandle<(usize, ChildStdin)> {
    let (mut input, stop) = (peer.take_input(), Arc::clone(stop));
    thread::spawn(move || {
        let mut number = 0;
        while !stop.load(Ordering::Relaxed) {
            let lines: String = (1..=20).map(|more| format!("{name} {}\n", number + more)).collect();
            input.write_all(lines.as_bytes()).expect("it takes lines");
            number += 20;
        }
        (number, input)
    })
}

#[test]
fn what_a_newcomer_hears_of_a_flood_has_no_gaps_from_its_first_line_on() {
    let (mut alice, [mut bob]) = company(["bob"]);
    let stop = Arc::default();
    let talking = [keep_talking(&mut alice, "alice", &stop), keep_talking(&mut bob, "bob", &stop)];
    bob.output.wait_for_in_flood("alice: alice 100");
    let newcomers: Vec<_> = ["carol", "dave"].iter().map(|name| Peer::dialling(name, &[alice.port()], &[])).collect();
    for newcomer in &newcomers {
        newcomer.output.wait_for_in_flood("alice: ");
        newcomer.output.wait_for_in_flood("bob: ");
    }
    stop.store(true, Ordering::Relaxed);
    let [(alice_said, _alices), (bob_said, _bobs)] =
        talking.map(|thread| thread.join().expect("it talks until it is told to stop"));
    expect_numbered(&alice.output, &["bob"], bob_said, LIMIT);
    expect_numbered(&bob.output, &["alice"], alice_said, LIMIT);
    for newcomer in newcomers {
        newcomer.output.wait_for_in_flood(&format!("alice: alice {alice_said}"));
        newcomer.output.wait_for_in_flood(&format!("bob: bob {bob_said}"));
        let lines = newcomer.output.lines();
        for (name, said) in [("alice", alice_said), ("bob", bob_said)] {
            let start = format!("{name}: {name} ");
            let heard: Vec<_> =
                lines.iter().filter_map(|line| line.strip_prefix(&start)?.parse::<usize>().ok()).collect();
            let first = *heard.first().expect("it was waited for");
            let expected: Vec<_> = (first..=said).collect();
            assert!(heard == expected, "expected {first} to {said} of {name}, came {} lines", heard.len());
        }
    }
}

#[test]
fn who_leaves_is_said_to_have_left_and_who_was_killed_to_be_gone() {
    let (alice, mut others) = company(["ending", "interrupted", "terminated", "killed"]);
    let [ending, interrupted, terminated, killed] = &mut others;
    let since = Instant::now();
    let word = |name: &str, word: &str| {
        alice.errors.wait_for(&format!("{name} {word}"));
        assert!(since.elapsed() < LIMIT, "expected it at once, came after {:?}", since.elapsed());
    };
    ending.finish();
    word("ending", "has left");
    ending.expect_exit(0);
    interrupted.signal("INT");
    word("interrupted", "has left");
    interrupted.expect_exit(0);
    terminated.signal("TERM");
    word("terminated", "has left");
    terminated.expect_exit(0);
    killed.kill();
    let since = Instant::now();
    alice.errors.wait_for("killed is gone: connection lost");
    assert!(since.elapsed() < AT_ONCE, "expected it at once, came after {:?}", since.elapsed());
}

#[test]
fn all_are_told_at_once_who_was_killed() {
    let (alice, [bob, mut carol]) = company(["bob", "carol"]);
    let since = Instant::now();
    carol.kill();
    for other in [&alice, &bob] {
        other.errors.wait_for("carol is gone: connection lost");
        assert!(since.elapsed() < AT_ONCE, "expected it at once, came after {:?}", since.elapsed());
    }
}

#[test]
fn who_comes_back_is_welcomed_back() {
    let (mut alice, [mut bob, mut carol]) = company(["bob", "carol"]);
    bob.finish();
    carol.errors.wait_for("bob has left");
    bob.expect_exit(0);
    let mut bob = Peer::dialling("bob", &[alice.port()], &[]);
    for other in [&alice, &carol] {
        other.errors.wait_for_line(2, "bob is here");
    }
    bob.kill();
    carol.errors.wait_for("bob is gone");
    let mut bob = Peer::dialling("bob", &[carol.port()], &["--wait", "2"]);
    for other in [&alice, &carol] {
        other.errors.wait_for_line(3, "bob is here");
    }
    bob.send("it is me again\n");
    for other in [&mut alice, &mut carol] {
        other.output.wait_for("bob: it is me again");
    }
}

#[test]
fn a_killed_member_that_comes_back_to_its_place_is_found_by_those_who_dialled_it() {
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut alice = Peer::start("alice", &["--listen", &listen]);
    let mut bob = Peer::dialling("bob", &[port], &[]);
    bob.wait_for_members(&["alice"]);
    alice.kill();
    bob.errors.wait_for("alice is gone: connection lost");
    let alice = Peer::start("alice", &["--listen", &listen]);
    bob.errors.wait_for_line(2, "alice is here");
    bob.send("welcome back\n");
    alice.output.wait_for("bob: welcome back");
}

#[test]
fn a_guest_hears_all_and_is_heard_by_all_as_a_guest() {
    let (mut alice, [mut bob]) = company(["bob"]);
    let mut guest = Plain::named(alice.port(), "gary");
    guest.expect("Connected to alice\n");
    alice.errors.wait_for("gary is here as your guest");
    guest.send("hello\r\n");
    alice.output.wait_for("gary (your guest): hello");
    bob.output.wait_for("gary (guest of alice): hello");
    bob.send("hi gary\n");
    guest.expect("bob: hi gary\n");
    alice.output.wait_for("bob: hi gary");
    alice.send("you two know each other?\n");
    guest.expect("alice: you two know each other?\n");

    let mut other = Plain::named(alice.port(), "olga");
    other.expect("Connected to alice\n");
    other.send("what a party\n");
    guest.expect("olga (guest of alice): what a party\n");
    bob.output.wait_for("what a party");
    guest.send("my last words, without their end");
    guest.finish();
    other.expect("gary (guest of alice): my last words, without their end\n");
    guest.expect_end();
    alice.errors.wait_for("gary, your guest, has left");
    alice.finish();
    other.expect_end();
    alice.expect_exit(0);
    let words = "my last words, without their end";
    let [heard, host_heard] = [&bob, &alice].map(|peer| {
        peer.output.wait_for(words);
        peer.output.lines()
    });
    assert_eq!(
        heard,
        [
            "gary (guest of alice): hello",
            "alice: you two know each other?",
            "olga (guest of alice): what a party",
            &format!("gary (guest of alice): {words}")
        ]
    );
    assert_eq!(
        host_heard,
        [
            "gary (your guest): hello",
            "bob: hi gary",
            "olga (your guest): what a party",
            &format!("gary (your guest): {words}")
        ]
    );
}

#[test]
fn a_guest_cannot_be_called_as_its_host_or_another_guest() {
    let alice = Peer::alone("alice");
    let mut first = Plain::named(alice.port(), "gary");
    first.expect("Connected to alice\n");
    let mut second = Plain::named(alice.port(), "GARY");
    for name in ["Alice", "two words", "gloria"] {
        let refusal = second.line();
        assert!(refusal.starts_with("Nickname refused: "), "expected a refusal, came: {refusal}");
        if name == "gloria" {
            break;
        }
        second.expect("Enter your nickname: ");
        second.send(format!("{name}\n"));
    }
    second.expect("Chat refused: three nicknames were refused\n");
    second.expect_end();
    let mut third = Plain::named(alice.port(), "Gary");
    assert!(third.line().starts_with("Nickname refused: it is taken here"));
    third.expect("Enter your nickname: ");
    third.send("gloria\n");
    third.expect("Connected to alice\n");
}

#[test]
fn a_seventeenth_guest_is_refused() {
    let alice = Peer::alone("alice");
    let _guests: Vec<_> = (1..=16)
        .map(|number| {
            let mut guest = Plain::named(alice.port(), &format!("guest{number}"));
            guest.expect("Connected to alice\n");
            guest
        })
        .collect();
    let mut guest = Plain::named(alice.port(), "guest17");
    let refusal = guest.line();
    assert!(refusal.starts_with("Nickname refused: ") && refusal.contains("too many guests"), "came: {refusal}");
}

#[test]
fn a_script_shows_name_and_text_on_stdout_and_all_else_on_stderr() {
    let (mut alice, [mut bob]) = company(["bob"]);
    bob.send("hello\n\n  blanks around \n/help\n//text\n/msg alice hi\n");
    bob.finish();
    bob.expect_exit(0);
    alice.errors.wait_for("bob has left");
    alice.finish();
    alice.expect_exit(0);
    let expected = "bob: hello\nbob: \nbob:   blanks around \nbob: /help\nbob: //text\nbob: /msg alice hi\n";
    assert_eq!(alice.output.whole_text(), expected);
    let expected = format!("alice in the room lobby, reachable at port {}\nbob is here\nbob has left\n", alice.port());
    assert_eq!(alice.errors.whole_text(), expected);
    assert_eq!(bob.output.whole_text(), "");
}

#[test]
fn at_the_end_of_its_input_a_script_has_delivered_everything() {
    let (alice, [mut bob]) = company(["bob"]);
    bob.send(&numbered_lines("bob", 20_000));
    bob.finish();
    bob.expect_exit(0);
    expect_numbered(&alice.output, &["bob"], 20_000, LIMIT);
    let (alice, [mut bob]) = company(["bob"]);
    bob.send("a\nthe last without its end");
    bob.finish();
    bob.expect_exit(0);
    alice.output.wait_for("bob: the last without its end");
    assert_eq!(alice.output.text(), "bob: a\nbob: the last without its end\n");
}

#[test]
fn exit_in_a_script_leaves_and_what_stands_before_it_arrives() {
    for command in ["/exit", "/quit"] {
        let (alice, [mut bob]) = company(["bob"]);
        bob.send(&format!("first\n{command}\nnever sent\n"));
        bob.expect_exit(0);
        alice.errors.wait_for("bob has left");
        alice.output.wait_for("bob: first");
        assert_eq!(alice.output.text(), "bob: first\n");
    }
}

#[test]
fn a_script_waits_for_as_many_as_it_was_told() {
    let alice = Peer::alone("alice");
    let mut bob = Peer::dialling("bob", &[alice.port()], &["--wait", "2"]);
    bob.send(&numbered_lines("bob", 3));
    bob.finish();
    bob.wait_for_members(&["alice"]);
    let carol = Peer::dialling("carol", &[bob.port()], &[]);
    for other in [&alice, &carol] {
        expect_numbered(&other.output, &["bob"], 3, LIMIT);
        other.errors.wait_for("bob has left");
    }
    bob.expect_exit(0);
}

#[test]
fn a_script_that_waits_for_nobody_ends_without_anybody() {
    let mut bob = Peer::start("bob", &["--listen", "127.0.0.1:0", "--wait", "0"]);
    bob.send("is anybody there?\n");
    bob.finish();
    bob.expect_exit(0);
}

#[cfg(unix)]
#[test]
fn a_script_that_waits_can_be_interrupted() {
    let mut bob = Peer::alone("bob");
    bob.send("is anybody there?\n");
    bob.signal("INT");
    bob.expect_exit(0);
}

#[test]
fn a_closed_stdout_ends_a_script_quietly() {
    let alice = Peer::alone("alice");
    let place = format!("127.0.0.1:{}", alice.port());
    let mut bob = Peer::with_closed_output(&["bob", "--host", "127.0.0.1", "--connect", &place]);
    bob.wait_for_members(&["alice"]);
    let mut alice = alice;
    alice.wait_for_members(&["bob"]);
    alice.send("nobody reads this\n");
    bob.expect_exit(0);
    alice.errors.wait_for("bob has left");
    let expected = format!("bob in the room lobby, reachable at port {}\nalice is here\n", bob.port());
    assert_eq!(bob.errors.whole_text(), expected);
}

#[test]
fn a_long_message_arrives_whole_or_in_pieces_that_lose_nothing() {
    let (alice, [mut bob]) = company(["bob"]);
    let text = "x".repeat(200_000);
    bob.send(&format!("{text}\nbehind it\n"));
    bob.finish();
    alice.output.wait_for("behind it");
    let heard = alice.output.text();
    let joined: String = heard.lines().map(|line| line.strip_prefix("bob: ").expect("it is bob's")).collect();
    assert!(joined == format!("{text}behind it"), "came {} bytes of {}", joined.len(), text.len() + 9);
}

#[test]
fn a_start_that_cannot_work_is_one_clear_line_and_exit_code_1() {
    let alice = Peer::alone("alice");
    let taken = format!("127.0.0.1:{}", alice.port());
    for (arguments, words) in [
        (["bob", "--listen", &taken], "; stop the program that has it, or choose another port"),
        (["bob", "--listen", "no-such-host.invalid:0"], "cannot find the host no-such-host.invalid"),
        (["bob", "--listen", "192.0.2.1:0"], "this machine has no such address"),
        (["bob", "--host", "192.0.2.1"], "this machine has no such address"),
    ] {
        let (code, errors, output) = Peer::run(&arguments);
        assert_eq!((code, output.as_str()), (Some(1), ""), "{arguments:?}, stderr:\n{errors}");
        assert!(
            errors.starts_with("❌ ") && errors.to_lowercase().contains(words) && errors.lines().count() == 1,
            "expected one line with: {words}\ncame, for {arguments:?}:\n{errors}"
        );
    }
}

#[test]
fn who_cannot_be_dialled_is_said_once_in_one_clear_line() {
    let port = port_without_a_server();
    for (place, words) in [
        (format!("127.0.0.1:{port}"), format!("127.0.0.1:{port}: Connection refused")),
        ("no-such-host.invalid:1".to_owned(), "cannot find the host no-such-host.invalid".to_owned()),
    ] {
        for way in ["--connect", "--tracker"] {
            let mut bob = Peer::start("bob", &[way, &place]);
            bob.errors.wait_for(&words);
            bob.signal("TERM");
            bob.expect_exit(0);
            let errors = bob.errors.whole_text();
            assert_eq!(errors.lines().count(), 2, "expected one line after the first, came:\n{errors}");
        }
    }
}

#[test]
fn wrong_arguments_are_explained_with_exit_code_2() {
    for arguments in [
        &[][..],
        &["two words"],
        &["/bob"],
        &["bob", "--connect", "nowhere"],
        &["bob", "--connect", "127.0.0.1:0"],
        &["bob", "--connect", "127.0.0.1:65536"],
        &["bob", "--tracker", "127.0.0.1:0"],
        &["bob", "--listen", "::1:7"],
        &["bob", "--host", "example.org"],
        &["bob", "--lan-port", "0"],
        &["bob", "--room", "tea room"],
        &["bob", "--wait", "-1"],
        &["bob", "--nonsense"],
    ] {
        let (code, errors, output) = Peer::run(arguments);
        assert_eq!((code, output.as_str()), (Some(2), ""), "{arguments:?}, stderr:\n{errors}");
        assert!(errors.starts_with("error: "), "expected an explanation, came, for {arguments:?}:\n{errors}");
    }
    let (code, errors, output) = Peer::run(&["--help"]);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "stdout:\n{output}");
}

#[test]
fn a_script_that_waits_hears_what_is_said_meanwhile_and_says_nothing() {
    let (mut alice, [bob]) = company(["bob"]);
    let mut carol = Peer::dialling("carol", &[bob.port()], &["--wait", "9"]);
    carol.send("never\n");
    alice.wait_for_members(&["carol"]);
    alice.send("hello\n");
    bob.output.wait_for("alice: hello");
    carol.output.wait_for("alice: hello");
    carol.signal("TERM");
    alice.errors.wait_for("carol has left");
    assert_eq!(alice.output.text(), "");
}

#[test]
fn lines_of_several_scripts_are_never_mixed_within_a_line() {
    let (alice, mut others) = company(["bob", "carol", "dave"]);
    for (peer, name) in others.iter_mut().zip(["bob", "carol", "dave"]) {
        peer.send(&numbered_lines(name, 3_000));
    }
    expect_numbered(&alice.output, &["bob", "carol", "dave"], 3_000, LIMIT);
}

#[test]
fn a_long_line_that_is_no_utf_8_arrives_and_what_follows_it() {
    let alice = Peer::alone("alice");
    let mut bob = Peer::dialling("bob", &[alice.port()], &[]);
    let mut input = bob.take_input();
    // Each of these bytes becomes a U+FFFD, three bytes long: more than one message can hold.
    let bytes = [b"\xff".repeat(60_000).as_slice(), b"\nafter\n"].concat();
    input.write_all(&bytes).expect("it takes lines");
    alice.output.wait_for("bob: after");
    assert_eq!(alice.output.text().matches('\u{fffd}').count(), 60_000);
    drop(input);
    bob.expect_exit(0);
}

#[test]
fn a_piece_of_a_long_line_is_no_command() {
    let alice = Peer::alone("alice");
    let mut bob = Peer::dialling("bob", &[alice.port()], &[]);
    bob.send(&format!("{}/exit\nafter\n", "x".repeat(64 * 1024)));
    alice.output.wait_for("bob: /exit");
    alice.output.wait_for("bob: after");
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_a_node_even_when_nobody_takes_what_it_shows() {
    let (mut alice, unread) = Peer::with_output_to(&["alice", "--listen", "127.0.0.1:0"]);
    let mut bob = Peer::dialling("bob", &[alice.port()], &[]);
    bob.send(&"nobody reads this\n".repeat(10_000));
    let stuck = eventually(LIMIT, || waits_for_a_pipe(alice.id()));
    assert!(stuck.is_some(), "expected it to wait for its output to be taken");
    alice.signal("TERM");
    alice.expect_exit(0);
    drop(unread);
}

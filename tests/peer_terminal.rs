//! A chat without a server in a terminal, as a person would use it.
#![cfg(all(unix, feature = "peer"))]

mod support;

use std::time::Instant;

use support::{Keys, LIMIT, Peer, Plain, Played, Terminal, eventually, numbered_lines, peer_in_a_terminal, rows_of};

/// A node in a large terminal that dials this port.
fn terminal(name: &str, port: u16) -> Terminal {
    let place = format!("127.0.0.1:{port}");
    peer_in_a_terminal(name, &["--connect", &place]).size(40, 160).start()
}

/// Whether a row of the screen is `MARK HH:MM REST`.
fn is_message(row: &str, mark: &str, rest: &str) -> bool {
    let Some((time, said)) = row.strip_prefix(mark).and_then(|row| row.trim_start().split_once(' ')) else {
        return false;
    };
    time.len() == 5 && time.find(':') == Some(2) && said == rest
}

#[track_caller]
fn expect_message(terminal: &Terminal, mark: &str, rest: &str) {
    terminal.screen.wait_until(&format!("a row: {mark} HH:MM {rest}"), |screen| {
        rows_of(screen).iter().any(|row| is_message(row, mark, rest))
    });
}

#[test]
fn a_chat_in_a_terminal_looks_as_promised() {
    let mut alice = Peer::alone("alice");
    let mut bob = terminal("bob", alice.port());
    bob.wait_for("🔌 bob in the room lobby, reachable at port ");
    bob.wait_for_row("Type /exit to quit, /help for more");
    bob.wait_for_row("🤝 alice is here");
    bob.wait_for_last_row("👉 Your message:");
    alice.send("hello\n");
    expect_message(&bob, "💬", "alice: hello");
    bob.enter("hi there");
    alice.output.wait_for("bob: hi there");
    bob.enter("//slash");
    alice.output.wait_for("bob: /slash");
    bob.enter("/nonsense");
    bob.wait_for_row("/nonsense is no command, and was not sent: /help lists them, //nonsense sends it");
    alice.send("\u{202e}evil\x1b[31m\n");
    bob.enter("/exit");
    bob.expect_exit(0);
    alice.errors.wait_for("bob has left");
    assert_eq!(alice.output.lines(), ["bob: hi there", "bob: /slash"]);
}

#[test]
fn each_way_of_leaving_a_terminal_is_told_at_once_and_leaves_it_as_it_was_found() {
    let alice = Peer::alone("alice");
    for (round, keys) in [Keys::CTRL_C, Keys::CTRL_D, "/exit\r", "/quit\r", "half-typed\x03"].iter().enumerate() {
        let mut bob = terminal("bob", alice.port());
        bob.wait_for_row("🤝 alice is here");
        bob.wait_for_last_row("👉 Your message:");
        bob.type_keys(keys);
        bob.expect_exit(0);
        alice.errors.wait_for_line(round + 1, "bob has left");
    }
    for (round, signal) in ["INT", "TERM", "HUP"].iter().enumerate() {
        let mut bob = terminal("bob", alice.port());
        bob.wait_for_row("🤝 alice is here");
        bob.wait_for_last_row("👉 Your message:");
        bob.signal(signal);
        bob.expect_exit(0);
        alice.errors.wait_for_line(5 + round + 1, "bob has left");
    }
}

#[test]
fn who_is_alone_can_leave_too_and_is_told_that_nobody_hears() {
    for keys in [Keys::CTRL_C, Keys::CTRL_D, "/exit\r"] {
        let mut bob = Terminal::program(env!("CARGO_BIN_EXE_chat-peer"))
            .argument("bob")
            .argument("--listen")
            .argument("127.0.0.1:0")
            .size(24, 100)
            .start();
        bob.wait_for_last_row("👉 Your message:");
        bob.enter("anybody?");
        bob.wait_for_row(
            "🤷 Nobody else is here to hear this; who comes later can ask for what was said with /history",
        );
        // Before the editor has the terminal, Ctrl+D would be the terminal's.
        bob.wait_for_last_row("👉 Your message:");
        bob.type_keys(keys);
        bob.expect_exit(0);
    }
}

#[test]
fn who_is_gone_and_who_has_left_is_shown() {
    let mut alice = Peer::alone("alice");
    let mut carol = Peer::dialling("carol", &[alice.port()], &[]);
    let bob = terminal("bob", alice.port());
    bob.wait_for_row("🤝 alice is here");
    bob.wait_for_row("🤝 carol is here");
    carol.kill();
    bob.wait_for_row("💔 carol is gone: connection lost");
    alice.finish();
    bob.wait_for_row("👋 alice has left");
}

#[test]
fn two_of_the_same_name_are_told_apart_and_can_be_spoken_to_apart() {
    let mut bobs = [Peer::alone("bob"), Peer::alone("Bob")];
    let labels = [format!("bob@127.0.0.1:{}", bobs[0].port()), format!("Bob@127.0.0.1:{}", bobs[1].port())];
    let places = bobs.each_ref().map(|bob| format!("127.0.0.1:{}", bob.port()));
    let alice = peer_in_a_terminal("alice", &["--connect", &places[0], "--connect", &places[1]]).size(40, 160).start();
    for bob in &bobs {
        bob.wait_for_members(&["alice"]);
    }
    alice.wait_for("👥 These have the same name: ");
    bobs[0].errors.wait_for("Bob@127.0.0.1 is here");
    bobs[1].errors.wait_for("bob@127.0.0.1 is here");
    for (bob, label) in bobs.iter_mut().zip(&labels) {
        bob.send("I am bob\n");
        expect_message(&alice, "💬", &format!("{label}: I am bob"));
    }
    alice.enter("/members");
    for label in &labels {
        let place = label.split('@').nth(1).expect("a label");
        alice.wait_for(&format!("{label} at {place}"));
    }
    alice.wait_for("alice (you), port ");
    alice.enter("/msg bob which of you?");
    alice.wait_for("Several are called bob: not sent; say which: ");
    for label in &labels {
        alice.wait_for(label);
    }
    alice.enter(&format!("/msg {} only you", labels[1]));
    alice.wait_for_row(&format!("🔒 to {} only", labels[1]));
    bobs[1].output.wait_for("alice (to you): only you");
    alice.enter("both of you");
    for bob in &bobs {
        bob.output.wait_for("alice: both of you");
    }
    let [first, second] = bobs.each_ref().map(|bob| bob.output.lines());
    assert_eq!(first, ["Bob@127.0.0.1: I am bob", "alice: both of you"]);
    assert_eq!(second, ["bob@127.0.0.1: I am bob", "alice (to you): only you", "alice: both of you"]);
}

#[test]
fn a_name_that_looks_like_a_label_does_not_pass_for_another() {
    let mut alice = Peer::alone("alice");
    let bob = Peer::dialling("bob", &[alice.port()], &[]);
    alice.wait_for_members(&["bob"]);
    let other = Peer::dialling("bob", &[alice.port()], &[]);
    alice.wait_for_members(&[&format!("bob@127.0.0.1:{}", other.port())]);
    let label = format!("bob@127.0.0.1:{}", bob.port());
    let mut mallory = Played::meets(alice.port(), Played::SMALL, "lobby", &label);
    mallory.send("/say I am bob\n");
    alice.output.wait_for("I am bob");
    let came = alice.output.text();
    assert!(!came.starts_with(&format!("{label}: ")), "expected another name than {label}, came: {came}");
    alice.finish();
}

#[test]
fn a_message_to_one_reaches_only_that_one() {
    let mut bob = Peer::alone("bob");
    let mut carol = Peer::dialling("carol", &[bob.port()], &[]);
    let alice = terminal("alice", bob.port());
    alice.wait_for_row("🤝 bob is here");
    alice.wait_for_row("🤝 carol is here");
    alice.enter("/msg nobody hello?");
    alice.wait_for_row("Nobody here is called nobody: not sent; /members lists who is here");
    alice.enter("/msg carol");
    alice.wait_for_row("Say it like this: /msg NAME text");
    alice.enter("/msg CAROL  psst");
    alice.wait_for_row("🔒 to carol only");
    alice.enter("good evening");
    bob.output.wait_for("alice: good evening");
    carol.output.wait_for("alice: good evening");
    assert_eq!(bob.output.lines(), ["alice: good evening"]);
    assert_eq!(carol.output.lines(), ["alice (to you):  psst", "alice: good evening"]);
    bob.finish();
    carol.finish();
}

#[test]
fn a_guest_of_a_terminal_is_shown_listed_and_spoken_to() {
    let mut bob = Peer::alone("bob");
    let alice = terminal("alice", bob.port());
    alice.wait_for_row("🤝 bob is here");
    bob.wait_for_members(&["alice"]);
    alice.wait_for("reachable at port ");
    let port = alice.screen.rows().iter().find_map(|row| row.split("reachable at port ").nth(1)?.trim().parse().ok());
    let mut guest = Plain::named(port.expect("it says its port"), "gary");
    guest.expect("Connected to alice\n");
    alice.wait_for_row("🤝 gary is here as your guest");
    guest.send("good evening\x1b[2J\n");
    expect_message(&alice, "💬", "gary (your guest): good evening\\u{1b}[2J");
    alice.enter("/members");
    alice.wait_for("gary, your guest");
    alice.enter("/msg gary psst");
    guest.expect("alice (to you): psst\n");
    bob.send("welcome\n");
    guest.expect("bob: welcome\n");
    drop(guest);
    alice.wait_for_row("👋 gary, your guest, has left");
}

#[test]
fn history_has_what_was_said_since_one_came_and_what_the_longest_member_tells() {
    let started = Instant::now();
    let mut alice = Peer::start("alice", &["--listen", "127.0.0.1:0", "--wait", "0"]);
    alice.send("before anybody came\n");
    // A member is asked when it is older, and ages are told in seconds.
    eventually(LIMIT, || (started.elapsed().as_secs() >= 2).then_some(())).expect("time passes");
    let bob = terminal("bob", alice.port());
    bob.wait_for_row("🤝 alice is here");
    alice.wait_for_members(&["bob"]);
    alice.send("hello bob\n");
    expect_message(&bob, "💬", "alice: hello bob");
    bob.enter("hello alice");
    alice.output.wait_for("bob: hello alice");
    bob.enter("/history");
    bob.wait_for_row("📜 Asking alice for what was said before");
    bob.wait_for_row("📜 alice told 1 messages from before you met");
    let told: Vec<_> = bob.screen.history().into_iter().filter(|row| row.starts_with("📜 ")).collect();
    let ends = ["alice: hello bob", "bob: hello alice", "Asking alice for what was said before"];
    for (row, end) in told.iter().zip(ends) {
        assert!(row.ends_with(end), "expected …{end}, came:\n{}", told.join("\n"));
    }
    assert!(
        told[3].starts_with("📜 alice tells: 2") && told[3].ends_with(" alice: before anybody came"),
        "expected what alice tells, came:\n{}",
        told.join("\n")
    );
    assert_eq!(told.len(), 5, "came:\n{}", told.join("\n"));
}

#[test]
fn at_most_200_messages_are_told() {
    let started = Instant::now();
    let mut alice = Peer::start("alice", &["--listen", "127.0.0.1:0", "--wait", "0"]);
    alice.send(&numbered_lines("line", 250));
    eventually(LIMIT, || (started.elapsed().as_secs() >= 2).then_some(())).expect("time passes");
    let bob = terminal("bob", alice.port());
    bob.wait_for_row("🤝 alice is here");
    bob.enter("/history");
    bob.wait_for_row("📜 alice told 200 messages from before you met");
    let told: Vec<_> = bob.screen.history().into_iter().filter(|row| row.starts_with("📜 alice tells: ")).collect();
    let numbers: Vec<usize> = told.iter().filter_map(|row| row.rsplit("alice: line ").next()?.parse().ok()).collect();
    assert_eq!(numbers, (51..=250).collect::<Vec<_>>());
}

/// A member that the test plays, met by a node in a terminal.
#[track_caller]
fn mallory_meets(node: &Terminal) -> Played {
    node.wait_for("reachable at port ");
    let port = node.screen.rows().iter().find_map(|row| row.split("reachable at port ").nth(1)?.trim().parse().ok());
    Played::meets(port.expect("it says its port"), Played::LARGE, "lobby", "mallory")
}

#[test]
fn only_who_was_asked_may_tell_and_no_more_than_200() {
    let bob = Peer::alone("bob");
    let alice = terminal("alice", bob.port());
    alice.wait_for_row("🤝 bob is here");
    let mut mallory = mallory_meets(&alice);
    alice.wait_for_row("🤝 mallory is here");
    mallory.send("/told 1000000000 alice: unasked\n/told-all\n/say that was nothing\n");
    expect_message(&alice, "💬", "mallory: that was nothing");
    alice.enter("/history");
    alice.wait_for_row("📜 Asking mallory for what was said before");
    assert_eq!(mallory.line(), "/history", "(what came, what was expected)");
    let told: String = (1..=300).map(|number| format!("/told 1000000000 carol: {number}\x1b[2J\n")).collect();
    mallory.send(told + "/told-all\n/told 1000000000 alice: too late\n/told-all\n/say over\n");
    expect_message(&alice, "💬", "mallory: over");
    alice.wait_for_row("📜 mallory told 200 messages from before you met");
    let history = alice.screen.history();
    let told: Vec<_> = history.iter().filter(|row| row.contains("mallory tells: ")).collect();
    assert_eq!(told.len(), 200, "came:\n{}", history.join("\n"));
    assert!(told[0].ends_with(" carol: 1\\u{1b}[2J") && told[0].contains("2001-09-0"), "came: {}", told[0]);
    assert!(!history.iter().any(|row| row.contains("unasked") || row.contains("too late")));
}

#[test]
fn what_members_say_cannot_drive_the_terminal() {
    let bob = Peer::alone("bob");
    let alice = terminal("alice", bob.port());
    alice.wait_for_row("🤝 bob is here");
    let mut mallory = mallory_meets(&alice);
    mallory.send("/say \x1b[2J\x1b]0;owned\x07\rbob: forged\n/to \x1b[2J\n/guest gary \x1b[2J\n/say over\n");
    expect_message(&alice, "💬", "mallory: over");
    expect_message(&alice, "💬", "mallory: \\u{1b}[2J\\u{1b}]0;owned\\u{7}\\u{d}bob: forged");
    expect_message(&alice, "🔒", "mallory (to you): \\u{1b}[2J");
    expect_message(&alice, "💬", "gary (guest of mallory): \\u{1b}[2J");
    let nothing: [&str; 0] = [];
    assert_eq!(alice.screen.requests(), nothing, "(what the terminal was asked for)");
}

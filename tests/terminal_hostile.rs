//! Nothing that a companion or a server sends can drive the terminal.
#![cfg(unix)]

mod support;

use std::io::Write;
use std::net::TcpListener;

use support::{Plain, Server, Terminal, accept_one, read_line};

/// What a hostile text would do, in the order of its parts: title, clipboard, clear the screen, colours, the other
/// screen, move, ring, erase, overwrite, C1 in UTF-8, turn the direction, ask for an answer.
const HOSTILE: &str = "\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\x1b[2J\x1b[3J\x1b[31;5mred\x1b[?1049h\x1b[1;1Hmoved\x07\x07\
    \x08\x08\x08\x7f\roverwritten\x0b\x0c\u{9b}2J\u{9d}0;owned\u{9c}\u{202e}turned\u{2066}\u{2028}\x1b[c\x1bc\0";

/// What must not reach a terminal, as it stands in the raw output.
const NEVER: [&str; 14] = [
    "\x1b]",
    "\x1b[2J",
    "\x1b[3J",
    "\x1b[31",
    "\x1b[?1049h",
    "\x1b[1;1H",
    "\x07",
    "\x08",
    "\x7f",
    "\u{9b}",
    "\u{9d}",
    "\u{202e}",
    "\u{2066}",
    "\x1bc",
];

#[track_caller]
fn expect_harmless(terminal: &Terminal) {
    let raw = String::from_utf8_lossy(&terminal.screen.raw()).into_owned();
    for never in NEVER {
        assert!(!raw.contains(never), "expected no {never:?} on the terminal, came: {raw:?}");
    }
    let requests = terminal.screen.requests();
    assert!(requests.is_empty(), "expected that nothing is asked of the terminal, came: {requests:?}");
}

#[test]
fn a_hostile_companion_cannot_drive_the_terminal() {
    let server = Server::start();
    let mut companion = Plain::waiting(server.port(), "Nick2");
    let mut terminal = Terminal::client(server.port()).size(60, 80).start().answering("Nick1");
    companion.expect("Connected to Nick1\n");
    terminal.wait_for_row("💬 Companion: Connected to Nick2");
    let before = terminal.screen.rows();
    companion.send(format!("{HOSTILE}\n"));
    companion.send(b"not utf-8: \xff\xfe \x9b2J\n");
    companion.send("the end\n");
    terminal.wait_for_row("💬 Companion: the end");
    let raw = String::from_utf8_lossy(&terminal.screen.raw()).into_owned();
    assert!(raw.contains("not utf-8: \u{fffd}\u{fffd} \u{fffd}2J"), "expected U+FFFD thrice, came: {raw:?}");
    // All that stood there before stands there still, and the text itself is shown.
    let after = terminal.screen.rows();
    let kept = before.iter().filter(|row| row.as_str() != "👉 Your message:").collect::<Vec<_>>();
    assert!(after.iter().take(kept.len()).eq(kept.iter().copied()), "expected to be kept: {kept:?}\ncame: {after:?}");
    for word in ["owned", "red", "moved", "overwritten", "turned"] {
        terminal.wait_for(word);
    }
    expect_harmless(&terminal);
    terminal.enter("/exit");
    companion.expect_end();
    terminal.expect_exit(0);
}

#[test]
fn a_line_without_an_end_is_shown_in_pieces() {
    const LENGTH: usize = 300 << 10;
    let server = Server::start();
    let mut companion = Plain::waiting(server.port(), "Nick2");
    let terminal = Terminal::named(server.port(), "Nick1");
    companion.expect("Connected to Nick1\n");
    terminal.wait_for_row("💬 Companion: Connected to Nick2");
    // No line end yet: it is not held in memory whole, so some of it is shown before there is one.
    companion.send("x".repeat(LENGTH));
    terminal.screen.wait_until("a row full of the line", |screen| {
        support::rows_of(screen).iter().any(|row| *row == "x".repeat(80))
    });
    companion.send("y\nthe end\n");
    terminal.wait_for_row("💬 Companion: the end");
    let raw = String::from_utf8_lossy(&terminal.screen.raw()).into_owned();
    let shown = raw.matches('x').count();
    assert!(shown >= LENGTH, "expected all {LENGTH} letters, came {shown}");
    expect_harmless(&terminal);
}

#[test]
fn a_hostile_server_cannot_drive_the_terminal_with_a_refusal() {
    for words in [
        format!("Chat refused: {HOSTILE}\n"),
        format!("{HOSTILE}\n"),
        format!("Enter your nickname: Chat refused: {HOSTILE}\n"),
        format!("Enter your nickname: {HOSTILE}\n"),
        format!("Enter your nickname: Connected to {HOSTILE}\n"),
    ] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let mut terminal = Terminal::client(port).start();
        let mut server = accept_one(&listener);
        server.write_all(words.as_bytes()).expect("the client listens");
        terminal.wait_for("❌ ");
        terminal.expect_exit(1);
        expect_harmless(&terminal);
    }
}

#[test]
fn a_hostile_reason_for_refusing_a_nickname_is_shown_as_text() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let terminal = Terminal::client(port).start();
    let mut server = accept_one(&listener);
    server.write_all(b"Enter your nickname: ").expect("the client listens");
    let terminal = terminal.answering("Nick1");
    assert_eq!(read_line(&mut server), "Nick1\n");
    server
        .write_all(format!("Nickname refused: {HOSTILE}\nEnter your nickname: ").as_bytes())
        .expect("the client listens");
    let terminal = terminal.answering("Nick2");
    assert_eq!(read_line(&mut server), "Nick2\n");
    expect_harmless(&terminal);
}

#[test]
fn a_terminal_behind_a_script_is_protected_too() {
    let server = Server::start();
    let mut companion = Plain::waiting(server.port(), "Nick2");
    // Standard input is a pipe from a program that waits for keys, standard output and standard error are the terminal.
    let script = format!("cat | '{}' 127.0.0.1 {} --nick Nick1", env!("CARGO_BIN_EXE_chat-client"), server.port());
    let terminal = Terminal::program("sh").argument("-c").argument(script).start();
    companion.expect("Connected to Nick1\n");
    terminal.wait_for("Connected to Nick2");
    companion.send(format!("{HOSTILE}\n"));
    companion.send("the end\n");
    terminal.wait_for_row("the end");
    expect_harmless(&terminal);
}

#[cfg(feature = "line-editor")]
#[test]
fn help_is_given_while_the_companion_floods_and_what_comes_later_is_shown() {
    let server = Server::start();
    let mut companion = Plain::waiting(server.port(), "Nick2");
    let terminal = Terminal::client(server.port()).start().answering("Nick1");
    companion.expect("Connected to Nick1\n");
    terminal.wait_for_last_row("👉 Your message:");
    // Each command comes while messages do.
    for round in 0..20 {
        for number in 0..100 {
            companion.send(format!("{round} {number}\n"));
        }
        terminal.enter("/help");
    }
    companion.send("the end\n");
    terminal.wait_for_row("💬 Companion: the end");
    terminal.wait_for_last_row("👉 Your message:");
    let raw = String::from_utf8_lossy(&terminal.screen.raw()).into_owned();
    let helped = raw.matches("Anything else is sent to your companion").count();
    assert_eq!(helped, 20, "(how often help came, how often it was asked for)");
}

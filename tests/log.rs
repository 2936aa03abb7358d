//! What the server writes in its log: which lines, in which order, in which form.

mod support;

use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use support::{LIMIT, Plain, Server, eventually, pair, port_without_a_server};

/// A line of the log without its time, whose form is checked here: `2026-10-15 15:45:22 - INFO - `.
#[track_caller]
fn event(line: &str) -> &str {
    let (time, event) =
        line.split_once(" - ").unwrap_or_else(|| panic!("expected `TIME - LEVEL - EVENT`, came: {line}"));
    let form = time.replace(|letter: char| letter.is_ascii_digit(), "9");
    assert_eq!(form, "9999-99-99 99:99:99", "(form of the time that came, as expected) in: {line}");
    event
}

/// All lines without their times, and with every port replaced by its place in `ports`.
#[track_caller]
fn events(server: &Server, ports: &[(u16, &str)]) -> Vec<String> {
    let mut lines = server.log.lines();
    for line in &mut lines {
        *line = event(line).to_owned();
        for (port, name) in ports {
            *line = line.replace(&format!(":{port}"), &format!(":{name}"));
        }
    }
    lines
}

#[test]
fn a_chat_is_logged_from_its_beginning_to_its_end() {
    let mut server = Server::on("localhost").start();
    server.wait_for_log("Waiting for 2 clients");
    let mut nick1 = Plain::connect(server.port());
    server.wait_for_log("Client 1 connected");
    let mut nick2 = Plain::connect(server.port());
    server.wait_for_log("Client 2 connected");
    nick1.send("Nick1\n");
    server.wait_for_log("Client 1 nickname");
    nick2.send("Nick2\n");
    server.wait_for_log("Chat session started");
    nick1.send("Sup\n");
    nick2.expect("Enter your nickname: Connected to Nick1\nSup\n");
    nick2.send("Hi:>\n");
    nick1.expect("Enter your nickname: Waiting for a companion...\nConnected to Nick2\nHi:>\n");
    nick1.finish();
    server.wait_for_log("Client 1 (Nick1) left");
    nick2.expect_end();
    nick2.finish();
    server.wait_for_logs(2, "Waiting for 2 clients");
    #[cfg(unix)]
    assert_eq!(server.stop(), Some(0));
    #[cfg(not(unix))]
    server.kill();

    let ports = [(server.port(), "SERVER"), (nick1.local_port(), "NICK1"), (nick2.local_port(), "NICK2")];
    let mut came = events(&server, &ports);
    let ended = came.iter_mut().find(|event| event.contains("Chat session ended")).expect("the session has ended");
    // How long it took is the one thing that may differ.
    *ended = ended.replace(" 0:00:01,", " 0:00:00,").replace(" 0:00:02,", " 0:00:00,");
    assert_eq!(
        came,
        [
            "INFO - 🚀 Chat server started on localhost:SERVER",
            "INFO - 🟢 Waiting for 2 clients to connect...",
            "INFO - 🔵 Client 1 connected from 127.0.0.1:NICK1",
            "INFO - 🟣 Client 2 connected from 127.0.0.1:NICK2",
            "INFO - 👤 Client 1 nickname: Nick1",
            "INFO - 👤 Client 2 nickname: Nick2",
            "INFO - 💬 Chat session started",
            "INFO - 👋 Client 1 (Nick1) left",
            "INFO - 👋 Client 2 (Nick2) left",
            "INFO - 🏁 Chat session ended: Nick1 and Nick2, 0:00:00, 4 bytes from Nick1, 5 bytes from Nick2",
            "INFO - 🟢 Waiting for 2 clients to connect...",
            "INFO - 🛑 Server stopped",
        ],
        "(what came, what was expected)"
    );
}

#[test]
fn bytes_said_before_the_companion_came_are_counted_too() {
    let server = Server::start();
    let mut nick1 = Plain::connect(server.port());
    nick1.send("Nick1\n1234");
    nick1.expect("Enter your nickname: Waiting for a companion...\n");
    nick1.send("5678");
    let mut nick2 = Plain::connect(server.port());
    nick2.send("Nick2\n123\n");
    nick2.expect("Enter your nickname: Connected to Nick1\n12345678");
    nick1.expect("Connected to Nick2\n123\n");
    drop((nick1, nick2));
    let ended = server.wait_for_log("🏁 Chat session ended: Nick1 and Nick2, ");
    assert!(ended.ends_with(", 8 bytes from Nick1, 4 bytes from Nick2"), "expected 8 and 4 bytes, came: {ended}");
}

#[test]
fn a_refused_nickname_is_logged_with_the_reason() {
    let server = Server::start();
    let mut client = Plain::named(server.port(), "two words");
    let told = client.line();
    let reason = told
        .strip_prefix("Nickname refused: ")
        .unwrap_or_else(|| panic!("expected `Nickname refused: REASON`, came: {told}"));
    let line = server.wait_for_log("🚫");
    assert_eq!(event(&line), format!("WARN - 🚫 Client 1 nickname refused: {reason}"));
}

#[test]
fn a_refused_client_is_logged_with_the_reason() {
    let server = Server::start();
    let (_nick1, _nick2) = pair(server.port(), "Nick1", "Nick2");
    let mut third = Plain::connect(server.port());
    let (told, _) = third.rest();
    let reason =
        told.strip_prefix("Chat refused: ").unwrap_or_else(|| panic!("expected `Chat refused: REASON`, came: {told}"));
    let line = server.wait_for_log("⛔");
    assert_eq!(event(&line), format!("WARN - ⛔ Client 3 refused: {}", reason.trim_end()));
}

#[test]
fn a_client_that_leaves_without_a_nickname_is_logged_by_its_number() {
    let server = Server::start();
    let mut nameless = Plain::connect(server.port());
    nameless.expect("Enter your nickname: ");
    drop(nameless);
    let line = server.wait_for_log("👋");
    assert_eq!(event(&line), "INFO - 👋 Client 1 left");
}

#[test]
fn a_lost_connection_is_logged_with_the_reason() {
    let server = Server::start();
    let (nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
    nick2.send("never read\n");
    nick1.reset();
    let line = server.wait_for_log("💔");
    let reason = event(&line)
        .strip_prefix("WARN - 💔 Client 1 (Nick1) connection lost: ")
        .unwrap_or_else(|| panic!("expected `💔 Client 1 (Nick1) connection lost: …`, came: {line}"));
    assert!(!reason.is_empty(), "expected a reason, came: {line}");
    server.wait_for_log("🏁 Chat session ended: Nick1 and Nick2");
}

#[test]
fn a_client_gets_the_smallest_free_number_and_the_colour_that_goes_with_it() {
    let server = Server::start();
    let mut first = Plain::connect(server.port());
    first.expect("Enter your nickname: ");
    server.wait_for_log("🔵 Client 1 connected from");
    let mut second = Plain::connect(server.port());
    second.expect("Enter your nickname: ");
    server.wait_for_log("🟣 Client 2 connected from");
    let _third = Plain::connect(server.port());
    server.wait_for_log("🔵 Client 3 connected from");
    // Its number is free once the server has closed its side too.
    first.finish();
    first.expect_end();
    let _again_first = Plain::connect(server.port());
    server.wait_for_logs(2, "🔵 Client 1 connected from");
    second.finish();
    second.expect_end();
    let _again_second = Plain::connect(server.port());
    server.wait_for_logs(2, "🟣 Client 2 connected from");
    let _fourth = Plain::connect(server.port());
    server.wait_for_log("🟣 Client 4 connected from");
}

#[test]
fn with_several_sessions_a_line_says_which_one_it_is_about() {
    let server = Server::on("127.0.0.1").argument("--sessions").argument("2").start();
    let a = pair(server.port(), "A1", "A2");
    let b = pair(server.port(), "B1", "B2");
    server.wait_for_logs(2, "Chat session started");
    drop((a, b));
    server.wait_for_logs(2, "Chat session ended");
    let session_of = |text: &str| {
        let line = server.wait_for_log(text);
        let (_, session) = line
            .rsplit_once(" (session ")
            .unwrap_or_else(|| panic!("expected ` (session N)` at the end, came: {line}"));
        session
            .strip_suffix(')')
            .and_then(|number| number.parse::<usize>().ok())
            .unwrap_or_else(|| panic!("expected ` (session N)` at the end, came: {line}"))
    };
    let first = session_of("nickname: A1");
    let second = session_of("nickname: B1");
    assert_ne!(first, second, "two sessions with one number");
    for (session, texts) in [
        (first, ["nickname: A2", "(A1) left", "(A2) left", "ended: A"]),
        (second, ["nickname: B2", "(B1) left", "(B2) left", "ended: B"]),
    ] {
        for text in texts {
            assert_eq!(session_of(text), session, "(session of `{text}`)");
        }
    }
    session_of("Chat session started");
    let connected = server.wait_for_log("Client 1 connected");
    assert!(!connected.contains("session"), "a client that has just come has no session yet, came: {connected}");
}

#[test]
fn with_one_session_no_line_speaks_of_its_number() {
    let server = Server::start();
    drop(pair(server.port(), "Nick1", "Nick2"));
    server.wait_for_logs(2, "Waiting for 2 clients");
    let log = server.log.text();
    assert!(!log.contains("(session"), "came: {log}");
}

#[test]
fn what_a_client_sends_never_breaks_or_colours_the_log() {
    let server = Server::start();
    for nickname in
        ["\x1b[31mred\x1b[0m", "one\rtwo", "bell\x07", "c1\u{9b}31m", "turn\u{202e}ed", "a\u{2028}b", "null\0"]
    {
        let mut client = Plain::named(server.port(), nickname);
        let told = client.line();
        assert!(told.starts_with("Nickname refused: "), "expected {nickname:?} to be refused, came: {told}");
    }
    server.wait_for_logs(7, "👋");
    for line in server.log.lines() {
        event(&line);
        let bad = line
            .chars()
            .find(|letter| letter.is_control() || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
        assert_eq!(bad, None, "expected plain text, came: {line:?}");
    }
}

#[test]
fn the_level_of_the_log_is_chosen_with_rust_log() {
    let port = port_without_a_server();
    let server = Server::on("127.0.0.1").port(port).environment("RUST_LOG", "warn").start_unheard();
    let up = eventually(LIMIT, || TcpStream::connect(("127.0.0.1", port)).ok());
    assert!(up.is_some(), "expected a server on port {port}, came:\n{}", server.log.text());
    let _pair = pair(port, "Nick1", "Nick2");
    Plain::connect(port).expect_refusal("full");
    server.wait_for_log(" - WARN - ⛔");
    let lines = server.log.lines();
    assert!(lines.iter().all(|line| line.contains(" - WARN - ")), "expected nothing but warnings, came: {lines:#?}");
}

#[test]
fn the_servers_lines_are_filed_under_a_target_of_their_own() {
    let server = Server::on("127.0.0.1").environment("RUST_LOG", "off,chat_server=info").start();
    server.wait_for_log(" - INFO - 🟢 Waiting for 2 clients");
}

/// Seconds since 1970 of `2026-10-15 15:45:22`, as if that were UTC (days from civil, H. Hinnant).
fn seconds_of(time: &str) -> i64 {
    let numbers =
        time.split(['-', ' ', ':']).map(|number| number.parse::<i64>().expect("a number")).collect::<Vec<_>>();
    let [year, month, day, hour, minute, second] = numbers[..] else {
        panic!("expected a date and a time, came: {time}");
    };
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    ((days * 24 + hour) * 60 + minute) * 60 + second
}

#[test]
fn the_time_in_the_log_is_the_local_one() {
    // Nine hours east of Greenwich, in the form that needs no time zone database (POSIX).
    let server = Server::on("127.0.0.1").environment("TZ", "TST-9").start();
    let line = server.wait_for_log("Waiting for 2 clients");
    let came = seconds_of(&line[..19]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
    let expected =
        i64::try_from(now).expect("a time of this age") + if cfg!(feature = "local-time") { 9 * 3_600 } else { 0 };
    assert!((came - expected).abs() < 60, "expected about {expected}, came {came}: {line}");
}

#[cfg(unix)]
#[test]
fn the_log_is_coloured_on_a_terminal_and_plain_with_no_color() {
    use support::Terminal;
    const PROGRAM: &str = env!("CARGO_BIN_EXE_chat-server");
    for (no_color, expected) in [("", true), ("1", false)] {
        let mut server =
            Terminal::program(PROGRAM).argument("127.0.0.1").argument("0").environment("NO_COLOR", no_color).start();
        server.wait_for("Waiting for 2 clients to connect...");
        let coloured = server.screen.raw().contains(&0x1b);
        assert_eq!(coloured, expected, "(colour, with NO_COLOR={no_color:?})");
        server.type_keys(support::Keys::CTRL_C);
        server.expect_exit(0);
    }
}

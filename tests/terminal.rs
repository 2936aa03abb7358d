//! The client in a terminal, as a person would use it: what stands on the screen, and how one leaves.
//!
//! All of this holds with and without the line editor.
#![cfg(unix)]

mod support;

use support::{Keys, Plain, Server, Terminal, pair, port_without_a_server};

/// A client in a terminal, and a companion that speaks over a bare socket.
#[track_caller]
fn chat(server: &Server) -> (Terminal, Plain) {
    let mut companion = Plain::waiting(server.port(), "Nick2");
    let terminal = Terminal::named(server.port(), "Nick1");
    companion.expect("Connected to Nick1\n");
    terminal.wait_for_last_rows(&["💬 Companion: Connected to Nick2", "👉 Your message:"]);
    (terminal, companion)
}

#[test]
fn a_chat_looks_as_promised() {
    let server = Server::start();
    let (mut terminal, mut companion) = chat(&server);
    terminal.enter("Sup");
    companion.expect("Sup\n");
    companion.send("Hi:>\n");
    let connected = format!("🔌 Connected to chat server at 127.0.0.1:{}", server.port());
    let expected = [
        connected.as_str(),
        "Type /exit to quit",
        "",
        "👉 Enter your nickname: Nick1",
        "💬 Companion: Connected to Nick2",
        "👉 Your message: Sup",
        "💬 Companion: Hi:>",
        "👉 Your message:",
    ];
    if cfg!(feature = "line-editor") {
        terminal.screen.wait_until(&expected.join("\n"), |screen| support::rows_of(screen) == expected);
    } else {
        // Without it the message comes below the prompt, which is shown again.
        terminal.wait_for_last_rows(&expected[6..]);
    }
    companion.finish();
    terminal.wait_for_row("👋 Nick2 has left");
    terminal.expect_exit(0);
}

#[test]
fn two_people_chat_in_two_terminals() {
    let server = Server::start();
    let mut nick1 = Terminal::named(server.port(), "Nick1");
    nick1.wait_for_row("⏳ Waiting for a companion...");
    let mut nick2 = Terminal::named(server.port(), "Nick2");
    nick1.wait_for_last_rows(&["💬 Companion: Connected to Nick2", "👉 Your message:"]);
    nick2.wait_for_last_rows(&["💬 Companion: Connected to Nick1", "👉 Your message:"]);
    nick1.enter("Sup");
    nick2.wait_for_last_rows(&["💬 Companion: Sup", "👉 Your message:"]);
    nick2.enter("Hi:>");
    nick1.wait_for_last_rows(&["💬 Companion: Hi:>", "👉 Your message:"]);
    nick2.enter("/exit");
    nick2.expect_exit(0);
    nick1.wait_for_last_row("👋 Nick2 has left");
    nick1.expect_exit(0);
}

#[test]
fn who_comes_first_is_told_to_wait_and_what_is_typed_meanwhile_is_sent_later() {
    let server = Server::start();
    let terminal = Terminal::named(server.port(), "Nick1");
    terminal.wait_for_row("⏳ Waiting for a companion...");
    terminal.wait_for_last_row("👉 Your message:");
    terminal.enter("is anybody there?");
    terminal.enter("hello?");
    let mut companion = Plain::named(server.port(), "Nick2");
    companion.expect("Connected to Nick1\nis anybody there?\nhello?\n");
    terminal.wait_for_row("💬 Companion: Connected to Nick2");
    terminal.enter("there you are");
    companion.expect("there you are\n");
}

#[test]
fn a_refused_nickname_is_explained_and_asked_again() {
    let server = Server::start();
    let mut companion = Plain::waiting(server.port(), "Nick2");
    let terminal = Terminal::named(server.port(), "two words");
    terminal.wait_for("🚫 Nickname refused: a nickname has no white space inside");
    let terminal = terminal.answering("NICK2");
    terminal.wait_for("🚫 Nickname refused: it is");
    let _terminal = terminal.answering("Nick1");
    companion.expect("Connected to Nick1\n");
}

#[test]
fn with_nick_there_is_no_question() {
    let server = Server::start();
    let mut companion = Plain::waiting(server.port(), "Nick2");
    let terminal = Terminal::client(server.port()).argument("--nick").argument("Nick1").start();
    companion.expect("Connected to Nick1\n");
    terminal.wait_for_last_rows(&["", "💬 Companion: Connected to Nick2", "👉 Your message:"]);
}

#[test]
fn each_way_of_leaving_ends_in_order_with_the_terminal_as_it_was_found() {
    for keys in [Keys::CTRL_C, Keys::CTRL_D, "/exit\r", "/quit \r", "half-typed\x03"] {
        let server = Server::start();
        let (mut terminal, mut companion) = chat(&server);
        terminal.type_keys(keys);
        companion.expect_end();
        terminal.expect_exit(0);
        server.wait_for_log("👋 Client 2 (Nick1) left");
    }
}

#[test]
fn one_can_leave_at_the_question_for_the_nickname_and_while_waiting() {
    for keys in [Keys::CTRL_C, Keys::CTRL_D, "/exit\r"] {
        let server = Server::start();
        let mut asked = Terminal::client(server.port()).start();
        asked.wait_for_last_row("👉 Enter your nickname:");
        asked.type_keys(keys);
        asked.expect_exit(0);

        let mut waiting = Terminal::named(server.port(), "Nick1");
        waiting.wait_for_row("⏳ Waiting for a companion...");
        waiting.wait_for_last_row("👉 Your message:");
        waiting.type_keys(keys);
        waiting.expect_exit(0);
        server.wait_for_log("(Nick1) left");
    }
}

#[test]
fn a_signal_ends_it_with_the_terminal_as_it_was_found() {
    for signal in ["TERM", "HUP", "INT"] {
        let server = Server::start();
        let (mut terminal, mut companion) = chat(&server);
        terminal.type_keys("half-typed");
        terminal.wait_for_last_row("👉 Your message: half-typed");
        terminal.signal(signal);
        companion.expect_end();
        terminal.expect_exit(0);
    }
}

#[test]
fn when_the_companion_leaves_in_the_middle_of_typing_it_is_said_at_once() {
    let server = Server::start();
    let (mut terminal, companion) = chat(&server);
    terminal.type_keys("half-typed");
    terminal.wait_for_last_row("👉 Your message: half-typed");
    drop(companion);
    terminal.wait_for_last_row("👋 Nick2 has left");
    terminal.expect_exit(0);
}

#[test]
fn when_the_server_stops_in_the_middle_of_typing_it_is_said_at_once() {
    let mut server = Server::start();
    let (mut terminal, _companion) = chat(&server);
    terminal.type_keys("half-typed");
    terminal.wait_for_last_row("👉 Your message: half-typed");
    assert_eq!(server.stop(), Some(0));
    terminal.wait_for_last_row("👋 Nick2 has left");
    terminal.expect_exit(0);
}

#[cfg(feature = "keepalive")]
#[test]
fn when_the_server_is_killed_in_the_middle_of_typing_the_connection_is_lost() {
    let mut server = Server::start();
    let (mut terminal, _companion) = chat(&server);
    terminal.type_keys("half-typed");
    terminal.wait_for_last_row("👉 Your message: half-typed");
    server.kill();
    terminal.wait_for("❌ Connection lost: ");
    terminal.expect_exit(1);
}

#[test]
fn when_the_server_is_killed_while_one_waits_the_connection_is_lost() {
    let mut server = Server::start();
    let mut terminal = Terminal::named(server.port(), "Nick1");
    terminal.wait_for_row("⏳ Waiting for a companion...");
    server.kill();
    terminal.wait_for("❌ Connection lost: ");
    terminal.expect_exit(1);
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let port = port_without_a_server();
    let mut terminal = Terminal::client(port).start();
    terminal.wait_for(&format!("❌ Server unavailable at 127.0.0.1:{port}: "));
    terminal.expect_exit(1);
}

#[test]
fn a_chat_that_is_full_is_refused_at_once() {
    let server = Server::start();
    let _pair = pair(server.port(), "Nick1", "Nick2");
    let mut terminal = Terminal::client(server.port()).start();
    terminal.wait_for("❌ Chat refused: ");
    terminal.wait_for("full");
    terminal.expect_exit(1);
}

#[test]
fn help_lists_what_can_be_typed_and_is_not_sent() {
    let server = Server::start();
    let (terminal, mut companion) = chat(&server);
    terminal.enter("/help");
    for word in ["/exit", "/quit", "/help  ", "//text", "Ctrl+C", "Ctrl+D"] {
        terminal.wait_for(word);
    }
    terminal.enter("a message");
    companion.expect("a message\n");
}

#[test]
fn an_unknown_command_is_explained_and_not_sent_and_two_slashes_send_one() {
    let server = Server::start();
    let (terminal, mut companion) = chat(&server);
    terminal.enter("/frobnicate now");
    terminal.screen.wait_until("a row about /frobnicate that names /help", |screen| {
        support::rows_of(screen)
            .iter()
            .any(|row| row.contains("/frobnicate") && row.contains("/help") && !row.contains("Your message"))
    });
    terminal.enter("//frobnicate now");
    terminal.enter("1/2 is no command");
    companion.expect("/frobnicate now\n1/2 is no command\n");
}

#[test]
fn many_lines_typed_in_one_go_all_arrive_in_order() {
    let server = Server::start();
    let (terminal, mut companion) = chat(&server);
    let lines = support::numbered_lines("line", 500);
    // As a terminal without bracketed paste sends it.
    terminal.type_keys(lines.replace('\n', Keys::ENTER));
    companion.expect(&lines);
    terminal.enter("and on");
    companion.expect("and on\n");
}

#[test]
fn a_thousand_messages_all_appear_and_in_order() {
    let server = Server::start();
    let (mut terminal, mut companion) = chat(&server);
    for number in 1..=1_000 {
        companion.send(format!("message {number}\n"));
    }
    terminal.wait_for_last_rows(&["💬 Companion: message 1000", "👉 Your message:"]);
    let history = terminal.screen.history();
    let came = history.iter().filter(|row| row.contains("message ")).map(String::as_str).collect::<Vec<_>>();
    let expected = (1..=1_000).map(|number| format!("💬 Companion: message {number}")).collect::<Vec<_>>();
    assert_eq!(came, expected, "(what came, what was expected)");
    terminal.type_keys(Keys::CTRL_D);
    terminal.expect_exit(0);
}

#[test]
fn an_empty_line_of_the_companion_is_shown_as_one() {
    let server = Server::start();
    let (terminal, mut companion) = chat(&server);
    companion.send("one\n\ntwo\r\n\tthree\nwithout an end");
    companion.finish();
    terminal.wait_for_row("💬 Companion: without an end");
    let rows = terminal.screen.rows();
    let said = rows.iter().filter_map(|row| row.strip_prefix("💬 Companion:").map(str::trim)).collect::<Vec<_>>();
    assert_eq!(
        said,
        ["Connected to Nick2", "one", "", "two", "three", "without an end"],
        "(what came, what was expected)"
    );
}

#[test]
fn a_dumb_terminal_gets_a_simple_prompt_and_no_escape_codes() {
    let server = Server::start();
    let mut companion = Plain::waiting(server.port(), "Nick2");
    let mut terminal = Terminal::client(server.port()).environment("TERM", "dumb").start().answering("Nick1");
    companion.expect("Connected to Nick1\n");
    terminal.wait_for_last_rows(&["💬 Companion: Connected to Nick2", "👉 Your message:"]);
    terminal.type_keys("half-");
    terminal.wait_for_last_row("👉 Your message: half-");
    companion.send("meanwhile\n");
    // The prompt is shown again; the half-typed text stays with the terminal.
    terminal.wait_for_last_rows(&["👉 Your message: half-", "💬 Companion: meanwhile", "👉 Your message:"]);
    terminal.enter("typed");
    companion.expect("half-typed\n");
    terminal.enter("/exit");
    companion.expect_end();
    terminal.expect_exit(0);
    let raw = terminal.screen.raw();
    assert!(!raw.contains(&0x1b), "expected no escape codes, came: {:?}", String::from_utf8_lossy(&raw));
}

#[test]
fn no_color_means_no_colours() {
    for (no_color, expected) in [("", true), ("1", false)] {
        let server = Server::start();
        let mut terminal = Terminal::client(server.port()).environment("NO_COLOR", no_color).start();
        terminal.wait_for_last_row("👉 Enter your nickname:");
        terminal.enter("Nick1");
        terminal.wait_for_row("⏳ Waiting for a companion...");
        terminal.wait_for_last_row("👉 Your message:");
        let raw = String::from_utf8_lossy(&terminal.screen.raw()).into_owned();
        let coloured = raw.split("\x1b[").skip(1).any(|code| {
            code.find(|letter: char| letter.is_ascii_alphabetic())
                .is_some_and(|end| code[end..].starts_with('m') && !matches!(&code[..end], "" | "0"))
        });
        assert_eq!(coloured, expected, "(colours with NO_COLOR={no_color:?}) in: {raw:?}");
        terminal.type_keys(Keys::CTRL_C);
        terminal.expect_exit(0);
    }
}

//! The line editor: what one is typing stays as it is, whatever happens around it.
#![cfg(all(unix, feature = "line-editor"))]

mod support;

use support::{Keys, LIMIT, Plain, Server, Terminal, numbered_lines};

/// A client in a terminal, and a companion that speaks over a bare socket.
#[track_caller]
fn chat_in(server: &Server, rows: u16, columns: u16) -> (Terminal, Plain) {
    let mut companion = Plain::waiting(server.port(), "Nick2");
    let terminal = Terminal::client(server.port()).size(rows, columns).start().answering("Nick1");
    companion.expect("Connected to Nick1\n");
    terminal.wait_for_last_rows(&["💬 Companion: Connected to Nick2", "👉 Your message:"]);
    (terminal, companion)
}

#[track_caller]
fn chat(server: &Server) -> (Terminal, Plain) {
    chat_in(server, 24, 80)
}

/// Waits until the cursor is in this column, from 0.
#[track_caller]
fn wait_for_column(terminal: &Terminal, column: u16) {
    terminal
        .screen
        .wait_until(&format!("the cursor in column {column}"), |screen| screen.cursor_position().1 == column);
}

/// The column behind the prompt: `👉` takes two.
const BEHIND_THE_PROMPT: u16 = 17;

#[test]
fn a_half_typed_line_stays_intact_cursor_and_all_when_a_message_arrives() {
    let server = Server::start();
    let (terminal, mut companion) = chat(&server);
    terminal.type_keys("hello wrld");
    terminal.wait_for_last_row("👉 Your message: hello wrld");
    terminal.type_keys(Keys::LEFT.repeat(3));
    wait_for_column(&terminal, BEHIND_THE_PROMPT + 7);

    companion.send("first\nsecond\n");
    terminal.wait_for_last_rows(&[
        "💬 Companion: Connected to Nick2",
        "💬 Companion: first",
        "💬 Companion: second",
        "👉 Your message: hello wrld",
    ]);
    wait_for_column(&terminal, BEHIND_THE_PROMPT + 7);

    terminal.type_keys("o");
    terminal.wait_for_last_row("👉 Your message: hello world");
    terminal.type_keys(Keys::ENTER);
    companion.expect("hello world\n");
    terminal.wait_for_last_rows(&["👉 Your message: hello world", "👉 Your message:"]);
}

#[test]
fn wide_characters_and_emoji_are_edited_as_one_sees_them() {
    let server = Server::start();
    let (terminal, mut companion) = chat(&server);
    terminal.type_keys("日本語 naïve 👋");
    terminal.wait_for_last_row("👉 Your message: 日本語 naïve 👋");
    wait_for_column(&terminal, BEHIND_THE_PROMPT + 15);
    terminal.type_keys(Keys::LEFT);
    wait_for_column(&terminal, BEHIND_THE_PROMPT + 13);
    companion.send("続けて 🙂\n");
    terminal.wait_for_last_rows(&["💬 Companion: 続けて 🙂", "👉 Your message: 日本語 naïve 👋"]);
    wait_for_column(&terminal, BEHIND_THE_PROMPT + 13);
    terminal.type_keys("é");
    terminal.type_keys(Keys::HOME);
    wait_for_column(&terminal, BEHIND_THE_PROMPT);
    terminal.type_keys("字x");
    terminal.type_keys(Keys::BACKSPACE);
    terminal.wait_for_last_row("👉 Your message: 字日本語 naïve é👋");
    terminal.type_keys(Keys::ENTER);
    companion.expect("字日本語 naïve é👋\n");
}

#[test]
fn earlier_lines_can_be_recalled_but_not_the_nickname() {
    let server = Server::start();
    let (terminal, mut companion) = chat(&server);
    for line in ["first", "second"] {
        terminal.enter(line);
        companion.expect(&format!("{line}\n"));
        terminal.wait_for_last_rows(&[&format!("👉 Your message: {line}"), "👉 Your message:"]);
    }
    terminal.type_keys(Keys::UP);
    terminal.wait_for_last_row("👉 Your message: second");
    terminal.type_keys(Keys::UP);
    terminal.wait_for_last_row("👉 Your message: first");
    companion.send("meanwhile\n");
    terminal.wait_for_last_rows(&["💬 Companion: meanwhile", "👉 Your message: first"]);
    terminal.type_keys(" again");
    terminal.type_keys(Keys::ENTER);
    companion.expect("first again\n");
}

#[test]
fn pasted_text_of_many_lines_arrives_as_many_messages_in_order() {
    let server = Server::start();
    let (terminal, mut companion) = chat(&server);
    terminal.screen.wait_until("bracketed paste to be on", vt100::Screen::bracketed_paste);
    let lines = numbered_lines("pasted", 100);
    // A terminal sends CR for the end of each line, and marks the paste.
    terminal.type_keys(format!("\x1b[200~{}\x1b[201~", lines.trim_end().replace('\n', "\r")));
    terminal.wait_for("pasted 100");
    terminal.type_keys(Keys::ENTER);
    companion.expect(&lines);
    terminal.enter("and on");
    companion.expect("and on\n");
}

#[test]
fn a_paste_that_ends_in_a_line_end_loses_nothing_either() {
    let server = Server::start();
    let (terminal, mut companion) = chat(&server);
    terminal.screen.wait_until("bracketed paste to be on", vt100::Screen::bracketed_paste);
    terminal.type_keys("before, \x1b[200~one\rtwo\r\x1b[201~");
    terminal.type_keys("after\r");
    companion.expect("before, one\ntwo\nafter\n");
}

#[test]
fn a_message_in_the_middle_of_pasted_lines_breaks_nothing() {
    let server = Server::start();
    let (terminal, mut companion) = chat(&server);
    let lines = numbered_lines("line", 300);
    let messages = numbered_lines("message", 300);
    terminal.type_keys(lines.replace('\n', Keys::ENTER));
    companion.send(&messages);
    companion.expect(&lines);
    terminal.enter("the end");
    companion.expect("the end\n");
    // Wherever among the lines they have come, they are all there.
    let messages = || {
        let history = terminal.screen.history();
        history.into_iter().filter(|row| row.contains("message ")).collect::<Vec<_>>()
    };
    support::eventually(LIMIT, || messages().last()?.ends_with(" 300").then_some(()));
    let expected = (1..=300).map(|number| format!("💬 Companion: message {number}")).collect::<Vec<_>>();
    assert_eq!(messages(), expected, "(what came, what was expected)");
}

#[test]
fn a_thousand_messages_while_one_types_all_appear_in_order_and_the_line_stays() {
    let server = Server::start();
    let (terminal, mut companion) = chat(&server);
    terminal.type_keys("half-typed");
    terminal.wait_for_last_row("👉 Your message: half-typed");
    let mut typed = String::from("half-typed");
    for number in 1..=1_000 {
        companion.send(format!("message {number}\n"));
        if number % 100 == 0 {
            terminal.type_keys("!");
            typed.push('!');
        }
    }
    terminal.wait_for_last_rows(&["💬 Companion: message 1000", &format!("👉 Your message: {typed}")]);
    let history = terminal.screen.history();
    let came = history.iter().filter(|row| row.contains("message ")).map(String::as_str).collect::<Vec<_>>();
    let expected = (1..=1_000).map(|number| format!("💬 Companion: message {number}")).collect::<Vec<_>>();
    assert_eq!(came, expected, "(what came, what was expected)");
    terminal.type_keys(Keys::ENTER);
    companion.expect(&format!("{typed}\n"));
}

#[test]
fn the_window_may_change_its_size_while_one_types() {
    let server = Server::start();
    let (terminal, mut companion) = chat(&server);
    terminal.type_keys("typed in the wide window");
    terminal.wait_for_last_row("👉 Your message: typed in the wide window");
    terminal.resize(30, 50);
    companion.send("in the narrow one\n");
    terminal.wait_for_last_rows(&["💬 Companion: in the narrow one", "👉 Your message: typed in the wide window"]);
    terminal.type_keys(", and in the narrow");
    terminal.wait_for_last_rows(&["👉 Your message: typed in the wide window, and in", "the narrow"]);
    companion.send("still narrow\n");
    terminal.wait_for_last_rows(&[
        "💬 Companion: in the narrow one",
        "💬 Companion: still narrow",
        "👉 Your message: typed in the wide window, and in",
        "the narrow",
    ]);
    terminal.resize(24, 120);
    terminal.type_keys(", and wide again");
    terminal.type_keys(Keys::ENTER);
    companion.expect("typed in the wide window, and in the narrow, and wide again\n");
}

#[test]
fn a_line_of_several_rows_stays_intact_when_a_message_arrives() {
    let server = Server::start();
    let (terminal, mut companion) = chat_in(&server, 24, 40);
    // 17 columns of prompt and 23 of text, then 40, then the rest.
    let line = "abcdefghijklmnopqrstuvw0123456789012345678901234567890123456789tail";
    terminal.type_keys(line);
    let rows = ["👉 Your message: abcdefghijklmnopqrstuvw", "0123456789012345678901234567890123456789", "tail"];
    terminal.wait_for_last_rows(&rows);
    terminal.type_keys(Keys::LEFT.repeat(10));
    wait_for_column(&terminal, 34);
    companion.send("short\n");
    companion.send("a message that is longer than a row of this window\n");
    terminal.wait_for_last_rows(&[
        "💬 Companion: Connected to Nick2",
        "💬 Companion: short",
        "💬 Companion: a message that is longer t",
        "han a row of this window",
        rows[0],
        rows[1],
        rows[2],
    ]);
    wait_for_column(&terminal, 34);
    terminal.type_keys("!");
    terminal.type_keys(Keys::ENTER);
    companion.expect(&format!("{}!{}\n", &line[..57], &line[57..]));
}

#[test]
fn ctrl_c_in_the_middle_of_a_line_sends_nothing_of_it() {
    let server = Server::start();
    let (mut terminal, mut companion) = chat(&server);
    terminal.type_keys("never sent");
    terminal.wait_for_last_row("👉 Your message: never sent");
    terminal.type_keys(Keys::CTRL_C);
    companion.expect_end();
    terminal.expect_exit(0);
}

#[test]
fn ctrl_d_in_the_middle_of_a_line_does_not_leave() {
    let server = Server::start();
    let (terminal, mut companion) = chat(&server);
    terminal.type_keys("abc");
    terminal.wait_for_last_row("👉 Your message: abc");
    terminal.type_keys(Keys::HOME);
    wait_for_column(&terminal, BEHIND_THE_PROMPT);
    terminal.type_keys(Keys::CTRL_D);
    terminal.wait_for_last_row("👉 Your message: bc");
    terminal.type_keys(Keys::ENTER);
    companion.expect("bc\n");
}

#[test]
fn the_companions_last_words_are_shown_before_it_is_said_to_have_left() {
    let server = Server::start();
    let (mut terminal, mut companion) = chat(&server);
    terminal.type_keys("half-typed");
    terminal.wait_for_last_row("👉 Your message: half-typed");
    companion.send("bye\nand good night\n");
    drop(companion);
    terminal.wait_for_last_row("👋 Nick2 has left");
    terminal.expect_exit(0);
    let rows = terminal.screen.rows();
    let said = rows.iter().filter(|row| row.starts_with("💬") || row.starts_with("👋")).collect::<Vec<_>>();
    let expected =
        ["💬 Companion: Connected to Nick2", "💬 Companion: bye", "💬 Companion: and good night", "👋 Nick2 has left"];
    assert_eq!(said, expected, "(what came, what was expected)");
}

#[test]
fn a_chat_that_ends_at_the_very_moment_of_enter_leaves_the_terminal_as_it_was_found() {
    for _ in 0..20 {
        let server = Server::start();
        let (mut terminal, mut companion) = chat(&server);
        terminal.enter("the last line");
        // The editor is on its way to the next line now.
        companion.expect("the last line\n");
        drop(companion);
        terminal.expect_exit(0);
    }
}

#[test]
fn a_chat_that_is_refused_at_the_very_moment_of_the_question_leaves_the_terminal_as_it_was_found() {
    for _ in 0..20 {
        let address = support::impostor(b"Enter your nickname: Chat refused: full\n");
        let mut terminal = Terminal::client(address.port()).start();
        terminal.expect_exit(1);
        let rows = terminal.screen.rows();
        assert!(rows.iter().any(|row| row == "❌ Chat refused: full"), "expected the reason, came: {rows:?}");
    }
}

#[test]
fn typed_control_characters_are_not_sent() {
    let server = Server::start();
    let (terminal, mut companion) = chat(&server);
    // Ctrl+V takes the next key as it is.
    terminal.type_keys("a\x16\x1b[31mb");
    terminal.type_keys(Keys::ENTER);
    companion.expect("a[31mb\n");
}

//! The client between pipes, as a script would use it.

mod support;

use std::thread;

use support::{
    Client, End, LIMIT, Plain, Server, assert_same_bytes, eventually, numbered_lines, waits_for_a_pipe, write_in_chunks,
};

#[test]
fn messages_go_from_stdin_to_the_companions_stdout() {
    let server = Server::start();
    let (mut nick1, mut nick2) = Client::pair(server.port(), "Nick1", "Nick2");
    nick1.send("Sup\n");
    nick2.output.wait_for("Sup");
    nick2.send("Hi:>\n");
    nick1.output.wait_for("Hi:>");
    nick1.finish();
    nick2.finish();
    nick1.expect_exit(0);
    nick2.expect_exit(0);
    assert_eq!(nick1.output.whole_text(), "Hi:>\n");
    assert_eq!(nick2.output.whole_text(), "Sup\n");
    assert_eq!(nick1.errors.whole_text(), "Waiting for a companion...\nConnected to Nick2\nNick2 has left\n");
    assert_eq!(nick2.errors.whole_text(), "Connected to Nick1\nNick1 has left\n");
}

#[test]
fn what_a_script_says_waits_for_its_companion_and_arrives_whole() {
    let server = Server::start();
    let mut script = Client::named(server.port(), "ci");
    script.send("a\nb\n");
    script.finish();
    script.errors.wait_for("Waiting for a companion...");

    let mut companion = Plain::named(server.port(), "Nick2");
    companion.expect("Connected to ci\na\nb\n");
    companion.expect_end();
    // It stays until its companion is done too.
    companion.send("seen\n");
    script.output.wait_for("seen");
    companion.finish();
    script.expect_exit(0);
    assert_eq!(script.output.whole_text(), "seen\n");
}

#[test]
fn a_script_that_comes_second_delivers_everything_too() {
    let server = Server::start();
    let mut companion = Plain::waiting(server.port(), "Nick1");
    let mut script = Client::named(server.port(), "ci");
    script.send("a\nb\nthe last without its end");
    script.finish();
    companion.expect("Connected to ci\na\nb\nthe last without its end\n");
    companion.expect_end();
    companion.finish();
    script.expect_exit(0);
}

#[test]
fn without_nick_the_first_line_is_the_nickname() {
    let server = Server::start();
    let mut companion = Plain::waiting(server.port(), "Nick1");
    let mut script = Client::with(&["127.0.0.1", &server.port().to_string()]);
    script.send("Nick2\nhello\n");
    companion.expect("Connected to Nick2\nhello\n");
    script.finish();
    companion.expect_end();
    companion.finish();
    script.expect_exit(0);
    assert_eq!(script.output.whole_text(), "");
}

#[test]
fn without_any_nickname_the_client_says_how_to_give_one() {
    let server = Server::start();
    let (code, errors, output) = Client::run(&["127.0.0.1", &server.port().to_string()]);
    assert_eq!((code, output.as_str()), (Some(1), ""), "stderr:\n{errors}");
    assert!(errors.starts_with("❌ ") && errors.contains("--nick"), "expected how to give a nickname, came: {errors}");
}

#[test]
fn stdout_is_exactly_the_companions_text() {
    let server = Server::start();
    let mut script = Client::named(server.port(), "ci");
    let mut companion = Plain::connect(server.port());
    companion.expect("Enter your nickname: ");
    script.errors.wait_for("Waiting for a companion...");
    companion.send("Nick2\n");
    companion.expect("Connected to ci\n");
    let text = "plain\n\n  blanks around  \ttab\n日本語 👋🏽\n\x1b[31mred\x1b[0m\x07\n".as_bytes();
    let text = [text, b"not utf-8: \xff\xfe\n", &vec![b'x'; 200_000], b"\nno end"].concat();
    companion.send(&text);
    companion.finish();
    script.finish();
    script.expect_exit(0);
    // The last line gets the end that it lacked.
    assert_same_bytes(&script.output.whole(), &[&text[..], b"\n"].concat());
}

#[test]
fn lines_go_out_as_they_are() {
    let server = Server::start();
    let mut companion = Plain::waiting(server.port(), "Nick1");
    let mut script = Client::named(server.port(), "ci");
    let text = "\n  blanks around  \ttab\n日本語 👋🏽\n/help\n//text\n/exit now\n /exit\n/quitting\n";
    let long = format!("{}\n", "x".repeat(200_000));
    script.send(text);
    script.send(&long);
    script.finish();
    companion.expect("Connected to ci\n");
    let expected = [text, &long].concat();
    assert_same_bytes(&companion.take(expected.len()), expected.as_bytes());
    companion.expect_end();
}

#[test]
fn nothing_is_decorated_between_pipes() {
    let server = Server::start();
    let (mut nick1, mut nick2) = Client::pair(server.port(), "Nick1", "Nick2");
    nick1.send("hello\n");
    nick2.output.wait_for("hello");
    nick1.finish();
    nick2.finish();
    for client in [&mut nick1, &mut nick2] {
        client.expect_exit(0);
        let all = [client.output.whole_text(), client.errors.whole_text()].concat();
        assert!(
            !all.contains('\x1b') && !all.contains("Enter your nickname") && all.is_ascii(),
            "expected plain text, came: {all:?}"
        );
    }
}

#[test]
fn exit_and_quit_leave_and_what_stands_before_them_arrives() {
    for command in ["/exit", "/quit"] {
        let server = Server::start();
        let mut companion = Plain::waiting(server.port(), "Nick1");
        let mut script = Client::named(server.port(), "ci");
        script.send(&format!("first\n{command}\nnever sent\n"));
        companion.expect("Connected to ci\nfirst\n");
        companion.expect_end();
        script.expect_exit(0);
    }
}

#[test]
fn a_script_that_says_exit_before_anybody_came_is_heard_all_the_same() {
    let server = Server::start();
    let mut script = Client::named(server.port(), "ci");
    script.send("build failed\n/exit\n");
    script.errors.wait_for("Waiting for a companion...");
    let mut companion = Plain::named(server.port(), "Nick1");
    companion.expect("Connected to ci\nbuild failed\n");
    companion.expect_end();
    script.expect_exit(0);
}

#[test]
fn when_the_companion_leaves_the_client_ends() {
    let server = Server::start();
    let (mut nick1, mut nick2) = Client::pair(server.port(), "Nick1", "Nick2");
    nick2.send("bye\n");
    nick2.send("/exit\n");
    nick2.expect_exit(0);
    // Its own stdin is still open, and silent.
    nick1.expect_exit(0);
    assert_eq!(nick1.output.whole_text(), "bye\n");
    assert_eq!(nick1.errors.whole_text(), "Waiting for a companion...\nConnected to Nick2\nNick2 has left\n");
}

#[test]
fn what_stdin_still_has_is_sent_after_the_companion_has_said_its_last() {
    let server = Server::start();
    let mut companion = Plain::waiting(server.port(), "Nick1");
    let mut script = Client::named(server.port(), "ci");
    companion.expect("Connected to ci\n");
    companion.send("go on, I am listening\n");
    companion.finish();
    script.output.wait_for("go on, I am listening");
    let lines = numbered_lines("line", 300_000);
    let mut input = script.take_input();
    let writing = thread::spawn(move || {
        let lines = numbered_lines("line", 300_000);
        write_in_chunks(&mut input, lines.as_bytes(), 60_000, 5)
    });
    assert_same_bytes(&companion.take(lines.len()), lines.as_bytes());
    writing.join().expect("no panic").expect("all is taken");
    companion.expect_end();
    script.expect_exit(0);
}

#[test]
fn a_closed_stdout_ends_the_client_quietly() {
    let server = Server::start();
    let mut companion = Plain::waiting(server.port(), "Nick1");
    let port = server.port().to_string();
    let mut script = Client::with_closed_output(&["127.0.0.1", &port, "--nick", "ci"]);
    companion.expect("Connected to ci\n");
    companion.send("nobody reads this\n");
    script.expect_exit(0);
    assert_eq!(script.errors.whole_text(), "Connected to Nick1\n");
    let (_, end) = companion.rest();
    assert_ne!(end, End::NotYet, "expected the companion to see the end");
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_the_client_even_when_nobody_takes_what_it_shows() {
    let server = Server::start();
    let mut companion = Plain::waiting(server.port(), "Nick1");
    let port = server.port().to_string();
    let (mut script, unread) = Client::with_output_to(&["127.0.0.1", &port, "--nick", "ci"]);
    companion.expect("Connected to ci\n");
    // More than a pipe takes, and less than what the system holds under way.
    companion.send("nobody reads this\n".repeat(10_000));
    let stuck = eventually(LIMIT, || waits_for_a_pipe(script.id()));
    assert!(stuck.is_some(), "expected it to wait for its output to be taken");
    script.signal("TERM");
    script.expect_exit(0);
    drop(unread);
}

#[test]
fn ten_thousand_lines_both_ways_at_once_arrive_complete_and_in_order() {
    let server = Server::start();
    let (mut nick1, mut nick2) = Client::pair(server.port(), "Nick1", "Nick2");
    let writing = [(&mut nick1, "one", 3), (&mut nick2, "two", 4)].map(|(client, name, seed)| {
        let mut input = client.take_input();
        thread::spawn(move || {
            let lines = numbered_lines(name, 10_000);
            write_in_chunks(&mut input, lines.as_bytes(), 3_000, seed)
        })
    });
    for thread in writing {
        thread.join().expect("no panic").expect("all is taken");
    }
    nick1.expect_exit(0);
    nick2.expect_exit(0);
    assert_same_bytes(&nick1.output.whole(), numbered_lines("two", 10_000).as_bytes());
    assert_same_bytes(&nick2.output.whole(), numbered_lines("one", 10_000).as_bytes());
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_the_client_in_order() {
    for signal in ["INT", "TERM", "HUP"] {
        let server = Server::start();
        let mut companion = Plain::waiting(server.port(), "Nick1");
        let mut script = Client::named(server.port(), "ci");
        companion.expect("Connected to ci\n");
        script.errors.wait_for("Connected to Nick1");
        script.signal(signal);
        companion.expect_end();
        script.expect_exit(0);
    }
}

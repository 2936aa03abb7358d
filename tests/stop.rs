//! How the server stops: in order, at once, and with everybody told.
#![cfg(unix)]

mod support;

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::{Client, End, Plain, Server, pair};

/// Stops the server with a signal; it has to be gone in order within a second.
#[track_caller]
fn stop_within_a_second(server: &mut Server, signal: &str) {
    let begun = Instant::now();
    server.signal(signal);
    let code = server.exit_code();
    let taken = begun.elapsed();
    assert_eq!(code, Some(0), "(exit code after {signal}, as expected)");
    assert!(taken < Duration::from_secs(1), "expected to stop within 1 s after {signal}, took {taken:?}");
    let log = server.log.whole_text();
    let last = log.lines().last().unwrap_or_default();
    assert!(
        last.ends_with(" - INFO - 🛑 Server stopped"),
        "expected as the last line: 🛑 Server stopped, came:\n{log}"
    );
}

#[test]
fn on_each_signal_both_clients_see_an_orderly_end() {
    for signal in ["TERM", "INT", "HUP"] {
        let mut server = Server::start();
        let (mut nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
        nick1.send("before the stop\n");
        nick2.expect("before the stop\n");
        stop_within_a_second(&mut server, signal);
        nick1.expect_end();
        nick2.expect_end();
    }
}

#[test]
fn a_server_without_clients_stops_too() {
    for host in ["127.0.0.1", "localhost", "0.0.0.0"] {
        let mut server = Server::on(host).start();
        stop_within_a_second(&mut server, "TERM");
    }
}

#[test]
fn a_client_without_a_companion_is_told_that_the_server_is_stopping() {
    let mut server = Server::start();
    let mut asked = Plain::connect(server.port());
    asked.expect("Enter your nickname: ");
    let mut waiting = Plain::waiting(server.port(), "Nick1");
    stop_within_a_second(&mut server, "TERM");
    waiting.expect_refusal("stopping");
    asked.expect_refusal("stopping");
}

/// Writes until nothing moves any more.
#[track_caller]
fn write_until_stuck(mut stream: &TcpStream) {
    stream.set_write_timeout(Some(Duration::from_millis(200))).expect("a socket takes a limit");
    let stuck = loop {
        if let Err(error) = stream.write(&[b'x'; 64 * 1024]) {
            break error.kind();
        }
    };
    assert!(matches!(stuck, ErrorKind::WouldBlock | ErrorKind::TimedOut), "expected to be stuck, came: {stuck}");
}

#[test]
fn a_pair_that_is_stuck_does_not_delay_the_stop() {
    let mut server = Server::start();
    let (nick1, nick2) = pair(server.port(), "Nick1", "Nick2");
    // Nobody reads, in both directions.
    for end in [&nick1, &nick2] {
        write_until_stuck(end.stream());
    }
    stop_within_a_second(&mut server, "TERM");
}

#[test]
fn a_second_ctrl_c_exits_at_once() {
    // An orderly stop is over so soon that the second one may come too late: then it is tried again.
    let codes = (0..10).map(|_| {
        let mut server = Server::on("127.0.0.1").argument("--sessions").argument("2").start();
        let (nick1, _nick2) = pair(server.port(), "Nick1", "Nick2");
        write_until_stuck(nick1.stream());
        let mut waiting = Plain::waiting(server.port(), "Nick3");
        server.signal("INT");
        // It is stopping now, and the pair that is stuck holds it up for a moment.
        waiting.expect_refusal("stopping");
        server.signal("INT");
        server.exit_code()
    });
    let codes = codes.take_while(|code| *code != Some(130)).collect::<Vec<_>>();
    assert!(codes.len() < 10, "expected exit code 130 once in ten times, came: {codes:?}");
}

#[test]
fn a_hundred_silent_connections_do_not_delay_the_stop() {
    let mut server = Server::start();
    let mut silent = (0..100).map(|_| Plain::connect(server.port())).collect::<Vec<_>>();
    silent[99].expect("Enter your nickname: ");
    stop_within_a_second(&mut server, "INT");
    for mut one in silent {
        let (came, end) = one.rest();
        assert_ne!(end, End::NotYet, "expected an end, came: {came}");
    }
}

#[test]
fn both_real_clients_end_when_the_server_stops() {
    let mut server = Server::start();
    let (mut nick1, mut nick2) = Client::pair(server.port(), "Nick1", "Nick2");
    nick1.send("hello\n");
    nick2.output.wait_for("hello");
    stop_within_a_second(&mut server, "TERM");
    nick1.errors.wait_for("Nick2 has left");
    nick2.errors.wait_for("Nick1 has left");
    nick1.expect_exit(0);
    nick2.expect_exit(0);
}

#[test]
fn the_port_can_be_taken_again_at_once() {
    let mut server = Server::start();
    let port = server.port();
    let (nick1, nick2) = pair(server.port(), "Nick1", "Nick2");
    // The server closes first, so that its side stays behind in TIME_WAIT.
    stop_within_a_second(&mut server, "TERM");
    let mut again = Server::on("127.0.0.1").port(port).start();
    drop((nick1, nick2));
    stop_within_a_second(&mut again, "TERM");
}

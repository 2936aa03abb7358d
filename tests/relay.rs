//! The server's main job, with bare sockets as clients: two meet, what one says reaches the other, and nobody else.

mod support;

use std::io::{ErrorKind, Write};
use std::net::{TcpListener, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

use support::{End, LIMIT, Plain, Server, assert_same_bytes, numbered_lines, pair, write_in_chunks};

#[test]
fn two_clients_meet_and_talk() {
    let server = Server::start();
    let mut nick1 = Plain::connect(server.port());
    nick1.expect("Enter your nickname: ");
    nick1.send("Nick1\n");
    nick1.expect("Waiting for a companion...\n");

    let mut nick2 = Plain::connect(server.port());
    nick2.expect("Enter your nickname: ");
    nick2.send("Nick2\n");
    nick2.expect("Connected to Nick1\n");
    nick1.expect("Connected to Nick2\n");

    nick1.send("Sup\n");
    nick2.expect("Sup\n");
    nick2.send("Hi:>\n");
    nick1.expect("Hi:>\n");

    drop(nick1);
    nick2.expect_end();
}

#[test]
fn a_third_client_is_told_the_chat_is_full() {
    let server = Server::start();
    let (mut nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
    for _ in 0..3 {
        Plain::connect(server.port()).expect_refusal("full");
    }
    nick1.send("undisturbed\n");
    nick2.expect("undisturbed\n");
    nick2.send("so am I\n");
    nick1.expect("so am I\n");
}

#[test]
fn a_third_client_that_was_asked_already_is_told_the_chat_is_full() {
    let server = Server::start();
    let mut late = Plain::connect(server.port());
    late.expect("Enter your nickname: ");
    let (mut nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
    late.try_send("Late\n");
    late.expect_refusal("full");
    nick1.send("undisturbed\n");
    nick2.expect("undisturbed\n");
}

#[test]
fn silent_connections_take_no_seat() {
    let server = Server::start();
    let mut silent = (0..10).map(|_| Plain::connect(server.port())).collect::<Vec<_>>();
    for one in &mut silent {
        one.expect("Enter your nickname: ");
    }
    let (mut nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
    nick1.send("here we are\n");
    nick2.expect("here we are\n");
}

#[test]
fn when_a_chat_ends_the_next_two_can_meet() {
    let server = Server::start();
    for round in 1..=3 {
        let (mut nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
        nick1.send(format!("round {round}\n"));
        nick2.expect(&format!("round {round}\n"));
        drop((nick1, nick2));
        server.wait_for_logs(round + 1, "🟢 Waiting for 2 clients to connect...");
    }
}

#[test]
fn a_client_that_leaves_while_waiting_frees_its_seat_at_once() {
    let server = Server::start();
    let gone = Plain::waiting(server.port(), "Gone");
    drop(gone);
    server.wait_for_log("👋 Client 1 (Gone) left");

    let mut half_gone = Plain::waiting(server.port(), "HalfGone");
    half_gone.finish();
    half_gone.expect_end();

    // The nickname is free again too.
    let (mut nick1, mut nick2) = pair(server.port(), "Gone", "HalfGone");
    nick1.send("hello\n");
    nick2.expect("hello\n");
}

#[test]
fn an_end_in_one_direction_leaves_the_other_open() {
    let server = Server::start();
    let (mut nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
    nick1.send("my last words\n");
    nick1.finish();
    nick2.expect("my last words\n");
    nick2.expect_end();

    nick2.send("and here is my answer\n");
    nick1.expect("and here is my answer\n");
    nick2.send("all of it\n");
    nick2.finish();
    nick1.expect("all of it\n");
    nick1.expect_end();
}

#[test]
fn bytes_behind_the_nickname_reach_the_companion_first() {
    let server = Server::start();
    let mut nick1 = Plain::connect(server.port());
    nick1.send("Nick1\nfirst\nsec");
    nick1.expect("Enter your nickname: Waiting for a companion...\n");

    let mut nick2 = Plain::connect(server.port());
    nick2.send("Nick2\nat once\n");
    nick2.expect("Enter your nickname: Connected to Nick1\nfirst\nsec");
    nick1.expect("Connected to Nick2\nat once\n");
    nick1.send("ond\n");
    nick2.expect("ond\n");
}

#[test]
fn words_said_while_waiting_reach_the_companion_first() {
    let server = Server::start();
    let mut nick1 = Plain::waiting(server.port(), "Nick1");
    nick1.send("is anybody there?\n");
    nick1.send("hello?\n");
    let mut nick2 = Plain::named(server.port(), "Nick2");
    nick2.expect("Connected to Nick1\nis anybody there?\nhello?\n");
    nick1.expect("Connected to Nick2\n");
    nick1.send("there you are\n");
    nick2.expect("there you are\n");
}

#[test]
fn words_said_before_the_end_of_input_are_not_lost_with_a_companion() {
    let server = Server::start();
    let mut nick1 = Plain::waiting(server.port(), "Nick1");
    let mut nick2 = Plain::connect(server.port());
    nick2.send("Nick2\na\nb\n");
    nick2.finish();
    nick2.expect("Enter your nickname: Connected to Nick1\n");
    nick1.expect("Connected to Nick2\na\nb\n");
    nick1.expect_end();
    nick1.send("thanks\n");
    nick2.expect("thanks\n");
}

#[test]
fn more_than_64_kib_said_while_waiting_is_held_back_and_not_lost() {
    const FAR_TOO_MUCH: usize = 256 << 20;
    let server = Server::start();
    let mut nick1 = Plain::waiting(server.port(), "Nick1");
    // Large enough for a few socket buffers, and different everywhere.
    let block = numbered_lines("line", 20_000);
    let mut sent = Vec::new();
    nick1.stream().set_write_timeout(Some(Duration::from_millis(300))).expect("a socket takes a limit");
    loop {
        let from = sent.len() % block.len();
        match nick1.stream().write(&block.as_bytes()[from..]) {
            Ok(length) => sent.extend(&block.as_bytes()[from..from + length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                break;
            }
            Err(error) => panic!("expected to be held back, came: {error}"),
        }
        assert!(sent.len() < FAR_TOO_MUCH, "expected to be held back, the server took {} bytes", sent.len());
    }
    assert!(sent.len() > 64 << 10, "expected more than 64 KiB, sent {}", sent.len());

    let mut nick2 = Plain::named(server.port(), "Nick2");
    nick2.expect("Connected to Nick1\n");
    assert_same_bytes(&nick2.take(sent.len()), &sent);
    nick1.expect("Connected to Nick2\n");
    nick1.send("and on\n");
    nick2.expect("and on\n");
}

#[test]
fn every_byte_passes_unchanged() {
    let server = Server::start();
    let (mut nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
    let all = (0..=u8::MAX).chain((0..=u8::MAX).rev()).collect::<Vec<_>>();
    nick1.send(&all);
    assert_same_bytes(&nick2.take(all.len()), &all);
    nick2.send(&all);
    assert_same_bytes(&nick1.take(all.len()), &all);
}

#[test]
fn ten_thousand_lines_both_ways_at_once_arrive_complete_and_in_order() {
    let server = Server::start();
    let (nick1, nick2) = pair(server.port(), "Nick1", "Nick2");
    let ends = [(nick1, "one", "two", 1), (nick2, "two", "one", 2)];
    let threads = ends.map(|(mut end, own, other, seed)| {
        thread::spawn(move || {
            let mut writer = end.stream().try_clone().expect("another handle");
            let writing = thread::spawn(move || {
                let lines = numbered_lines(own, 10_000);
                write_in_chunks(&mut writer, lines.as_bytes(), 3_000, seed)
            });
            let expected = numbered_lines(other, 10_000);
            let came = end.take(expected.len());
            assert_same_bytes(&came, expected.as_bytes());
            writing.join().expect("the writer does not panic").expect("all is sent");
            end.finish();
            end.expect_end();
        })
    });
    for thread in threads {
        thread.join().expect("every line arrives");
    }
}

#[test]
fn small_messages_are_not_held_back() {
    let server = Server::start();
    let (mut nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
    let begun = Instant::now();
    for _ in 0..100 {
        nick1.send("p");
        nick2.expect("p");
        nick1.send("i");
        nick1.send("ng\n");
        nick2.expect("ing\n");
        nick2.send("pong\n");
        nick1.expect("pong\n");
    }
    // With Nagle's algorithm and a delayed acknowledgement each round would take 40 ms.
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(2), "expected 100 rounds in less than 2 s, took {taken:?}");
}

#[test]
fn three_sessions_run_beside_each_other_and_do_not_mix() {
    let server = Server::on("127.0.0.1").argument("--sessions").argument("3").start();
    let mut pairs = ["A", "B", "C"].map(|name| pair(server.port(), &format!("{name}1"), &format!("{name}2")));
    Plain::connect(server.port()).expect_refusal("full");
    for (number, (one, _)) in pairs.iter_mut().enumerate() {
        one.send(format!("this is {number}\n"));
    }
    for (number, (one, other)) in pairs.iter_mut().enumerate().rev() {
        other.expect(&format!("this is {number}\n"));
        other.send(format!("heard {number}\n"));
        one.expect(&format!("heard {number}\n"));
    }
    let [first, second, third] = pairs;
    drop(second);
    server.wait_for_log("🏁 Chat session ended: B1 and B2");
    server.wait_for_logs(2, "🟢 Waiting for 2 clients");
    let (mut next1, mut next2) = pair(server.port(), "D1", "D2");
    next1.send("in the free seats\n");
    next2.expect("in the free seats\n");
    drop((first, third));
}

#[test]
fn the_same_nickname_may_be_used_in_another_session() {
    let server = Server::on("127.0.0.1").argument("--sessions").argument("2").start();
    let (_one, _other) = pair(server.port(), "Nick1", "Nick2");
    let (mut one, mut other) = pair(server.port(), "Nick1", "Nick2");
    one.send("hello\n");
    other.expect("hello\n");
}

#[test]
fn every_address_of_the_host_is_listened_on() {
    let server = Server::on("localhost").start();
    let addresses =
        ("localhost", server.port()).to_socket_addrs().expect("localhost has an address").collect::<Vec<_>>();
    let mut first = Plain::connect_to(addresses[0]);
    first.expect("Enter your nickname: ");
    first.send("Nick1\n");
    first.expect("Waiting for a companion...\n");
    for address in &addresses {
        let mut visitor = Plain::connect_to(*address);
        visitor.expect("Enter your nickname: ");
    }
    let mut second = Plain::connect_to(addresses[addresses.len() - 1]);
    second.expect("Enter your nickname: ");
    second.send("Nick2\n");
    second.expect("Connected to Nick1\n");
    first.expect("Connected to Nick2\n");
    first.send("across\n");
    second.expect("across\n");
}

#[test]
fn ipv6_works_as_ipv4_does() {
    if TcpListener::bind("[::1]:0").is_err() {
        return; // a machine without IPv6
    }
    let server = Server::on("::1").start();
    let address = format!("[::1]:{}", server.port()).parse().expect("an address");
    let mut nick1 = Plain::connect_to(address);
    nick1.expect("Enter your nickname: ");
    nick1.send("Nick1\n");
    nick1.expect("Waiting for a companion...\n");
    let mut nick2 = Plain::connect_to(address);
    nick2.expect("Enter your nickname: ");
    nick2.send("Nick2\n");
    nick2.expect("Connected to Nick1\n");
    nick1.expect("Connected to Nick2\n");
    nick2.send("over six\n");
    nick1.expect("over six\n");
}

#[test]
fn a_talk_that_grew_large_may_become_small_again() {
    let server = Server::start();
    let (mut nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
    for size in [1, 100_000, 1, 8 << 20, 1, 3_000_000, 64] {
        let bytes = vec![b'x'; size];
        let sending = bytes.clone();
        let writer = nick1.stream().try_clone().expect("another handle");
        let writing = thread::spawn(move || (&writer).write_all(&sending));
        assert_same_bytes(&nick2.take(size), &bytes);
        writing.join().expect("the writer does not panic").expect("all is sent");
    }
    drop(nick2);
    let (came, end) = nick1.rest_bytes(LIMIT);
    assert_eq!((came.len(), end), (0, End::Orderly));
}

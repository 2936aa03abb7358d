//! What the network, or a companion, can do to a chat under way, and what is left of it for the others.

mod support;

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use p2p_chat::server::Limits;
use support::{End, InProcess, LIMIT, Plain, Server, pair};

/// Writes until the other side has not taken anything for a while, or the connection ends: how it ended up.
fn write_until_stuck(mut stream: &TcpStream, patience: Duration) -> ErrorKind {
    stream.set_write_timeout(Some(patience)).expect("a socket takes a limit");
    let block = [b'x'; 64 * 1024];
    loop {
        if let Err(error) = stream.write(&block) {
            return error.kind();
        }
    }
}

/// How an abnormal end of the companion arrives.
#[track_caller]
#[test]
fn who_answers_somebody_who_has_left_still_hears_all_that_was_said() {
    let server = Server::start();
    let (mut nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
    nick1.send("x".repeat(200_000));
    nick1.finish();
    drop(nick1);
    server.wait_for_log("👋 Client 1 (Nick1) left");
    // The answer meets a closed connection, and the next line is told so; Nick2 reads only after that.
    nick2.send("one\n");
    assert!(!server.has_logged_within("🏁", Duration::from_secs(2)), "expected Nick2 to be left in peace for a while");
    nick2.send("two\n");
    assert!(!server.has_logged_within("🏁", Duration::from_secs(1)), "expected Nick2 to be left in peace for a while");
    let (came, end) = nick2.rest();
    assert_eq!((came.len(), end), (200_000, End::Orderly), "(bytes that came, how it ended)");
}

fn expect_broken(client: &mut Plain) {
    let (came, end) = client.rest();
    let expected = if cfg!(feature = "keepalive") { End::Reset } else { End::Orderly };
    assert_eq!((came.as_str(), end), ("", expected), "(what came, what was expected)");
}

#[test]
fn a_companion_that_stops_reading_ends_its_own_chat_and_no_other() {
    let limits = Limits { stalled: Duration::from_millis(600), ..Limits::default() };
    let server = InProcess::start(2, limits);
    let (mut talker, deaf) = pair(server.port(), "Talker", "Deaf");
    let (mut one, mut other) = pair(server.port(), "One", "Other");

    let begun = Instant::now();
    let stuck = write_until_stuck(talker.stream(), LIMIT);
    assert!(
        !matches!(stuck, ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "expected the connection to be ended, came: {stuck} after {:?}",
        begun.elapsed()
    );
    let (_, end) = talker.rest();
    assert_ne!(end, End::NotYet, "expected an end for who talked");

    one.send("not touched\n");
    other.expect("not touched\n");
    other.send("me neither\n");
    one.expect("me neither\n");

    let (mut next1, mut next2) = eventually_pair(server.port());
    next1.send("in their seats\n");
    next2.expect("in their seats\n");
    drop(deaf);
}

/// A pair that takes the seats as soon as they are free: a refusal is tried again, within the limit.
#[track_caller]
fn eventually_pair(port: u16) -> (Plain, Plain) {
    let waiting = support::eventually(LIMIT, || {
        let mut client = Plain::connect(port);
        client.try_send("Next1\n");
        (client.line() == "Enter your nickname: Waiting for a companion...").then_some(client)
    });
    let mut first = waiting.expect("expected a free seat within the limit");
    let mut second = Plain::named(port, "Next2");
    second.expect("Connected to Next1\n");
    first.expect("Connected to Next2\n");
    (first, second)
}

#[test]
fn a_companion_that_reads_slowly_keeps_its_chat() {
    let limits = Limits { stalled: Duration::from_millis(1_200), ..Limits::default() };
    let server = InProcess::start(1, limits);
    let (talker, mut slow) = pair(server.port(), "Talker", "Slow");
    let sender = talker.stream().try_clone().expect("another handle");
    let sending = std::thread::spawn(move || (&sender).write_all(&vec![b'x'; 32 << 20]));
    // For three times as long as a stall may be, a little is read now and then.
    let begun = Instant::now();
    let mut read = 0;
    while begun.elapsed() < Duration::from_millis(3_600) {
        read += slow.take(200_000).len();
        std::thread::park_timeout(Duration::from_millis(100));
    }
    slow.take((32 << 20) - read);
    sending.join().expect("no panic").expect("everything is sent");
}

#[test]
fn a_reset_while_being_asked_is_only_that_clients_end() {
    let server = Server::start();
    Plain::connect(server.port()).reset();
    server.wait_for_log("💔 Client 1 connection lost: ");
    pair(server.port(), "Nick1", "Nick2");
}

#[test]
fn a_reset_while_waiting_frees_the_seat() {
    let server = Server::start();
    let mut waiting = Plain::connect(server.port());
    waiting.expect("Enter your nickname: ");
    waiting.send("Nick1\n");
    waiting.reset();
    server.wait_for_log("💔 Client 1 (Nick1) connection lost: ");
    pair(server.port(), "Nick1", "Nick2");
}

#[test]
fn a_reset_in_the_chat_reaches_the_companion_as_a_lost_connection() {
    let server = Server::start();
    // Each of the two, before and after it has said something itself.
    for (round, (first_leaves, has_spoken)) in
        [(true, true), (false, true), (true, false), (false, false)].into_iter().enumerate()
    {
        let (mut nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
        if has_spoken {
            nick1.send("hello\n");
            nick2.expect("hello\n");
            nick2.send("hello\n");
            nick1.expect("hello\n");
        }
        let (leaving, mut staying) = if first_leaves { (nick1, nick2) } else { (nick2, nick1) };
        staying.send("never read\n");
        leaving.reset();
        let line = server.wait_for_logs(round + 1, "💔");
        let number = if first_leaves { 1 } else { 2 };
        assert!(
            // Its number may be another: those of the last pair become free a moment after their chat has ended.
            line.contains(&format!(" (Nick{number}) connection lost: ")),
            "expected that Nick{number} was lost, came: {line}"
        );
        expect_broken(&mut staying);
        drop(staying);
        server.wait_for_logs(round + 2, "Waiting for 2 clients");
    }
}

#[test]
fn what_was_said_before_the_connection_was_lost_still_arrives() {
    let server = Server::start();
    let (mut nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
    nick2.send("never read\n");
    nick1.send("my last words\n");
    nick1.reset();
    nick2.expect("my last words\n");
    expect_broken(&mut nick2);
}

#[test]
fn a_reset_by_a_client_that_had_finished_ends_the_chat() {
    let server = Server::start();
    let (mut nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
    nick1.send("that is all\n");
    nick1.finish();
    nick2.expect("that is all\n");
    nick2.expect_end();
    nick2.send("never read\n");
    nick1.reset();
    // Nick2 says nothing more; the server notices all the same, and after five seconds the seats become free.
    server.wait_for_log("🏁 Chat session ended: Nick1 and Nick2");
    server.wait_for_logs(2, "🟢 Waiting for 2 clients");
    pair(server.port(), "Next1", "Next2");
}

#[test]
fn a_hundred_resets_leave_a_working_server() {
    let mut server = Server::start();
    for _ in 0..100 {
        Plain::connect(server.port()).reset();
    }
    server.wait_for_logs(100, "💔");
    server.expect_running();
    pair(server.port(), "Nick1", "Nick2");
}

#[cfg(all(target_os = "linux", feature = "keepalive"))]
#[test]
fn a_host_that_vanished_is_noticed_by_keepalive() {
    use support::{eventually, keepalive_is_armed};
    let server = Server::start();
    let asked = Plain::connect(server.port());
    let (nick1, nick2) = pair(server.port(), "Nick1", "Nick2");
    for client in [&asked, &nick1, &nick2] {
        let armed = eventually(LIMIT, || keepalive_is_armed(server.port(), client.local_port()));
        assert!(armed.is_some(), "expected the keepalive timer on the server's side of {client:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn out_of_descriptors_the_server_neither_ends_nor_spins_and_serves_again() {
    let mut server = Server::on("127.0.0.1").descriptors(40).start();
    let (mut nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
    let flood = (0..100).map(|_| Plain::connect(server.port())).collect::<Vec<_>>();
    let complaint = server.wait_for_log(" - ERROR - ");
    assert!(complaint.contains("ulimit -n"), "expected what to raise, came: {complaint}");

    // The chat that is under way goes on, and for as long as this takes the server is at rest otherwise.
    let before = server.figures().processor_ticks;
    let begun = Instant::now();
    let mut rounds = 0;
    while begun.elapsed() < Duration::from_millis(1_000) {
        nick1.send("still there?\n");
        nick2.expect("still there?\n");
        rounds += 1;
        std::thread::park_timeout(Duration::from_millis(50));
    }
    let ticks = server.figures().processor_ticks - before;
    assert!(ticks < 30, "expected less than 0.3 s of processor time in 1 s with {rounds} messages, came {ticks}0 ms");

    let complaints = server.log.text().matches(" - ERROR - ").count();
    assert!(complaints < 20, "expected a complaint now and then, came {complaints}");
    server.expect_running();

    drop(flood);
    drop((nick1, nick2));
    let (mut next1, mut next2) = eventually_pair(server.port());
    next1.send("served again\n");
    next2.expect("served again\n");
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_descriptor_and_with_nobody_to_give_way_the_server_does_not_spin() {
    let server = Server::start();
    let (mut nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
    if !server.limit_descriptors(1) {
        return; // a machine without prlimit
    }
    // The descriptor for the next one was there already. It gives way as soon as there is none for the one after it.
    Plain::connect(server.port()).rest();
    let mut hanging = Plain::connect(server.port());
    server.wait_for_log(" - ERROR - ");

    let before = server.figures().processor_ticks;
    let (came, end) = hanging.rest_bytes(Duration::from_millis(1_000));
    let ticks = server.figures().processor_ticks - before;
    assert_eq!((came.len(), end), (0, End::NotYet), "(what came without a descriptor, nothing should)");
    assert!(ticks < 20, "expected less than 0.2 s of processor time in 1 s, came {ticks}0 ms");

    nick1.send("still there?\n");
    nick2.expect("still there?\n");
    drop((nick1, nick2));
    assert!(server.limit_descriptors(64));
    hanging.expect("Enter your nickname: ");
}

#[cfg(target_os = "linux")]
#[test]
fn a_chat_under_way_uses_no_more_memory_however_much_is_said() {
    let server = Server::start();
    let (nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
    let sender = nick1.stream().try_clone().expect("another handle");
    let sending = std::thread::spawn(move || {
        let block = vec![b'x'; 1 << 20];
        (0..256).try_for_each(|_| (&sender).write_all(&block))
    });
    for _ in 0..256 {
        nick2.take(1 << 20);
    }
    sending.join().expect("no panic").expect("everything is sent");
    let resident = server.figures().resident_kib;
    assert!(resident < 32 << 10, "expected less than 32 MiB after 256 MiB were said, came {resident} KiB");
}

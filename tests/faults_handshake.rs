//! What a client can do wrong before it has a companion, and what it gets for it.

mod support;

use std::time::{Duration, Instant};

use p2p_chat::server::Limits;
use support::{Dice, End, InProcess, Plain, Server, pair};

/// Asserts that the server still brings two clients together.
#[track_caller]
fn expect_service(port: u16) {
    let (mut one, mut other) = pair(port, "Honest1", "Honest2");
    one.send("still here\n");
    other.expect("still here\n");
}

#[test]
fn a_nickname_that_will_not_do_is_refused_with_a_reason_and_asked_again() {
    let server = Server::start();
    let too_long = "x".repeat(33);
    let too_long_in_bytes_only = "字".repeat(32);
    let refused: [&[u8]; 12] = [
        b"",
        b"   ",
        too_long.as_bytes(),
        b"two words",
        b"tab\tbed",
        b"bell\x07",
        b"\x1b[31mred",
        b"/exit",
        b"not utf-8 \xff\xfe",
        b"\xc3",
        "zero\u{200b}width".as_bytes(),
        "turn\u{202e}ed".as_bytes(),
    ];
    for (round, nickname) in refused.into_iter().enumerate() {
        let shown = String::from_utf8_lossy(nickname).into_owned();
        let mut client = Plain::connect(server.port());
        client.expect("Enter your nickname: ");
        client.send([nickname, b"\n"].concat());
        let told = client.line();
        let reason = told.strip_prefix("Nickname refused: ").unwrap_or_default();
        assert!(!reason.is_empty(), "expected `Nickname refused: REASON` for {shown:?}, came: {told}");
        client.expect("Enter your nickname: ");
        client.send(format!("{too_long_in_bytes_only}\n"));
        client.expect("Waiting for a companion...\n");
        drop(client);
        server.wait_for_logs(round + 1, "👋");
    }
}

#[test]
fn after_three_bad_nicknames_the_chat_is_refused() {
    let server = Server::start();
    let mut client = Plain::connect(server.port());
    for _ in 0..2 {
        client.expect("Enter your nickname: ");
        client.send("two words\n");
        let told = client.line();
        assert!(told.starts_with("Nickname refused: "), "came: {told}");
    }
    client.expect("Enter your nickname: ");
    client.send("\n");
    let told = client.line();
    assert!(told.starts_with("Nickname refused: "), "came: {told}");
    client.expect("Chat refused: three nicknames were refused\n");
    client.expect_end();
    expect_service(server.port());
}

#[test]
fn the_second_may_not_have_the_first_ones_nickname_in_whatever_case() {
    let server = Server::start();
    let mut first = Plain::waiting(server.port(), "Zoë");
    let mut second = Plain::connect(server.port());
    for taken in ["Zoë", "zOË"] {
        second.expect("Enter your nickname: ");
        second.send(format!("{taken}\n"));
        let told = second.line();
        assert!(told.starts_with("Nickname refused: "), "expected {taken} to be refused, came: {told}");
    }
    second.expect("Enter your nickname: ");
    second.send("Zoe\n");
    second.expect("Connected to Zoë\n");
    first.expect("Connected to Zoe\n");
}

#[test]
fn a_nickname_may_be_typed_as_in_telnet_and_with_blanks_around_it() {
    let server = Server::start();
    let mut nick1 = Plain::connect(server.port());
    nick1.expect("Enter your nickname: ");
    nick1.send("  Nick1 \r\n");
    nick1.expect("Waiting for a companion...\n");
    let mut nick2 = Plain::connect(server.port());
    nick2.expect("Enter your nickname: ");
    nick2.send("Nick2\r\nhello\r\n");
    nick2.expect("Connected to Nick1\n");
    // Of the conversation nothing is changed, no CR either.
    nick1.expect("Connected to Nick2\nhello\r\n");
}

#[test]
fn a_nickname_may_come_one_byte_at_a_time() {
    let server = Server::start();
    let mut nick1 = Plain::connect(server.port());
    nick1.expect("Enter your nickname: ");
    for byte in "Zoë日本\n".as_bytes() {
        nick1.send([*byte]);
    }
    nick1.expect("Waiting for a companion...\n");
    let mut nick2 = Plain::named(server.port(), "Nick2");
    nick2.expect("Connected to Zoë日本\n");
}

#[test]
fn a_client_that_never_answers_is_refused_as_too_slow() {
    let limits = Limits { nickname: Duration::from_millis(300), ..Limits::default() };
    let server = InProcess::start(1, limits);
    let mut silent = Plain::connect(server.port());
    silent.expect("Enter your nickname: ");
    silent.expect_refusal("too slow");
    expect_service(server.port());
}

#[test]
fn a_client_that_answers_a_byte_now_and_then_is_refused_as_too_slow() {
    let limits = Limits { nickname: Duration::from_millis(300), ..Limits::default() };
    let server = InProcess::start(1, limits);
    let mut slow = Plain::connect(server.port());
    let begun = Instant::now();
    let mut told = Vec::new();
    // 32 characters would do for a nickname: it is the time that runs out.
    let end = loop {
        slow.try_send("x");
        let (came, end) = slow.rest_bytes(Duration::from_millis(25));
        told.extend(came);
        if end != End::NotYet || begun.elapsed() > Duration::from_secs(5) {
            break end;
        }
    };
    let told = String::from_utf8_lossy(&told);
    assert!(
        told.starts_with("Enter your nickname: Chat refused: ") && told.contains("too slow") && end == End::Orderly,
        "expected to be refused as too slow, came after {:?}: {told:?}, then {end:?}",
        begun.elapsed()
    );
    expect_service(server.port());
}

#[test]
fn a_bad_nickname_gives_no_more_time() {
    let limits = Limits { nickname: Duration::from_millis(600), ..Limits::default() };
    let server = InProcess::start(1, limits);
    let begun = Instant::now();
    let mut slow = Plain::named(server.port(), "two words");
    slow.line();
    slow.expect("Enter your nickname: ");
    slow.expect_refusal("too slow");
    let taken = begun.elapsed();
    assert!(taken < Duration::from_millis(1_100), "expected the end after 600 ms in total, came after {taken:?}");
}

#[test]
fn who_has_a_nickname_may_wait_as_long_as_it_takes() {
    let limits = Limits { nickname: Duration::from_millis(200), ..Limits::default() };
    let server = InProcess::start(1, limits);
    let mut patient = Plain::waiting(server.port(), "Patient");
    let (came, end) = patient.rest_bytes(Duration::from_millis(600));
    assert_eq!((came.len(), end), (0, End::NotYet), "(what came while waiting, nothing should)");
    let mut other = Plain::named(server.port(), "Other");
    other.expect("Connected to Patient\n");
    patient.expect("Connected to Other\n");
    let (came, end) = patient.rest_bytes(Duration::from_millis(600));
    assert_eq!((came.len(), end), (0, End::NotYet), "(what came in the chat, nothing should)");
}

#[test]
fn a_line_without_an_end_is_refused_at_once() {
    let server = Server::start();
    let mut client = Plain::connect(server.port());
    client.expect("Enter your nickname: ");
    client.send("x".repeat(513));
    client.expect_refusal("longer than 512 bytes");
    expect_service(server.port());
}

#[test]
fn a_megabyte_without_a_line_end_is_refused_and_the_reason_arrives() {
    let server = Server::start();
    let mut client = Plain::connect(server.port());
    client.expect("Enter your nickname: ");
    client.try_send(vec![b'x'; 1 << 20]);
    client.expect_refusal("longer than 512 bytes");
    expect_service(server.port());
}

#[test]
fn a_line_of_500_bytes_is_no_nickname_but_not_yet_too_long_for_a_line() {
    let server = Server::start();
    let mut client = Plain::named(server.port(), &"x".repeat(500));
    let told = client.line();
    assert!(told.starts_with("Nickname refused: "), "came: {told}");
    client.expect("Enter your nickname: ");
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_nickname_takes_no_seat() {
    let server = Server::start();
    let mut client = Plain::connect(server.port());
    client.expect("Enter your nickname: ");
    client.send("Nic");
    drop(client);
    server.wait_for_log("👋 Client 1 left");
    expect_service(server.port());
}

#[test]
fn among_500_silent_connections_two_honest_clients_meet_within_two_seconds() {
    let mut server = Server::start();
    let mut silent = (0..500).map(|_| Plain::connect(server.port())).collect::<Vec<_>>();
    let begun = Instant::now();
    let (mut one, mut other) = pair(server.port(), "Honest1", "Honest2");
    one.send("found you\n");
    other.expect("found you\n");
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(2), "expected to meet within 2 s, took {taken:?}");

    // The longest-silent gave way, and were told why.
    silent[0].expect("Enter your nickname: ");
    silent[0].expect_refusal("busy");
    #[cfg(target_os = "linux")]
    {
        let threads = server.figures().threads;
        assert!(threads < 100, "expected a bounded number of threads, came {threads}");
    }
    server.expect_running();
}

#[test]
fn no_garbage_stops_the_server() {
    let mut server = Server::start();
    let mut dice = Dice::new(7);
    for round in 0..100 {
        let mut client = Plain::connect(server.port());
        let garbage = (0..dice.roll(2_000)).map(|_| u8::try_from(dice.roll(256) - 1).expect("a byte"));
        client.try_send(garbage.collect::<Vec<_>>());
        if round % 3 == 0 {
            client.finish();
            let (came, end) = client.rest();
            assert_ne!(end, End::NotYet, "expected an end in round {round}, came: {came:?}");
        }
    }
    server.expect_running();
    // Some of it may have been a nickname: whoever comes now has a seat, a companion, or is told that there is none.
    let mut honest = Plain::named(server.port(), "Honest");
    let told = honest.line();
    assert!(
        told.starts_with("Waiting") || told.starts_with("Connected to ") || told.contains("full"),
        "expected an answer, came: {told}"
    );
}

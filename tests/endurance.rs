//! After a long day the server has what it had in the morning.
#![cfg(target_os = "linux")]

mod support;

use support::{Figures, LIMIT, Plain, Server, eventually, pair};

/// What the heap may keep for itself beside what is used, in KiB.
const SLACK: usize = 4 << 10;

#[test]
fn after_a_thousand_chats_the_server_has_the_threads_descriptors_and_memory_it_started_with() {
    let server = Server::start();
    let start = figures_at_the_start(&server);

    for round in 1..=1_000 {
        let (mut nick1, mut nick2) = pair(server.port(), "Nick1", "Nick2");
        nick1.send(format!("chat {round}\n"));
        nick2.expect(&format!("chat {round}\n"));
        nick2.finish();
        nick1.expect_end();
        nick1.finish();
        nick2.expect_end();
        // Both have seen the end, which comes before the seats are free.
        server.wait_for_logs(round + 1, "Waiting for 2 clients");
    }

    expect_as_at_the_start(&server, start);
    let end = server.figures();
    println!("at the start: {start:?}\nafter 1,000 chats: {end:?}");
}

#[test]
fn after_a_thousand_clients_that_came_to_nothing_nothing_is_left_of_them() {
    let server = Server::start();
    let start = figures_at_the_start(&server);
    for round in 0..1_000 {
        let mut client = Plain::connect(server.port());
        match round % 5 {
            0 => drop(client),
            1 => client.reset(),
            2 => {
                client.try_send("two words\n\n/\n");
                client.rest();
            }
            3 => {
                client.try_send("x".repeat(600));
                client.rest();
            }
            _ => {
                client.try_send("Nick1\nhello\n");
                client.finish();
                client.rest();
            }
        }
    }
    expect_as_at_the_start(&server, start);
}

/// The figures of a server that is ready and has nobody to serve.
#[track_caller]
fn figures_at_the_start(server: &Server) -> Figures {
    let mut first = Plain::connect(server.port());
    first.expect("Enter your nickname: ");
    let mut figures = server.figures();
    // It is ready, because it has asked; the worker and the socket of the one it has asked are not its own.
    figures.threads -= 1;
    figures.descriptors -= 1;
    figures
}

/// Threads and descriptors are the same, memory about the same.
#[track_caller]
fn expect_as_at_the_start(server: &Server, start: Figures) {
    let as_before = eventually(LIMIT, || {
        let now = server.figures();
        (now.threads == start.threads
            && now.descriptors == start.descriptors
            && now.resident_kib < start.resident_kib + SLACK)
            .then_some(())
    });
    assert!(as_before.is_some(), "expected about: {start:?}\n          came: {:?}", server.figures());
}

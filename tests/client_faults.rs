//! What can go wrong with the other end, and what the client says then: one clear line on stderr, and exit code 1.

mod support;

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener};

use support::{Client, Plain, Server, accept_one, impostor, pair, read_line};

/// Ends with exit code 1, and with this as the last line on stderr.
#[track_caller]
fn expect_failure(mut client: Client, words: &[&str]) {
    let code = client.exit_code();
    let errors = client.errors.whole_text();
    let last = errors.lines().last().unwrap_or_default();
    assert!(
        code == Some(1) && words.iter().all(|word| last.contains(word)),
        "expected exit code 1 and a last line with {words:?}\ncame: {code:?}, stderr:\n{errors}"
    );
}

fn client_of(address: SocketAddr) -> Client {
    Client::with(&[&address.ip().to_string(), &address.port().to_string(), "--nick", "Nick1"])
}

#[test]
fn a_chat_that_is_full_is_left_with_the_reason() {
    let server = Server::start();
    let _pair = pair(server.port(), "Nick1", "Nick2");
    expect_failure(Client::named(server.port(), "Nick3"), &["❌ Chat refused: ", "full"]);
}

#[test]
fn a_nickname_that_is_taken_is_explained() {
    let server = Server::start();
    let _waiting = Plain::waiting(server.port(), "Nick1");
    expect_failure(Client::named(server.port(), "nick1"), &["❌ Nickname refused: "]);

    let mut asked = Client::with(&["127.0.0.1", &server.port().to_string()]);
    asked.send("Nick1\n");
    expect_failure(asked, &["❌ Nickname refused: "]);
}

#[test]
fn a_nickname_that_is_none_is_explained_before_it_is_sent() {
    let server = Server::start();
    let mut client = Client::with(&["127.0.0.1", &server.port().to_string()]);
    client.send("two words\n");
    expect_failure(client, &["❌ Nickname refused: ", "white space"]);
}

#[test]
fn something_else_than_a_chat_server_is_recognised() {
    for words in [
        &b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"[..],
        b"220 mail.example ESMTP\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01\x02\x00",
        b"Enter your password: ",
    ] {
        let address = impostor(words);
        expect_failure(client_of(address), &[&format!("❌ {address} is not a chat server: ")]);
    }
}

#[test]
fn what_something_else_says_is_shown_without_its_control_characters() {
    let address = impostor(b"\x1b[2J\x1b]0;owned\x07\n");
    let mut client = client_of(address);
    assert_eq!(client.exit_code(), Some(1));
    let errors = client.errors.whole_text();
    assert!(
        errors.lines().count() == 1 && !errors.trim_end().contains(char::is_control),
        "expected one line of plain text, came: {errors:?}"
    );
}

#[test]
fn something_that_says_nothing_is_given_up() {
    let address = impostor(b"");
    let mut client = client_of(address);
    // It gives a server ten seconds for its first word.
    let ended = support::eventually(2 * support::LIMIT, || client.has_ended().then_some(()));
    assert!(ended.is_some(), "expected the client to give up");
    expect_failure(client, &[&format!("❌ {address} is not a chat server: ")]);
}

#[test]
fn a_server_that_hangs_up_without_a_word_is_no_chat_server() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("an address");
    let client = client_of(address);
    drop(accept_one(&listener));
    expect_failure(client, &[&format!("❌ {address} is not a chat server: ")]);
}

#[test]
fn a_server_that_hangs_up_in_the_handshake_is_a_lost_connection() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let client = client_of(listener.local_addr().expect("an address"));
    let mut server = accept_one(&listener);
    server.write_all(b"Enter your nickname: ").expect("it listens");
    assert_eq!(read_line(&mut server), "Nick1\n");
    server.write_all(b"Waiting for a companion...\n").expect("it listens");
    server.shutdown(Shutdown::Both).expect("it is open");
    expect_failure(client, &["❌ Connection lost: "]);
}

#[test]
fn a_server_whose_lines_have_no_end_is_left() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let client = client_of(listener.local_addr().expect("an address"));
    let mut server = accept_one(&listener);
    server.write_all(b"Enter your nickname: ").expect("it listens");
    assert_eq!(read_line(&mut server), "Nick1\n");
    // It may hang up in the middle of this.
    server.write_all(&vec![b'x'; 1 << 20]).ok();
    expect_failure(client, &["❌ "]);
}

#[test]
fn a_refusal_is_shown_without_its_control_characters() {
    let address = impostor(b"Chat refused: \x1b[2Jgo \x07away\xe2\x80\xae!\n");
    let mut client = client_of(address);
    assert_eq!(client.exit_code(), Some(1));
    let errors = client.errors.whole_text();
    assert!(
        errors.starts_with("❌ Chat refused: ")
            && errors.lines().count() == 1
            && !errors.trim_end().contains(|letter: char| letter.is_control() || letter == '\u{202e}'),
        "expected one line of plain text, came: {errors:?}"
    );
}

#[test]
fn the_handshake_may_come_in_any_pieces() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let mut client = client_of(listener.local_addr().expect("an address"));
    let mut server = accept_one(&listener);
    server.set_nodelay(true).expect("a socket takes no-delay");
    for byte in b"Enter your nickname: " {
        server.write_all(&[*byte]).expect("it listens");
    }
    assert_eq!(read_line(&mut server), "Nick1\n");
    for byte in "Waiting for a companion...\nConnected to Zoë\nfirst words\n".as_bytes() {
        server.write_all(&[*byte]).expect("it listens");
    }
    client.output.wait_for("first words");
    client.errors.wait_for("Connected to Zoë");
    client.send("heard you\n");
    assert_eq!(read_line(&mut server), "heard you\n");
    server.shutdown(Shutdown::Write).expect("it is open");
    client.finish();
    client.expect_exit(0);
}

#[cfg(feature = "keepalive")]
#[test]
fn a_server_that_is_killed_is_a_lost_connection() {
    let mut server = Server::start();
    let (nick1, nick2) = Client::pair(server.port(), "Nick1", "Nick2");
    server.kill();
    expect_failure(nick1, &["❌ Connection lost: "]);
    expect_failure(nick2, &["❌ Connection lost: "]);
}

#[test]
fn a_server_that_is_killed_while_the_client_waits_is_a_lost_connection() {
    let mut server = Server::start();
    let waiting = Client::named(server.port(), "Nick1");
    waiting.errors.wait_for("Waiting for a companion...");
    server.kill();
    expect_failure(waiting, &["❌ Connection lost: "]);
}

#[cfg(feature = "keepalive")]
#[test]
fn a_companion_that_is_lost_is_a_lost_connection() {
    let server = Server::start();
    let mut companion = Plain::waiting(server.port(), "Nick1");
    let mut client = Client::named(server.port(), "Nick2");
    companion.expect("Connected to Nick2\n");
    client.errors.wait_for("Connected to Nick1");
    client.send("never read\n");
    companion.reset();
    expect_failure(client, &["❌ Connection lost: "]);
}

#[cfg(feature = "keepalive")]
#[test]
fn a_client_that_is_killed_is_a_lost_connection_for_its_companion() {
    let server = Server::start();
    let (nick1, mut nick2) = Client::pair(server.port(), "Nick1", "Nick2");
    nick2.send("are you there?\n");
    nick1.output.wait_for("are you there?");
    // A process that is dropped is killed.
    drop(nick1);
    expect_failure(nick2, &["❌ Connection lost: "]);
    server.wait_for_log("💔 Client 1 (Nick1) connection lost: ");
}

#[cfg(unix)]
#[test]
fn a_server_that_stops_while_the_client_waits_is_a_refusal_with_the_reason() {
    let mut server = Server::start();
    let waiting = Client::named(server.port(), "Nick1");
    waiting.errors.wait_for("Waiting for a companion...");
    assert_eq!(server.stop(), Some(0));
    expect_failure(waiting, &["❌ Chat refused: ", "stopping"]);
}

#[cfg(all(target_os = "linux", feature = "keepalive"))]
#[test]
fn a_server_whose_host_vanished_is_noticed_by_keepalive() {
    use support::{LIMIT, eventually, keepalive_is_armed};
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let _client = Client::named(port, "Nick1");
    let server = accept_one(&listener);
    let client_port = server.peer_addr().expect("it is connected").port();
    let armed = eventually(LIMIT, || keepalive_is_armed(client_port, port));
    assert!(armed.is_some(), "expected the keepalive timer on the client's side");
}

//! What keeps a program from starting, and what it says then: one clear line, and the right exit code.

mod support;

use std::net::TcpListener;

use support::{Client, Server, port_without_a_server};

type Outcome = (Option<i32>, String, String);

/// One line on stderr with all of these words, nothing on stdout, and this exit code.
#[track_caller]
fn expect_one_line((code, errors, output): Outcome, expected_code: i32, words: &[&str]) {
    assert!(
        code == Some(expected_code)
            && output.is_empty()
            && errors.lines().count() == 1
            && words.iter().all(|word| errors.contains(word)),
        "expected exit code {expected_code} and one line with {words:?}\n\
         came: {code:?}, stderr:\n{errors}\nstdout:\n{output}"
    );
}

/// The usage of the program is wrong: exit code 2, and what is wrong with it on stderr.
#[track_caller]
fn expect_usage((code, errors, output): Outcome, words: &[&str]) {
    assert!(
        code == Some(2) && output.is_empty() && words.iter().all(|word| errors.contains(word)),
        "expected exit code 2 and {words:?}\ncame: {code:?}, stderr:\n{errors}\nstdout:\n{output}"
    );
}

#[test]
fn a_server_on_a_port_in_use_says_so() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let outcome = Server::run(&["127.0.0.1", &port]);
    expect_one_line(outcome, 1, &["❌", &format!("127.0.0.1:{port}"), "in use"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_without_the_right_to_its_port_says_so() {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    let unprivileged = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    if unprivileged.is_ok_and(|start| start.trim().parse().is_ok_and(|start: u16| start <= 1)) {
        return; // a machine without privileged ports
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.args(["127.0.0.1", "1"]).stdin(Stdio::null());
    let status = std::fs::read_to_string("/proc/self/status").expect("our own status");
    let is_root = status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"));
    if is_root {
        // Root may take any port: the program runs as nobody then.
        command.uid(65_534).gid(65_534);
    }
    let Ok(output) = command.output() else {
        return; // nobody may not even start the program
    };
    let outcome = (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    );
    expect_one_line(outcome, 1, &["❌", "127.0.0.1:1", "ermission denied"]);
}

#[cfg(all(target_os = "linux", feature = "descriptor-limit"))]
#[test]
fn a_server_for_more_clients_than_the_system_allows_says_what_to_raise() {
    let server = Server::on("127.0.0.1").descriptors(100).argument("--sessions").argument("2000").start_unheard();
    let line = server.wait_for_log("ulimit -n");
    assert!(line.contains(" - WARN - ") || line.contains(" - ERROR - "), "expected a warning, came: {line}");
}

#[test]
fn a_server_on_an_unknown_host_says_so() {
    expect_one_line(Server::run(&["no-such-host.invalid", "0"]), 1, &["❌", "no-such-host.invalid"]);
}

#[test]
fn a_server_on_an_address_of_another_machine_says_so() {
    // An address for documentation (RFC 5737): no machine has it.
    expect_one_line(Server::run(&["192.0.2.1", "0"]), 1, &["❌", "192.0.2.1"]);
}

#[test]
fn a_server_with_a_port_that_is_none_shows_its_usage() {
    for port in ["abc", "65536", "-1", ""] {
        expect_usage(Server::run(&["127.0.0.1", port]), &["PORT"]);
    }
    expect_usage(Server::run(&["127.0.0.1"]), &["PORT"]);
    expect_usage(Server::run(&[]), &["HOST", "PORT"]);
    expect_usage(Server::run(&["127.0.0.1", "0", "--no-such-option"]), &["--no-such-option"]);
    expect_usage(Server::run(&["127.0.0.1", "0", "--sessions", "0"]), &["--sessions"]);
    expect_usage(Server::run(&["127.0.0.1", "0", "--sessions", "many"]), &["--sessions"]);
}

#[test]
fn a_client_with_a_port_that_is_none_shows_its_usage() {
    for port in ["abc", "65536", "0", ""] {
        expect_usage(Client::run(&["127.0.0.1", port]), &["PORT"]);
    }
    expect_usage(Client::run(&["127.0.0.1"]), &["PORT"]);
    expect_usage(Client::run(&[]), &["HOST", "PORT"]);
    expect_usage(Client::run(&["127.0.0.1", "1", "--no-such-option"]), &["--no-such-option"]);
}

#[test]
fn a_client_with_a_nickname_that_is_none_is_told_why() {
    expect_usage(Client::run(&["127.0.0.1", "1", "--nick", "two words"]), &["--nick", "two words", "white space"]);
    expect_usage(Client::run(&["127.0.0.1", "1", "--nick", ""]), &["--nick"]);
    expect_usage(Client::run(&["127.0.0.1", "1", "--nick", &"x".repeat(33)]), &["--nick", "32"]);
}

#[test]
fn a_client_without_a_server_says_that_it_is_unavailable() {
    let port = port_without_a_server().to_string();
    let outcome = Client::run(&["127.0.0.1", &port, "--nick", "Nick1"]);
    let place = format!("❌ Server unavailable at 127.0.0.1:{port}: ");
    expect_one_line(outcome, 1, &[&place, "; is it running?"]);
}

#[test]
fn a_client_of_an_unknown_host_says_so() {
    let outcome = Client::run(&["no-such-host.invalid", "8888", "--nick", "Nick1"]);
    expect_one_line(outcome, 1, &["❌", "no-such-host.invalid"]);
}

#[test]
fn help_and_version_are_for_everyone() {
    for (name, run) in
        [("chat-server", Server::run as fn(&[&str]) -> Outcome), ("chat-client", Client::run as fn(&[&str]) -> Outcome)]
    {
        let (code, errors, output) = run(&["--help"]);
        assert_eq!((code, errors.as_str()), (Some(0), ""), "({name} --help)");
        for word in ["HOST", "PORT", "--help", "--version", "RUST_LOG", "NO_COLOR"] {
            assert!(output.contains(word), "expected {word} in `{name} --help`, came:\n{output}");
        }
        let (code, errors, output) = run(&["--version"]);
        let expected = format!("{name} {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!((code, errors, output), (Some(0), String::new(), expected), "({name} --version)");
    }
    assert!(Server::run(&["--help"]).2.contains("--sessions"));
    assert!(Client::run(&["--help"]).2.contains("--nick"));
}

//! The real `chat-tracker`, as a process of its own, and a node that the test plays before it.

use super::client::Client;
use super::server::run_to_the_end;
use super::{Figures, Plain};

const PROGRAM: &str = env!("CARGO_BIN_EXE_chat-tracker");

/// A running tracker; ended with the value. Its log is what it writes on stderr.
#[derive(Debug)]
pub(crate) struct Tracker {
    process: Client,
    port: u16,
}

impl Tracker {
    /// `chat-tracker 127.0.0.1 0`, once it is up.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::at(0)
    }

    /// `chat-tracker 127.0.0.1 PORT`, once it is up.
    #[track_caller]
    pub(crate) fn at(port: u16) -> Self {
        let process = Client::of(PROGRAM, &["127.0.0.1", &port.to_string()]);
        let started = process.errors.wait_for_line(1, "Chat tracker started on ");
        let port = started.rsplit(':').next().and_then(|port| port.parse().ok());
        Self { process, port: port.unwrap_or_else(|| panic!("expected a port at the end, came: {started}")) }
    }

    /// The program run to its end: exit code, stderr, stdout.
    #[track_caller]
    pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = std::process::Command::new(PROGRAM);
        command.args(arguments);
        run_to_the_end(command)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the log line that has this text for the `count`th time.
    #[track_caller]
    pub(crate) fn wait_for_logs(&self, count: usize, text: &str) -> String {
        self.process.errors.wait_for_line(count, text)
    }

    pub(crate) fn log(&self) -> String {
        self.process.errors.text()
    }

    /// Ends it without a word (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits for its end; `None` when a signal ended it.
    #[track_caller]
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.process.exit_code()
    }

    /// The figures of the process; the test needs Linux.
    pub(crate) fn figures(&self) -> Figures {
        Figures::of(self.process.number()).expect("a running process has figures in /proc")
    }
}

/// A member of a tracker's room that the test plays over a bare socket.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) wire: Plain,
    /// As the others are told of it.
    pub(crate) member: String,
    gone: String,
}

impl Listed {
    /// Joins, and is told of exactly these, in whatever order, before the list ends.
    #[track_caller]
    pub(crate) fn joins(tracker: u16, id: u64, room: &str, name: &str, others: &[&Self]) -> Self {
        let mut listed = Self::introduces(tracker, id, room, name);
        let mut came = listed.list();
        came.sort();
        let mut expected: Vec<_> = others.iter().map(|other| other.member.clone()).collect();
        expected.sort();
        assert_eq!(came, expected, "(the list that came, the list that was expected)");
        listed
    }

    /// Says who it is.
    #[track_caller]
    pub(crate) fn introduces(tracker: u16, id: u64, room: &str, name: &str) -> Self {
        let mut wire = Plain::connect(tracker);
        wire.expect("Enter your nickname: ");
        let port = 20_000 + id % 10_000;
        wire.send(format!("/peer 1 {id:016x} {port} 1 {room} {name}\n"));
        Self { wire, member: format!("/member {id:016x} 127.0.0.1:{port} {name}"), gone: format!("/gone {id:016x}") }
    }

    /// The list of those who were there before, up to the end of it.
    #[track_caller]
    pub(crate) fn list(&mut self) -> Vec<String> {
        let mut list = Vec::new();
        loop {
            match self.wire.line() {
                end if end == "/ping" => return list,
                line => list.push(line),
            }
        }
    }

    /// The next it is told is that this one comes.
    #[track_caller]
    pub(crate) fn expect_arrival(&mut self, other: &Self) {
        self.wire.expect(&format!("{}\n", other.member));
    }

    /// The next it is told is that this one is gone.
    #[track_caller]
    pub(crate) fn expect_gone(&mut self, other: &Self) {
        self.wire.expect(&format!("{}\n", other.gone));
    }
}

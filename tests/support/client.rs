//! The real `chat-client` between pipes, as a script would use it.

use std::io::{PipeReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::server::{exit_code, run_to_the_end};
use super::{Captured, one_start_at_a_time};

const PROGRAM: &str = env!("CARGO_BIN_EXE_chat-client");

/// A running client; ended with the value.
#[derive(Debug)]
pub(crate) struct Client {
    process: Child,
    input: Option<ChildStdin>,
    pub(crate) output: Captured,
    pub(crate) errors: Captured,
}

impl Client {
    /// `chat-client 127.0.0.1 PORT --nick NICKNAME`
    pub(crate) fn named(port: u16, nickname: &str) -> Self {
        Self::with(&["127.0.0.1", &port.to_string(), "--nick", nickname])
    }

    /// A client with a companion, after both are told so.
    #[track_caller]
    pub(crate) fn pair(port: u16, one: &str, other: &str) -> (Self, Self) {
        let first = Self::named(port, one);
        first.errors.wait_for("Waiting for a companion...");
        let second = Self::named(port, other);
        second.errors.wait_for(&format!("Connected to {one}"));
        first.errors.wait_for(&format!("Connected to {other}"));
        (first, second)
    }

    pub(crate) fn with(arguments: &[&str]) -> Self {
        Self::of(PROGRAM, arguments)
    }

    /// Another program between pipes.
    pub(super) fn of(program: &str, arguments: &[&str]) -> Self {
        Self::start(program, arguments, Stdio::piped())
    }

    /// A client whose output nobody reads: the other end of the pipe is closed.
    pub(crate) fn with_closed_output(arguments: &[&str]) -> Self {
        Self::of_with_output_to(PROGRAM, arguments).0
    }

    /// A client whose output goes to this pipe: nobody reads it as long as the test does not, and it is closed with it.
    pub(crate) fn with_output_to(arguments: &[&str]) -> (Self, PipeReader) {
        Self::of_with_output_to(PROGRAM, arguments)
    }

    pub(super) fn of_with_output_to(program: &str, arguments: &[&str]) -> (Self, PipeReader) {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        (Self::start(program, arguments, Stdio::from(writer)), reader)
    }

    fn start(program: &str, arguments: &[&str], output: Stdio) -> Self {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_remove("NO_COLOR")
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(Stdio::piped());
        let starting = one_start_at_a_time();
        let mut process = command.spawn().expect("the client starts");
        drop(starting);
        let input = process.stdin.take();
        let output = match process.stdout.take() {
            Some(stdout) => Captured::from(stdout),
            None => Captured::from(std::io::empty()),
        };
        let errors = Captured::from(process.stderr.take().expect("stderr is a pipe"));
        Self { process, input, output, errors }
    }

    /// The program run to its end without input: exit code, stderr, stdout.
    #[track_caller]
    pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(PROGRAM);
        command.args(arguments);
        run_to_the_end(command)
    }

    #[track_caller]
    pub(crate) fn send(&mut self, text: &str) {
        let input = self.input.as_mut().expect("stdin is still open");
        input
            .write_all(text.as_bytes())
            .and_then(|()| input.flush())
            .unwrap_or_else(|error| panic!("expected to write to stdin, came: {error}"));
    }

    /// The end of its input.
    pub(crate) fn finish(&mut self) {
        self.input = None;
    }

    /// Its input, for a thread that writes.
    pub(crate) fn take_input(&mut self) -> ChildStdin {
        self.input.take().expect("stdin is still open")
    }

    pub(crate) fn number(&self) -> u32 {
        self.process.id()
    }

    /// Ends it without a word (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("a process of our own can be killed");
        self.process.wait().expect("it is gone then");
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        super::signal(self.process.id(), name);
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.try_wait().expect("a process can be asked").is_some()
    }

    /// Waits for its end; `None` when a signal ended it.
    #[track_caller]
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        exit_code(&mut self.process)
    }

    /// Ends with this code, all of it said.
    #[track_caller]
    pub(crate) fn expect_exit(&mut self, code: i32) {
        let came = self.exit_code();
        assert_eq!(
            came,
            Some(code),
            "(what came, what was expected) stderr:\n{}\nstdout:\n{}",
            self.errors.whole_text(),
            self.output.text()
        );
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

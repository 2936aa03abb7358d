//! The real `chat-server`, as a process of its own.

use std::process::{Child, Command, Stdio};

use super::{Captured, Figures, LIMIT, eventually, one_start_at_a_time};

const PROGRAM: &str = env!("CARGO_BIN_EXE_chat-server");

/// A running server; ended with the value.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    port: u16,
    /// What it writes on stderr.
    pub(crate) log: Captured,
}

/// How a server is to be started.
#[derive(Debug)]
pub(crate) struct Start {
    host: &'static str,
    port: u16,
    arguments: Vec<&'static str>,
    environment: Vec<(&'static str, &'static str)>,
    descriptors: Option<usize>,
}

impl Server {
    /// Starts `chat-server 127.0.0.1 0` and waits until it is up.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::on("127.0.0.1").start()
    }

    /// `chat-server HOST 0`, with more to be said before it starts.
    pub(crate) fn on(host: &'static str) -> Start {
        Start { host, port: 0, arguments: Vec::new(), environment: Vec::new(), descriptors: None }
    }

    /// The program with arguments of the test's own, run to its end: exit code and stderr, stdout.
    #[track_caller]
    pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(PROGRAM);
        command.args(arguments);
        run_to_the_end(command)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) -> String {
        self.log.wait_for_line(1, text)
    }

    /// Whether it logs this text within the time.
    pub(crate) fn has_logged_within(&self, text: &str, limit: std::time::Duration) -> bool {
        self.log.comes_within(text, limit)
    }

    /// Waits for the line that has this text for the `count`th time.
    #[track_caller]
    pub(crate) fn wait_for_logs(&self, count: usize, text: &str) -> String {
        self.log.wait_for_line(count, text)
    }

    /// The figures of the process; the test needs Linux.
    pub(crate) fn figures(&self) -> Figures {
        Figures::of(self.process.id()).expect("a running process has figures in /proc")
    }

    /// Lets it have no more than so many descriptors from now on; `false` where there is no `prlimit` (util-linux).
    #[cfg(target_os = "linux")]
    pub(crate) fn limit_descriptors(&self, most: usize) -> bool {
        let mut command = Command::new("prlimit");
        command.arg(format!("--pid={}", self.process.id())).arg(format!("--nofile={most}:"));
        let starting = one_start_at_a_time();
        let status = command.status();
        drop(starting);
        status.is_ok_and(|status| status.success())
    }

    /// Asks it to stop with a signal by its name, "TERM" or "INT" or another.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        super::signal(self.process.id(), name);
    }

    /// Asks it to stop, and waits for its exit code.
    #[cfg(unix)]
    #[track_caller]
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.exit_code()
    }

    /// Ends it without a word (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("a process of our own can be killed");
        self.process.wait().expect("it is gone then");
    }

    /// Waits for its end; `None` when a signal ended it.
    #[track_caller]
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        exit_code(&mut self.process)
    }

    #[track_caller]
    pub(crate) fn expect_running(&mut self) {
        let ended = self.process.try_wait().expect("a process can be asked");
        assert!(ended.is_none(), "expected a running server, came {ended:?}, log:\n{}", self.log.text());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Start {
    /// A certain port, not a free one.
    pub(crate) fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// An option of the command line.
    pub(crate) fn argument(mut self, argument: &'static str) -> Self {
        self.arguments.push(argument);
        self
    }

    pub(crate) fn environment(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    /// Lets it have no more than so many descriptors.
    pub(crate) fn descriptors(mut self, most: usize) -> Self {
        self.descriptors = Some(most);
        self
    }

    /// Starts it, and waits until it says on which port.
    #[track_caller]
    pub(crate) fn start(self) -> Server {
        let mut server = self.start_unheard();
        let started = server.wait_for_log("Chat server started on ");
        server.port = started
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok())
            .unwrap_or_else(|| panic!("expected a port at the end, came: {started}"));
        server
    }

    /// Starts one that does not say on which port, or may not come up.
    pub(crate) fn start_unheard(self) -> Server {
        let mut command = match self.descriptors {
            None => Command::new(PROGRAM),
            Some(most) => {
                let mut shell = Command::new("sh");
                let script = format!("ulimit -n {most} && exec \"$0\" \"$@\"");
                shell.args(["-c", &script, PROGRAM]);
                shell
            }
        };
        command
            .args([self.host, &self.port.to_string()])
            .args(&self.arguments)
            .env_remove("NO_COLOR")
            .env_remove("RUST_LOG")
            .envs(self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let starting = one_start_at_a_time();
        let mut process = command.spawn().expect("the server starts");
        drop(starting);
        let log = Captured::from(process.stderr.take().expect("stderr is a pipe"));
        Server { process, port: self.port, log }
    }
}

/// Waits for the end of a process; `None` when a signal ended it.
#[track_caller]
pub(super) fn exit_code(process: &mut Child) -> Option<i32> {
    let ended = eventually(LIMIT, || process.try_wait().expect("a process can be asked"));
    ended.expect("expected the process to end within the limit, it is still there").code()
}

/// Exit code, stderr and stdout of a process without input.
#[track_caller]
pub(super) fn run_to_the_end(mut command: Command) -> (Option<i32>, String, String) {
    command
        .env_remove("NO_COLOR")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let starting = one_start_at_a_time();
    let process = command.spawn().expect("the program starts");
    drop(starting);
    let mut process = KilledAtTheEnd(process);
    let output = Captured::from(process.0.stdout.take().expect("stdout is a pipe"));
    let errors = Captured::from(process.0.stderr.take().expect("stderr is a pipe"));
    let code = exit_code(&mut process.0);
    (code, errors.whole_text(), output.whole_text())
}

/// Takes the process along when a test fails.
struct KilledAtTheEnd(Child);

impl Drop for KilledAtTheEnd {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

//! Networks of their own: hosts and switches, each a network namespace, joined by cables. Nothing touches the machine's own
//! interfaces, and everything goes with its value.

use std::io::{self, Write};
use std::process::{Child, ChildStdin, Command, Stdio, id};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Captured, LIMIT, eventually, one_start_at_a_time};

/// Whether this machine lets us make networks. Where it does not, the test says that it was skipped, and why.
#[track_caller]
pub(crate) fn networks_can_be_made() -> bool {
    static TRIED: OnceLock<Result<(), String>> = OnceLock::new();
    let Err(reason) = TRIED.get_or_init(try_everything) else { return true };
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Not by a macro: the harness would keep it to itself.
    writeln!(io::stderr(), "SKIPPED {test}: cannot make networks here: {reason}").ok();
    false
}

/// Makes one of everything: a namespace, a program in it, a bridge and a cable.
fn try_everything() -> Result<(), String> {
    let namespace = Namespace::try_new("attempt")?;
    let name = namespace.0.as_str();
    ip(&["netns", "exec", name, "true"])?;
    ip(&["-n", name, "link", "add", "wire", "type", "bridge"])?;
    ip(&["-n", name, "link", "add", "one-end", "type", "veth", "peer", "name", "other-end"])
}

/// Runs `ip`; the error is what it said.
fn ip(arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new("ip");
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let starting = one_start_at_a_time();
    let process = command.spawn();
    drop(starting);
    let output = process.and_then(Child::wait_with_output).map_err(|error| format!("ip (iproute2): {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("ip {}: {} ({said})", arguments.join(" "), output.status))
}

/// A network namespace, removed with the value.
#[derive(Debug)]
struct Namespace(String);

impl Namespace {
    fn try_new(name: &str) -> Result<Self, String> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = Self(format!("chat-{}-{number}-{name}", id()));
        ip(&["netns", "add", &namespace.0])?;
        Ok(namespace)
    }

    #[track_caller]
    fn new(name: &str) -> Self {
        Self::try_new(name).unwrap_or_else(|error| panic!("expected a namespace, came: {error}"))
    }

    /// `ip` within the namespace.
    #[track_caller]
    fn ip(&self, arguments: &str) {
        let words = ["-n", &self.0].into_iter().chain(arguments.split(' ')).collect::<Vec<_>>();
        ip(&words).unwrap_or_else(|error| panic!("expected {arguments} to work, came: {error}"));
    }

    /// A setting of the kernel within the namespace.
    #[track_caller]
    fn set(&self, setting: &str, value: u8) {
        let script = format!("echo {value} > /proc/sys/net/{setting}");
        ip(&["netns", "exec", &self.0, "sh", "-c", &script])
            .unwrap_or_else(|error| panic!("expected to set {setting}, came: {error}"));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ip(&["netns", "delete", &self.0]).ok();
    }
}

/// What all hosts of one network are plugged into: a bridge in a namespace of its own.
#[derive(Debug)]
pub(crate) struct Switch(Namespace);

impl Switch {
    #[track_caller]
    pub(crate) fn new() -> Self {
        let namespace = Namespace::new("switch");
        namespace.ip("link add wire type bridge");
        namespace.ip("link set wire up");
        Self(namespace)
    }

    /// Pulls the cable that goes to the host.
    #[track_caller]
    pub(crate) fn pull(&self, host: &Host) {
        self.0.ip(&format!("link set to-{} down", host.name));
    }

    /// Puts it back.
    #[track_caller]
    pub(crate) fn put_back(&self, host: &Host) {
        self.0.ip(&format!("link set to-{} up", host.name));
    }
}

/// A host with nothing but loopback, until it is plugged in.
#[derive(Debug)]
pub(crate) struct Host {
    namespace: Namespace,
    name: &'static str,
}

impl Host {
    #[track_caller]
    pub(crate) fn new(name: &'static str) -> Self {
        let namespace = Namespace::new(name);
        // Nobody else is there to have the same IPv6 address, so it need not be tentative for a second or two.
        namespace.set("ipv6/conf/default/accept_dad", 0);
        namespace.ip("link set lo up");
        Self { namespace, name }
    }

    /// A host without IPv6.
    #[track_caller]
    pub(crate) fn with_ipv4_only(name: &'static str) -> Self {
        let host = Self::new(name);
        host.namespace.set("ipv6/conf/all/disable_ipv6", 1);
        host.namespace.set("ipv6/conf/default/disable_ipv6", 1);
        host
    }

    /// A cable from this interface to the switch.
    #[track_caller]
    pub(crate) fn plug(&self, interface: &str, switch: &Switch) {
        let Self { namespace: Namespace(namespace), name } = self;
        switch.0.ip(&format!("link add to-{name} type veth peer name {interface} netns {namespace}"));
        switch.0.ip(&format!("link set to-{name} master wire up"));
        self.switch_on(interface);
    }

    /// Gives an interface an IPv4 address: `10.0.0.1/24`, `10.0.0.1/24 brd +`.
    #[track_caller]
    pub(crate) fn address(&self, interface: &str, address: &str) {
        self.namespace.ip(&format!("address add {address} dev {interface}"));
    }

    #[track_caller]
    pub(crate) fn switch_off(&self, interface: &str) {
        self.namespace.ip(&format!("link set {interface} down"));
    }

    #[track_caller]
    pub(crate) fn switch_on(&self, interface: &str) {
        self.namespace.ip(&format!("link set {interface} up"));
    }

    /// `chat-peer NAME` on this host, the name being the host's.
    #[cfg(feature = "peer")]
    #[track_caller]
    pub(crate) fn chat(&self) -> Resident {
        let resident = self.run(env!("CARGO_BIN_EXE_chat-peer"), &[self.name]);
        resident.errors.wait_for("reachable at port");
        resident
    }

    /// A program on this host.
    #[track_caller]
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Resident {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.namespace.0, program])
            .args(arguments)
            .env_remove("NO_COLOR")
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let starting = one_start_at_a_time();
        let mut process = command.spawn().expect("the program starts");
        drop(starting);
        let input = process.stdin.take();
        let output = Captured::from(process.stdout.take().expect("stdout is a pipe"));
        let errors = Captured::from(process.stderr.take().expect("stderr is a pipe"));
        Resident { name: self.name, process, input, output, errors }
    }
}

/// A running program of a host; ended with the value.
#[derive(Debug)]
pub(crate) struct Resident {
    pub(crate) name: &'static str,
    process: Child,
    input: Option<ChildStdin>,
    /// What the others say.
    pub(crate) output: Captured,
    /// What it says about the chat.
    pub(crate) errors: Captured,
}

impl Resident {
    #[track_caller]
    pub(crate) fn say(&mut self, text: &str) {
        let input = self.input.as_mut().expect("stdin is still open");
        let written = input.write_all(format!("{text}\n").as_bytes()).and_then(|()| input.flush());
        written.unwrap_or_else(|error| panic!("expected {} to say {text}, came: {error}", self.name));
    }

    #[track_caller]
    pub(crate) fn hears(&self, who: &str, text: &str) {
        self.output.wait_for(&format!("{who}: {text}"));
    }

    /// Has met them so often by now, within the limit.
    #[track_caller]
    pub(crate) fn meets(&self, others: &[&str], times: usize, limit: Duration) {
        for other in others {
            self.errors.wait_within(limit, times, &format!("{other} is here"));
        }
    }

    /// Has lost them, within the limit.
    #[track_caller]
    pub(crate) fn loses(&self, others: &[&str], limit: Duration) {
        for other in others {
            self.errors.wait_within(limit, 1, &format!("{other} is gone: connection lost"));
        }
    }

    /// Leaves in order, and gives all that it heard and all that it said about the chat, line by line.
    #[track_caller]
    pub(crate) fn leave(&mut self) -> (Vec<String>, Vec<String>) {
        self.input = None;
        let ended = eventually(LIMIT, || self.process.try_wait().expect("a process can be asked"));
        let Some(ended) = ended else {
            panic!(
                "expected {} to end within {LIMIT:?}, it is still there; stderr:\n{}",
                self.name,
                self.errors.text()
            );
        };
        let (heard, told) = (self.output.whole_text(), self.errors.whole_text());
        assert_eq!(ended.code(), Some(0), "(exit code of {}, what was expected) stderr:\n{told}", self.name);
        (heard.lines().map(String::from).collect(), told.lines().map(String::from).collect())
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

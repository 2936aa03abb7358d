//! What a process uses, as the kernel counts it (Linux: see proc(5)).

use std::fs;

/// Threads, descriptors, memory and processor time of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) threads: usize,
    pub(crate) descriptors: usize,
    pub(crate) resident_kib: usize,
    /// In ticks of 10 ms.
    pub(crate) processor_ticks: usize,
}

impl Figures {
    /// `None` where there is no /proc.
    pub(crate) fn of(process: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let (_, behind_the_name) = stat.rsplit_once(") ")?;
        let times = behind_the_name.split(' ').skip(11).take(2);
        Some(Self {
            threads: field("Threads:")?,
            descriptors: fs::read_dir(format!("/proc/{process}/fd")).ok()?.count(),
            resident_kib: field("VmRSS:")?,
            processor_ticks: times.filter_map(|time| time.parse::<usize>().ok()).sum(),
        })
    }
}

/// Whether a thread of the process waits for a pipe that takes nothing: proc(5), wchan.
pub(crate) fn waits_for_a_pipe(process: u32) -> Option<()> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("wchan")).ok())
        .any(|place| place.ends_with("pipe_write"))
        .then_some(())
}

/// The keepalive timer of an established socket between two ports of loopback: the kernel shows timer 02 for it.
///
/// `None` when there is no such socket, or its timer is another one at the moment.
pub(crate) fn keepalive_is_armed(local_port: u16, remote_port: u16) -> Option<()> {
    let established = "01";
    let keepalive = "02:";
    fs::read_to_string("/proc/net/tcp")
        .ok()?
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|fields| {
            fields.len() > 5
                && fields[1].ends_with(&format!(":{local_port:04X}"))
                && fields[2].ends_with(&format!(":{remote_port:04X}"))
                && fields[3] == established
        })
        .filter(|fields| fields[5].starts_with(keepalive))
        .map(|_| ())
}

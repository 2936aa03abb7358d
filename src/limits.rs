//! The system's limit of open files.

/// Descriptors beside those of clients: standard streams, listeners, the log's clock, the signal pipe.
const OTHERS: u64 = 32;

/// Raises the limit of open files so that `clients` can be connected at once, as far as the system allows.
/// When it allows less, returns what to raise.
#[must_use]
pub fn raise_descriptors(clients: usize) -> Option<String> {
    let needed = clients as u64 + OTHERS;
    let allowed = raise(needed)?;
    (allowed < needed).then(|| {
        format!(
            "{clients} clients at once need {needed} open files, the system allows {allowed}: raise the limit (ulimit -n {needed})"
        )
    })
}

/// The limit after it was raised to `needed` where possible; `None` when it is unknown.
#[cfg(all(unix, feature = "descriptor-limit"))]
fn raise(needed: u64) -> Option<u64> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let wanted = needed.clamp(soft, hard.max(soft));
    if wanted > soft && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_err() {
        return Some(soft);
    }
    Some(wanted)
}

/// Without the feature `descriptor-limit` the soft limit is read where the system shows it, and not raised.
#[cfg(not(all(unix, feature = "descriptor-limit")))]
fn raise(_needed: u64) -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

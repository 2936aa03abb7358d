//! The system's limit of open files.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors beside those of clients: standard streams, listeners, the log's clock, the signal pipe.
const OTHERS: u64 = 32;

/// Raises the limit of open files so that `clients` can be connected at once, as far as the system allows.
/// When it allows less, returns what to raise.
pub fn raise_descriptors(clients: usize) -> Option<String> {
    let needed = clients as u64 + OTHERS;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let wanted = needed.clamp(soft, hard);
    let allowed = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).map_or(soft, |()| wanted);
    (allowed < needed).then(|| {
        format!(
            "{clients} clients at once need {needed} open files, the system allows {allowed}: raise the limit (ulimit -n {needed})"
        )
    })
}

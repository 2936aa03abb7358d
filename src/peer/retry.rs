//! Places that the user has named, to which a node comes back as long as it is there: others' listeners, and trackers.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::dials::{STAY, common, delay};
use super::meet::{NotMet, dialled, introduce};
use super::node::{Node, chance};
use super::tokens::Tokens;
use crate::net::{self, Socket, is_timeout};
use crate::protocol::{HANDSHAKE_LINE, Lines, PeerLine, TrackerLine};
use crate::text::printable;

/// How often a tracker hears from us.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);
/// A tracker from which nothing was heard for this long is gone: it answers each sign of life.
const SILENCE: Duration = Duration::from_secs(60);

/// Members that a tracker may name at once (a room of it has no more), and each second in the long run.
const TOLD: f64 = 256.0;
const TOLD_PER_SECOND: f64 = 10.0;

/// What has gone wrong since we were there last.
#[derive(Default)]
struct Trouble {
    failures: u32,
    reported: bool,
}

/// Dials a node again and again.
pub(super) fn connect(node: &Arc<Node>, host: String, port: u16) {
    let place = net::place(&host, port);
    keep_trying(node, move |node, trouble| {
        let socket = net::connect(&host, port).map_err(|error| format!("Cannot connect to {place}: {error}"))?;
        match dialled(node, socket, true) {
            Ok(()) | Err(NotMet::Connected) => trouble.reported = false,
            Err(NotMet::Refused(reason)) => return Err(format!("{place} will not have us: {reason}")),
            Err(NotMet::Failed(reason)) => return Err(format!("Cannot meet {place}: {reason}")),
        }
        Ok(())
    });
}

/// Stays with a tracker, and comes back to it.
pub(super) fn track(node: &Arc<Node>, host: String, port: u16) {
    let place = net::place(&host, port);
    keep_trying(node, move |node, trouble| {
        let socket =
            net::connect(&host, port).map_err(|error| format!("Cannot connect to the tracker {place}: {error}"))?;
        let joined = || {
            let again = if trouble.reported { " again" } else { "" };
            node.status("🧭", &format!("Found the tracker {place}{again}"));
            trouble.reported = false;
        };
        let end = introduce(node, &socket, HANDSHAKE_LINE).and_then(|lines| follow(node, &socket, lines, joined));
        match end {
            Err(NotMet::Refused(reason) | NotMet::Failed(reason)) => {
                Err(format!("Tracker {place}: {reason}; the chat goes on without it"))
            }
            Ok(()) | Err(NotMet::Connected) => Ok(()),
        }
    });
}

/// Attempts on a thread of its own until our user leaves, with growing, random delays, so that many who lost one place do not
/// come back to it all at once. Says once that it does not work.
fn keep_trying(node: &Arc<Node>, mut attempt: impl FnMut(&Node, &mut Trouble) -> Result<(), String> + Send + 'static) {
    let node = Arc::clone(node);
    thread::spawn(move || {
        let mut trouble = Trouble::default();
        while !node.leave.is_set() {
            let begun = Instant::now();
            let outcome = attempt(&node, &mut trouble);
            if begun.elapsed() >= STAY {
                trouble.failures = 0;
            }
            if let Err(reason) = outcome
                && !std::mem::replace(&mut trouble.reported, true)
                && !node.leave.is_set()
            {
                node.status("⚠️", &format!("{reason} (trying again)"));
            }
            let _ = node.leave.wait_for(delay(trouble.failures, chance()));
            trouble.failures += 1;
        }
    });
}

/// Dials whom the tracker names, until it is gone. Calls `joined` when it has taken us in.
fn follow(node: &Node, socket: &Socket, mut lines: Lines, joined: impl FnOnce()) -> Result<(), NotMet> {
    let there = socket.peer()?.ip();
    let (mut joined, mut tokens) = (Some(joined), Tokens::new(TOLD, TOLD_PER_SECOND));
    let mut buffer = [0; 16 * 1024];
    let (mut said, mut heard) = (Instant::now(), Instant::now());
    loop {
        while let Some(line) = lines.next_line() {
            match TrackerLine::parse(line.text) {
                Some(TrackerLine::Member(id, address, name)) => {
                    if let Some(address) = common(address, there)
                        && tokens.take(Instant::now())
                    {
                        node.told(id, address, name);
                    }
                }
                Some(TrackerLine::Ping) => joined.take().map_or((), |joined| joined()),
                Some(TrackerLine::Refused(reason)) => return Err(NotMet::Refused(printable(&reason))),
                None if joined.is_some() => return Err(NotMet::Refused("that is no tracker".to_owned())),
                // Who has left it may still talk with us: the connection between us says when that is over.
                Some(TrackerLine::Gone(_)) | None => {}
            }
        }
        if said.elapsed() >= SIGN_OF_LIFE {
            said = Instant::now();
            socket.send(&PeerLine::Ping.to_bytes())?;
        }
        socket.limit_reads(Some(SIGN_OF_LIFE.saturating_sub(said.elapsed())))?;
        match socket.read(&mut buffer) {
            Ok([]) => return Err(NotMet::Failed("it closed the connection".to_owned())),
            Ok(words) => {
                heard = Instant::now();
                lines.push(words);
            }
            Err(error) if !is_timeout(&error) => return Err(error.into()),
            Err(_) if heard.elapsed() >= SILENCE => return Err(NotMet::Failed("it does not answer".to_owned())),
            Err(_) => {}
        }
    }
}

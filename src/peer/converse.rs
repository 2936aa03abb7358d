//! What two members say to each other until one of them is gone.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::dials::can_be_told;
use super::link::Link;
use super::mesh::{Member, Message};
use super::node::{Node, chance};
use crate::logging::local_time;
use crate::protocol::peer::{HISTORY, HISTORY_BYTES};
use crate::protocol::{Id, Lines, PeerLine};
use crate::sync::lock;
use crate::text::printable;

/// A member from whom nothing was heard for this long is lost: it would have sent a sign of life.
const SILENCE: Duration = Duration::from_secs(45);

/// A member while it is there. It is gone with the value, also by a panic.
struct Presence<'a> {
    node: &'a Node,
    id: Id,
    link: &'a Link,
    /// It has said goodbye.
    left: bool,
}

/// Stays with a new member until it is gone.
pub(super) fn converse(node: &Node, id: Id, link: &Link, lines: &mut Lines) {
    let label = lock(&node.mesh).label(id);
    node.status("🤝", &format!("{label} is here"));
    node.changed.notify_all();
    thread::scope(|scope| {
        let mut presence = Presence { node, id, link, left: false };
        let writer = thread::Builder::new().spawn_scoped(scope, || link.write(&PeerLine::Ping.to_bytes()));
        if writer.is_ok() {
            presence.left = presence.listen(lines);
        }
    });
}

impl Presence<'_> {
    /// Reads until the member leaves (`true`) or is lost.
    fn listen(&self, lines: &mut Lines) -> bool {
        let Self { node, id, link, .. } = *self;
        let mut buffer = vec![0; 64 * 1024];
        let mut told = 0;
        if link.socket().limit_reads(Some(SILENCE)).is_err() {
            return false;
        }
        loop {
            let label = lock(&node.mesh).label(id);
            let mut shown = Vec::new();
            let mut left = false;
            while let Some(line) = lines.next_line() {
                if !line.ended {
                    // Longer than any line between nodes: this is none.
                    return false;
                }
                match PeerLine::parse(line.text) {
                    Some(PeerLine::Bye) => left = true,
                    Some(line) => self.hear(&label, line, &mut told, &mut shown),
                    None => {}
                }
            }
            node.show(&shown);
            if left {
                return true;
            }
            let Ok(length @ 1..) = link.socket().read(&mut buffer) else { return false };
            lines.push(buffer.get(..length).unwrap_or_default());
        }
    }

    /// What was said before we met the member, as it may be told: the last messages that fit.
    fn history(&self) -> Vec<u8> {
        let mesh = lock(&self.node.mesh);
        let met = mesh.get(self.id).map_or(UNIX_EPOCH, |member| member.met);
        let (mut lines, mut bytes) = (Vec::new(), 0);
        for Message { at, text } in mesh.history().rev().filter(|message| message.at < met) {
            let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let line = PeerLine::Told(seconds, text.clone()).to_bytes();
            bytes += line.len();
            if bytes > HISTORY_BYTES {
                break;
            }
            lines.push(line);
        }
        lines.reverse();
        lines.push(PeerLine::ToldAll.to_bytes());
        lines.concat()
    }

    /// Takes in one line; what is to be shown because of it goes into `shown`.
    fn hear(&self, label: &str, line: PeerLine, told: &mut usize, shown: &mut Vec<u8>) {
        let Self { node, id, link, .. } = *self;
        match line {
            PeerLine::Say(text) => {
                shown.extend(node.line("💬", label, &text));
                node.heard(label, &text, None);
            }
            PeerLine::Guest(guest, text) => {
                let who = format!("{guest} (guest of {label})");
                shown.extend(node.line("💬", &who, &text));
                node.heard(&who, &text, None);
            }
            PeerLine::To(text) => shown.extend(node.line("🔒", &format!("{label} (to you)"), &text)),
            PeerLine::Know(other, address, name) => {
                let from = lock(&node.mesh).get(id).map(|member| member.address.ip());
                if from.is_some_and(|from| can_be_told(address, from)) {
                    node.told(other, address, name);
                }
            }
            PeerLine::History => {
                // Two who ask each other must not wait for each other to read: what has no room now is not told.
                let _ = link.try_send(&self.history());
            }
            // Only who was asked may tell, and no more than it was asked for.
            PeerLine::Told(seconds, text) if lock(&node.mesh).asked == Some(id) && *told < HISTORY => {
                *told += 1;
                let at = UNIX_EPOCH + Duration::from_secs(seconds.min(u32::MAX.into()));
                shown.extend(past(&format!("{label} tells: "), at, &text));
            }
            PeerLine::ToldAll if lock(&node.mesh).asked.take_if(|asked| *asked == id).is_some() => {
                shown.extend(format!("📜 {label} told {told} messages from before you met\n").into_bytes());
                *told = 0;
            }
            PeerLine::Told(..)
            | PeerLine::ToldAll
            | PeerLine::Hello(_)
            | PeerLine::Adopt
            | PeerLine::Ping
            | PeerLine::Bye => {}
        }
    }
}

/// A message of before as a screen shows it.
pub(super) fn past(source: &str, at: SystemTime, text: &[u8]) -> Vec<u8> {
    let time = local_time(at);
    let minute = time.get(..16).unwrap_or_default();
    format!("📜 {source}{minute} {}\n", printable(text)).into_bytes()
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        let Self { node, id, link, left } = self;
        if *left {
            // What is still to be sent is sent: who has said goodbye waits for it.
            link.finish(b"");
        } else {
            link.give_up();
        }
        let (label, removed) = {
            let mut mesh = lock(&node.mesh);
            mesh.asked.take_if(|asked| asked == id);
            (mesh.label(*id), mesh.remove(*id, link))
        };
        node.changed.notify_all();
        // Without it, another connection has taken this one's place.
        let Some(Member { name, address, .. }) = removed else { return };
        if *left {
            lock(&node.dials).rest(address);
        } else if address.port() != 0 && !link.is_kept_up() {
            lock(&node.dials).lost(address, name, chance(), Instant::now());
            node.learned.notify_all();
        }
        if node.leave.is_set() {
            return;
        }
        match (*left, link.has_stalled()) {
            (true, _) => node.status("👋", &format!("{label} has left")),
            (false, true) => node.status("🐌", &format!("{label} stopped reading, and was disconnected")),
            (false, false) => node.status("💔", &format!("{label} is gone: connection lost")),
        }
    }
}

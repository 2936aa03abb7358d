//! What two members say to each other until one of them is gone.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::dials::common;
use super::link::Link;
use super::mesh::{MEMBERS, Member, Message};
use super::node::{Node, chance};
use super::tokens::Tokens;
use crate::logging::local_time;
use crate::protocol::peer::HISTORY_BYTES;
use crate::protocol::{Id, Lines, PeerLine, chat_refused};
use crate::sync::{lock, wait_while};
use crate::text::printable;

/// A member from whom nothing was heard for this long is lost: it would have sent a sign of life.
const SILENCE: Duration = Duration::from_secs(45);

/// How often a member may ask for our history at once, and how often each second in the long run.
const ASKS: f64 = 3.0;
const ASKS_PER_SECOND: f64 = 0.1;

/// A member while it is there. It is gone with the value, also by a panic.
struct Presence<'a> {
    node: &'a Node,
    id: Id,
    link: &'a Link,
    /// What it was called last.
    label: String,
    address: SocketAddr,
    /// It has said goodbye.
    left: bool,
}

/// Stays with a new member until it is gone. When its connection takes the place of another, first takes in what came on that.
pub(super) fn converse(node: &Node, id: Id, link: &Link, replaced: Option<&Link>, lines: &mut Lines) {
    let (label, address, namesakes) = {
        let mesh = lock(&node.mesh);
        let Some(member) = mesh.get(id).filter(|member| member.link == *link) else {
            // Another connection has taken its place already.
            link.end();
            node.changed.notify_all();
            return;
        };
        let namesakes: Vec<_> = mesh.find(&member.name.to_string()).into_iter().map(|(label, _)| label).collect();
        (mesh.label(id).unwrap_or_default(), member.address, namesakes)
    };
    thread::scope(|scope| {
        let mut presence = Presence { node, id, link, label, address, left: false };
        lock(&node.dials).connected(address);
        // There is room to dial another now.
        node.learned.notify_all();
        let writer = thread::Builder::new().spawn_scoped(scope, || link.write(&PeerLine::Ping.to_bytes()));
        if writer.is_err() {
            return;
        }
        if let Some(replaced) = replaced {
            drop(wait_while(&node.changed, lock(&node.mesh), SILENCE, |_| !replaced.is_over()));
        }
        node.status("🤝", &format!("{} is here", presence.label));
        if namesakes.len() > 1 && node.screen.is_terminal {
            node.status("👥", &format!("These have the same name: {}", namesakes.join(", ")));
        }
        node.changed.notify_all();
        presence.left = presence.listen(lines);
    });
}

impl Presence<'_> {
    /// Reads until the member leaves (`true`) or is lost.
    fn listen(&mut self, lines: &mut Lines) -> bool {
        let Self { node, id, link, .. } = *self;
        let mut buffer = vec![0; 64 * 1024];
        let (mut told, mut asks) = (0, Tokens::new(ASKS, ASKS_PER_SECOND));
        if link.socket().limit_reads(Some(SILENCE)).is_err() {
            return false;
        }
        loop {
            {
                // It changes with the others' names. When another connection has taken this one's place it stays what it was.
                let mesh = lock(&node.mesh);
                if mesh.get(id).is_some_and(|member| member.link == *link) {
                    self.label = mesh.label(id).unwrap_or_default();
                }
            }
            let mut shown = Vec::new();
            let left = loop {
                let Some(line) = lines.next_line() else { break None };
                if !line.ended {
                    // Longer than any line between nodes: this is none.
                    break Some(false);
                }
                if let Some(reason) = chat_refused(line.text) {
                    node.status("⛔", &format!("{} will not have us: {}", self.label, printable(reason)));
                    break Some(true);
                }
                match PeerLine::parse(line.text) {
                    Some(PeerLine::Bye) => break Some(true),
                    // Each is told of no more than can be there.
                    Some(PeerLine::Know(..)) if told >= MEMBERS => {}
                    Some(PeerLine::History) if !asks.take(Instant::now()) => {}
                    Some(line) => {
                        told += usize::from(matches!(line, PeerLine::Know(..)));
                        self.hear(line, &mut shown);
                    }
                    None => {}
                }
            };
            node.show(&shown);
            if let Some(left) = left {
                return left;
            }
            let Ok(words @ [_, ..]) = link.socket().read(&mut buffer) else { return false };
            lines.push(words);
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
    fn hear(&self, line: PeerLine, shown: &mut Vec<u8>) {
        let Self { node, id, link, address, .. } = *self;
        let label = &self.label;
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
            PeerLine::Know(other, told, name) => {
                if let Some(told) = common(told, address.ip()) {
                    node.told(other, told, name);
                }
            }
            PeerLine::History => {
                // Two who ask each other must not wait for each other to read: what has no room now is not told.
                if !link.try_send(&self.history().into()) {
                    let _ = link.try_send(&PeerLine::ToldAll.to_bytes().into());
                }
            }
            PeerLine::Told(seconds, text) if lock(&node.mesh).may_tell(id, text.len()) => {
                let at = UNIX_EPOCH + Duration::from_secs(seconds.min(u32::MAX.into()));
                shown.extend(past(&format!("{label} tells: "), at, &text));
            }
            PeerLine::ToldAll => {
                let told = lock(&node.mesh).told_all(id);
                if let Some(messages) = told {
                    shown.extend(format!("📜 {label} told {messages} messages from before you met\n").into_bytes());
                }
            }
            PeerLine::Told(..) | PeerLine::Hello(_) | PeerLine::Adopt | PeerLine::Ping | PeerLine::Bye => {}
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
        let Self { node, id, link, label, address, left } = self;
        if *left {
            // What is still to be sent is sent: who has said goodbye waits for it.
            link.finish(b"");
        } else {
            link.give_up();
        }
        let removed = {
            let mut mesh = lock(&node.mesh);
            mesh.told_all(*id);
            mesh.remove(*id, link)
        };
        node.changed.notify_all();
        match removed {
            Some(Member { name, met, .. }) if !*left && address.port() != 0 && !link.is_kept_up() => {
                lock(&node.dials).lost(*address, name, met.elapsed().unwrap_or_default(), chance(), Instant::now());
            }
            Some(_) => lock(&node.dials).rest(*address),
            // Another connection has taken this one's place, and waits until all that came on this one was shown.
            None => {}
        }
        node.learned.notify_all();
        match (*left, link.has_stalled()) {
            _ if node.leave.is_set() => {}
            (true, _) => node.status("👋", &format!("{label} has left")),
            (false, true) => node.status("🐌", &format!("{label} stopped reading, and was disconnected")),
            (false, false) => node.status("💔", &format!("{label} is gone: connection lost")),
        }
        {
            let _mesh = lock(&node.mesh);
            link.end();
        }
        node.changed.notify_all();
    }
}

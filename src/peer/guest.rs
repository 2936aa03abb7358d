//! A person with a plain connection, as with `nc`: a guest of this node, heard by everybody, marked as its guest.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::link::{Link, send_to_all};
use super::node::Node;
use crate::net::is_timeout;
use crate::nickname::Nickname;
use crate::protocol::{Arrival, Lines, MESSAGE_PIECE, PeerLine, Step, connected_to};
use crate::reception::Client;
use crate::sync::lock;

/// A guest while it is there. It is gone with the value, also by a panic.
struct Visit<'a> {
    node: &'a Node,
    name: Nickname,
    link: &'a Link,
}

/// Serves a guest that has said `first` so far, until it is gone.
pub(super) fn serve(node: &Node, client: &Arc<Client>, first: &[u8], deadline: Instant) {
    let link = Link::accepted(client);
    let now = Instant::now();
    let mut arrival = Arrival::new(now, deadline - now);
    arrival.lines.push(first);
    let Some(name) = ask(node, &link, &mut arrival) else { return };
    let visit = Visit { node, name, link: &link };
    client.settle();
    node.status("🤝", &format!("{} is here as your guest", visit.name));
    node.changed.notify_all();
    thread::scope(|scope| {
        let visit = visit;
        // A person may think for hours: no sign of life is expected, and none is sent.
        if thread::Builder::new().spawn_scoped(scope, || link.write(b"")).is_ok() {
            visit.listen(arrival.lines.rest());
        }
    });
}

/// Asks until there is a nickname that nobody has here.
fn ask(node: &Node, link: &Link, arrival: &mut Arrival) -> Option<Nickname> {
    let socket = link.socket();
    let mut buffer = [0; 1024];
    let mut step = arrival.next(Instant::now());
    loop {
        step = match step {
            Step::Say(words) => {
                socket.send(words.as_bytes()).ok()?;
                arrival.next(Instant::now())
            }
            Step::Read(limit) => {
                match socket.limit_reads(Some(limit)).and_then(|()| socket.read(&mut buffer)) {
                    Ok([]) => return None,
                    Ok(words) => arrival.lines.push(words),
                    Err(error) if is_timeout(&error) => {}
                    Err(_) => return None,
                }
                arrival.next(Instant::now())
            }
            Step::Named(name) => {
                let mut mesh = lock(&node.mesh);
                if mesh.welcome(&name, link) {
                    // Before anybody else can put a line into its box.
                    link.send(connected_to(&node.name).as_bytes());
                    return Some(name);
                }
                arrival.refuse_nickname("it is taken here, or there are too many guests; try another")
            }
            Step::SendAway(words) => {
                socket.send_away(&words);
                return None;
            }
        }
    }
}

impl Visit<'_> {
    /// Hears the guest until it ends, and passes its words on.
    fn listen(&self, words: &[u8]) {
        let Self { node, name, link } = self;
        let who = format!("{name} (guest of {})", node.name);
        let mut lines = Lines::new(MESSAGE_PIECE);
        let mut buffer = [0; 16 * 1024];
        lines.push(words);
        if link.socket().limit_reads(None).is_err() {
            return;
        }
        loop {
            let mut shown = Vec::new();
            let mut said = Vec::new();
            while let Some(line) = lines.next_line() {
                shown.extend(node.line("💬", &format!("{name} (your guest)"), line.text));
                said.push(line.text.to_vec());
            }
            node.show(&shown);
            for text in said {
                let members = node.heard(&who, &text, Some(link));
                send_to_all(&members, &PeerLine::Guest(name.clone(), text).to_bytes());
            }
            match link.socket().read(&mut buffer) {
                Ok(words @ [_, ..]) => lines.push(words),
                // The last line may lack its end.
                Ok(_) if !lines.rest().is_empty() => lines.push(b"\n"),
                Ok(_) | Err(_) => return,
            }
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let Self { node, name, link } = self;
        link.finish(b"");
        lock(&node.mesh).dismiss(link);
        node.changed.notify_all();
        if node.leave.is_set() {
        } else if link.has_stalled() {
            node.status("🐌", &format!("{name}, your guest, stopped reading, and was disconnected"));
        } else {
            node.status("👋", &format!("{name}, your guest, has left"));
        }
    }
}

//! One connection with a member or a guest, and what is to be sent on it.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::outbox::{Next, Outbox};
use crate::net::Socket;
use crate::reception::Client;

/// Whoever takes nothing for this long, or has no room in its box for this long, is disconnected.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A connection on which nothing was sent for this long gets a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// A connection. Clones share it, and are equal.
#[derive(Clone)]
pub(super) struct Link(Arc<Shared>);

struct Shared {
    line: Line,
    outbox: Outbox,
    stalled: AtomicBool,
    /// All that came on it was taken in.
    is_over: AtomicBool,
}

enum Line {
    Dialled { socket: Socket, kept_up: bool },
    Accepted(Arc<Client>),
}

impl PartialEq for Link {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Link {
    pub(super) fn accepted(client: &Arc<Client>) -> Self {
        Self::new(Line::Accepted(Arc::clone(client)))
    }

    /// `kept_up`: whoever dialled it dials again when it is lost.
    pub(super) fn dialled(socket: Socket, kept_up: bool) -> Self {
        Self::new(Line::Dialled { socket, kept_up })
    }

    fn new(line: Line) -> Self {
        Self(Arc::new(Shared {
            line,
            outbox: Outbox::default(),
            stalled: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        }))
    }

    pub(super) fn socket(&self) -> &Socket {
        match &self.0.line {
            Line::Dialled { socket, .. } => socket,
            Line::Accepted(client) => &client.socket,
        }
    }

    /// It is connected, and no longer gives way to others.
    pub(super) fn settle(&self) {
        if let Line::Accepted(client) = &self.0.line {
            client.settle();
        }
    }

    pub(super) fn is_kept_up(&self) -> bool {
        matches!(self.0.line, Line::Dialled { kept_up: true, .. })
    }

    /// Hands a line to the writer when there is room for it now.
    pub(super) fn try_send(&self, line: &Arc<[u8]>) -> bool {
        self.0.outbox.put(line, Duration::ZERO)
    }

    /// Hands a line to the writer. Who has no room for it until `deadline` is given up.
    pub(super) fn send_by(&self, line: &Arc<[u8]>, deadline: Instant) {
        if !self.0.outbox.put(line, deadline.saturating_duration_since(Instant::now())) {
            self.0.stalled.store(true, Ordering::Relaxed);
            self.give_up();
        }
    }

    /// Hands a line to the writer; waits for room until there was none for as long as [`PATIENCE`].
    pub(super) fn send(&self, line: &[u8]) {
        self.send_by(&line.into(), Instant::now() + PATIENCE);
    }

    /// Sends what is in the box, and `last`, and then the end of the stream.
    pub(super) fn finish(&self, last: &[u8]) {
        self.0.outbox.close(last);
    }

    /// Waits until everything is sent, for at most `limit`.
    pub(super) fn drain(&self, limit: Duration) {
        self.0.outbox.drain(limit);
    }

    /// Ends the connection, whatever is still to be sent.
    pub(super) fn give_up(&self) {
        self.0.outbox.close(b"");
        self.socket().shut();
    }

    /// Nothing that came on it will be shown any more.
    pub(super) fn end(&self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Relaxed)
    }

    /// How much is still to be sent, in bytes.
    pub(super) fn waiting(&self) -> usize {
        self.0.outbox.waiting()
    }

    /// Whether it was given up because the other side stopped reading.
    pub(super) fn has_stalled(&self) -> bool {
        self.0.stalled.load(Ordering::Relaxed)
    }

    /// Sends what comes into the box until that is closed; when nothing comes for a while, `sign_of_life`.
    pub(super) fn write(&self, sign_of_life: &[u8]) {
        loop {
            let sent = match self.0.outbox.take(SIGN_OF_LIFE) {
                Next::Send(lines) => self.socket().send(&lines),
                Next::Nothing => self.socket().send(sign_of_life),
                Next::Closed => return self.socket().finish_sending(),
            };
            if let Err(error) = sent {
                self.0.stalled.fetch_or(error.kind() == ErrorKind::TimedOut, Ordering::Relaxed);
                return self.give_up();
            }
        }
    }
}

/// Hands a line to several at once: who has room for it gets it now, and only then the others are waited for.
pub(super) fn send_to_all(links: &[Link], line: &[u8]) {
    let (line, deadline) = (line.into(), Instant::now() + PATIENCE);
    let full: Vec<_> = links.iter().filter(|link| !link.try_send(&line)).collect();
    full.into_iter().for_each(|link| link.send_by(&line, deadline));
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn who_has_room_gets_a_line_while_a_full_one_is_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Without a writer: what is put into their boxes stays there.
        let [full, free] = [(); 2].map(|()| Link::dialled(crate::net::connect_to(address, LIMIT).unwrap(), false));
        let large = vec![b'x'; 1024 * 1024].into();
        while full.try_send(&large) {}
        thread::scope(|scope| {
            let sending = scope.spawn(|| send_to_all(&[full.clone(), free.clone()], b"hello\n"));
            let deadline = Instant::now() + LIMIT;
            while free.waiting() == 0 && Instant::now() < deadline {
                thread::yield_now();
            }
            let (came, goes_on) = (free.waiting(), !sending.is_finished());
            full.give_up();
            assert_eq!((came, goes_on), (6, true), "(bytes for the free one, the full one is waited for)");
        });
    }
}

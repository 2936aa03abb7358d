//! One conversation: a seat, waiting for a companion, meeting it, relaying, and what becomes of it all.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};
use std::{io, iter, mem, ptr, thread};

use log::{info, warn};

use super::lobby::NoSeat;
use super::relay::relay;
use super::{House, LOG_TARGET, STOPPING};
use crate::nickname::Nickname;
use crate::protocol::{WAITING, connected_to, refusal};
use crate::reception::Client;
use crate::stop::Stop;
use crate::sync::lock;

/// A lost connection is passed on as a reset, which would overtake words that are still under way: they get this long.
const UNDER_WAY: Duration = Duration::from_millis(200);

/// How long a guest may hear what its companion said that has left and is gone; what it says itself nobody hears any more.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How often a connection whose stream has ended is looked at: a reset of it wakes nobody.
const LOOK: Duration = Duration::from_secs(1);

/// How often a guest that may not say more for now looks for its companion.
const LOOK_FOR_COMPANION: Duration = Duration::from_millis(100);

/// A client that has a nickname.
struct Guest {
    client: Arc<Client>,
    nickname: Nickname,
    /// What the log calls it.
    title: String,
    seated: Instant,
    /// How much it has said, in bytes.
    said: AtomicU64,
    /// Whether it has said its last word, and the companion has heard so.
    left: Stop,
}

/// One conversation, from its first guest on.
pub(super) struct Session {
    house: Arc<House>,
    /// What log lines about it end in: its number, when there can be several.
    label: String,
    first: Arc<Guest>,
    /// There once the two are introduced.
    second: OnceLock<Arc<Guest>>,
    /// What the first says before. Held while a guest is told where it is, so that it never speaks, nor is met, in between.
    kept: Mutex<Vec<u8>>,
    /// A connection was lost: neither can go on.
    cut: Stop,
}

/// Takes a seat, and stays until the chat is over. `words` are the beginning of what the client has to say.
pub(super) fn stay(house: &Arc<House>, client: &Arc<Client>, nickname: Nickname, words: &[u8]) -> Result<(), NoSeat> {
    let (client, title) = (Arc::clone(client), format!("Client {} ({nickname})", client.number));
    let (seated, said, left) = (Instant::now(), AtomicU64::new(0), Stop::default());
    let guest = &Arc::new(Guest { client, nickname, title, seated, said, left });
    let mut lobby = lock(&house.lobby);
    let session = &lobby.take_seat(&guest.nickname, |number| {
        let label = if house.sessions > 1 { format!(" (session {number})") } else { String::new() };
        let (second, kept, cut) = (OnceLock::new(), Mutex::default(), Stop::default());
        Arc::new(Session { house: Arc::clone(house), label, first: Arc::clone(guest), second, kept, cut })
    })?;
    // Before the lobby is open again: a companion comes behind the one that waits.
    let kept = lock(&session.kept);
    drop(lobby);
    guest.client.settle();
    info!(target: LOG_TARGET, "👤 Client {} nickname: {}{}", guest.client.number, guest.nickname, session.label);
    let talked = catch_unwind(AssertUnwindSafe(|| {
        session.tell(guest, kept)?;
        guest.client.socket.limit_reads(None)?;
        session.say(guest, words);
        relay(&guest.client.socket, |words| session.say(guest, words), || session.cut.is_set() || house.stop.is_set())
    }));
    // Why, the panic itself has said on standard error.
    session.leave(guest, talked.unwrap_or_else(|_| Err(io::Error::other("its worker panicked"))));
    Ok(())
}

impl Session {
    /// Whom a guest talks with. The first has nobody before the two are introduced.
    fn companion(&self, guest: &Arc<Guest>) -> Option<&Arc<Guest>> {
        if Arc::ptr_eq(guest, &self.first) { self.second.get() } else { Some(&self.first) }
    }

    /// The first of a pair hears that it has to wait. The second is introduced, and hears what the first has said so far.
    fn tell(&self, guest: &Arc<Guest>, mut kept: MutexGuard<'_, Vec<u8>>) -> io::Result<()> {
        let Some(first) = self.companion(guest) else {
            return guest.client.socket.send(format!("{WAITING}\n").as_bytes());
        };
        info!(target: LOG_TARGET, "💬 Chat session started{}", self.label);
        for guest in [first, guest] {
            guest.client.socket.expect_answers();
        }
        // Should it fail, the first's own worker finds out.
        let _ = first.client.socket.send(connected_to(&guest.nickname).as_bytes());
        let words = [connected_to(&first.nickname).as_bytes(), &mem::take(&mut *kept)].concat();
        let told = guest.client.socket.send(&words);
        // From here on the first's words go straight to the second.
        let _ = self.second.set(Arc::clone(guest));
        told
    }

    /// Passes on what the guest says; what it says before its companion comes is kept.
    fn say(&self, guest: &Arc<Guest>, words: &[u8]) {
        #[cfg(test)]
        assert_ne!(words, b"panic\n", "on purpose");
        guest.said.fetch_add(words.len() as u64, Ordering::Relaxed);
        let mut kept = lock(&self.kept);
        if let Some(companion) = self.companion(guest) {
            drop(kept);
            match companion.client.socket.send(words) {
                // What it said before it left may be under way: a guest that has heard it ends by itself.
                Err(_) if companion.left.is_set() => {
                    if !guest.client.socket.drain(LAST_WORDS) {
                        self.cut.trigger();
                    }
                }
                Err(error) => self.lose(companion, &error),
                Ok(()) => {}
            }
        } else {
            kept.extend_from_slice(words);
            let is_full = kept.len() >= self.house.limits.kept;
            drop(kept);
            let is_gone = || guest.client.socket.error().is_some() || self.house.stop.wait_for(LOOK_FOR_COMPANION);
            while is_full && self.companion(guest).is_none() && !is_gone() {}
        }
    }

    /// A connection is lost: neither can go on. Who has left already is not lost as well, and at a stop nobody is.
    fn lose(&self, who: &Guest, error: &io::Error) {
        let Self { house, label, first, second, cut, .. } = self;
        if house.stop.is_set() || !cut.trigger() {
            return;
        }
        iter::once(first).chain(second.get()).for_each(|guest| guest.client.socket.stop_reading());
        if !who.left.is_set() {
            warn!(target: LOG_TARGET, "💔 {} connection lost: {error}{label}", who.title);
        }
    }

    /// Gives the seat up: what the companion, and the log, hear of the guest's last word. The last of two ends the session.
    fn leave(&self, guest: &Arc<Guest>, talked: io::Result<()>) {
        lock(&self.house.lobby).leave(|waiting| ptr::eq(&**waiting, self));
        // Who came before that is introduced once this is free.
        drop(lock(&self.kept));
        let (companion, is_stopping) = (self.companion(guest), self.house.stop.is_set());
        match talked {
            Err(error) => self.lose(guest, &error),
            Ok(()) if companion.is_none() && is_stopping => guest.client.socket.send_away(&refusal(STOPPING)),
            Ok(()) if self.cut.is_set() => {}
            Ok(()) => {
                if let Some(companion) = companion {
                    companion.client.socket.finish_sending();
                }
                if !is_stopping {
                    info!(target: LOG_TARGET, "👋 {} left{}", guest.title, self.label);
                }
            }
        }
        let (Some(companion), Some(second)) = (companion, self.second.get()) else { return };
        // Held, because one of the two has to be the last.
        let one_by_one = lock(&self.kept);
        let is_last = companion.left.is_set();
        guest.left.trigger();
        drop(one_by_one);
        if is_last {
            return self.end_session(second);
        }
        while !companion.left.wait_for(LOOK) {
            if let Some(error) = guest.client.socket.error()
                && !companion.left.wait_for(LAST_WORDS)
            {
                self.lose(guest, &error);
            }
        }
    }

    fn end_session(&self, second: &Guest) {
        let lasted = second.seated.elapsed().as_secs();
        let lasted = format!("{}:{:02}:{:02}", lasted / 3600, lasted / 60 % 60, lasted % 60);
        let said = |guest: &Guest| format!("{} bytes from {}", guest.said.load(Ordering::Relaxed), guest.nickname);
        let (first, label) = (&*self.first, &self.label);
        let [said, answered] = [first, second].map(said);
        let who = format!("{} and {}", first.nickname, second.nickname);
        info!(target: LOG_TARGET, "🏁 Chat session ended: {who}, {lasted}, {said}, {answered}{label}");
        lock(&self.house.lobby).end_session();
        if !self.house.stop.is_set() {
            info!(target: LOG_TARGET, "🟢 Waiting for 2 clients to connect...");
        }
        if self.cut.is_set() {
            thread::sleep(UNDER_WAY);
        } else {
            [first, second].iter().for_each(|guest| guest.client.socket.close_in_order());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
    use std::net::TcpStream;

    use super::*;
    use crate::server::{Limits, run};

    const LIMIT: Duration = Duration::from_secs(10);

    /// A client that has a seat, as soon as there is one.
    fn join(port: u16, name: &str) -> BufReader<TcpStream> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let mut client = BufReader::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
            client.get_ref().set_read_timeout(Some(LIMIT)).unwrap();
            let (_, mut heard) = (writeln!(client.get_ref(), "{name}"), String::new());
            if client.read_line(&mut heard).is_ok() && !heard.contains("Chat refused") {
                return client;
            }
            assert!(Instant::now() < deadline, "expected a free seat for {name}, heard: {heard}");
        }
    }

    fn expect_end(mut client: BufReader<TcpStream>) {
        let kind = io::copy(&mut client, &mut io::sink()).map_err(|error| error.kind());
        assert_ne!(kind, Err(ErrorKind::WouldBlock), "expected an end");
    }

    /// Stops the server with the value, also when the test fails.
    struct Stopping<'a>(&'a Stop);

    impl Drop for Stopping<'_> {
        fn drop(&mut self) {
            self.0.trigger();
        }
    }

    #[test]
    fn a_panic_ends_its_own_chat_and_the_seats_are_free() {
        let (listeners, port) = crate::net::listen("127.0.0.1", 0).unwrap();
        let stop = &Stop::default();
        thread::scope(|scope| {
            scope.spawn(move || run(&listeners, 1, Limits::default(), stop));
            let _stopping = Stopping(stop);
            let alone = join(port, "alone");
            alone.get_ref().write_all(b"panic\n").unwrap();
            expect_end(alone);
            for speaker in [0, 1] {
                let two = ["first", "second"].map(|name| join(port, name));
                two[speaker].get_ref().write_all(b"panic\n").unwrap();
                two.into_iter().for_each(expect_end);
            }
            drop(["next", "last"].map(|name| join(port, name)));
        });
    }
}

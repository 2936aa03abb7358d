//! Two clients and what becomes of their conversation.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;
use std::{fmt, io, iter};

use crate::nickname::Nickname;
use crate::reception::Client;
use crate::stop::Stop;

/// A client that has a nickname.
pub(super) struct Guest {
    pub(super) client: Arc<Client>,
    pub(super) nickname: Nickname,
    seated: Instant,
    /// How much its companion has got of what it said, in bytes.
    pub(super) said: AtomicU64,
    /// Whether it has said its last word.
    pub(super) is_done: AtomicBool,
}

/// A guest whose connection is lost, and why.
pub(super) type Lost<'a> = (&'a Guest, io::Error);

impl Guest {
    pub(super) fn new(client: Arc<Client>, nickname: Nickname) -> Arc<Self> {
        let (said, is_done) = (AtomicU64::new(0), AtomicBool::new(false));
        Arc::new(Self { client, nickname, seated: Instant::now(), said, is_done })
    }
}

impl fmt::Display for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client {} ({})", self.client.number, self.nickname)
    }
}

/// One conversation, from its first guest on.
pub(super) struct Session {
    /// What log lines about it end in.
    pub(super) label: String,
    pub(super) first: Arc<Guest>,
    /// There once the two are introduced.
    pub(super) second: OnceLock<Arc<Guest>>,
    /// What the first says before. Held while a guest is told where it is, so that it never speaks, nor is met, in between.
    pub(super) kept: Mutex<Vec<u8>>,
    /// How many guests have said their last word.
    pub(super) done: AtomicUsize,
    pub(super) over: Stop,
    is_cut: AtomicBool,
}

impl Session {
    pub(super) fn new(label: String, first: &Arc<Guest>) -> Arc<Self> {
        Arc::new(Self {
            label,
            first: Arc::clone(first),
            second: OnceLock::new(),
            kept: Mutex::default(),
            done: AtomicUsize::new(0),
            over: Stop::default(),
            is_cut: AtomicBool::new(false),
        })
    }

    pub(super) fn guests(&self) -> impl Iterator<Item = &Guest> {
        iter::once(&self.first).chain(self.second.get()).map(|guest| &**guest)
    }

    /// Whom a guest talks with. The first has nobody before the two are introduced.
    pub(super) fn companion(&self, guest: &Arc<Guest>) -> Option<&Guest> {
        let companion = if Arc::ptr_eq(guest, &self.first) { self.second.get() } else { Some(&self.first) };
        companion.map(|companion| &**companion)
    }

    /// A connection was lost: neither can go on. Returns whether that is news.
    pub(super) fn cut(&self) -> bool {
        let is_news = !self.is_cut.swap(true, Ordering::Relaxed);
        self.guests().for_each(|guest| guest.client.socket.stop_reading());
        is_news
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }

    /// What a log tells of it when it is over.
    pub(super) fn summary(&self) -> String {
        let names: Vec<_> = self.guests().map(|guest| guest.nickname.to_string()).collect();
        let said = |guest: &Guest| format!(", {} bytes from {}", guest.said.load(Ordering::Relaxed), guest.nickname);
        let lasted = self.second.get().map_or(0, |second| second.seated.elapsed().as_secs());
        let [hours, minutes, seconds] = [lasted / 3600, lasted / 60 % 60, lasted % 60];
        let said: String = self.guests().map(said).collect();
        format!("{}, {hours}:{minutes:02}:{seconds:02}{said}", names.join(" and "))
    }
}

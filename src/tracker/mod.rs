//! The tracker: tells the members of a room where to find each other, and carries no message.
//!
//! One worker serves one member for its whole stay; presence is the open connection. What is said is in
//! [`crate::protocol::tracker`].

mod rooms;

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use log::{info, warn};

use crate::net::is_timeout;
use crate::protocol::{HANDSHAKE_LINE, Hello, Lines, PeerLine, TrackerLine, refusal};
use crate::reception::{self, Client};
use crate::stop::Stop;
use crate::sync::lock;
use rooms::Rooms;

/// What the log lines of the tracker are filed under.
pub const LOG_TARGET: &str = "chat_tracker";

/// Connections at once that have not said yet who they are.
const HANDSHAKES: usize = 64;
/// The most members of one room: they all connect with each other.
const ROOM: usize = 256;
/// How long a client may take, in total, to say who it is.
const INTRODUCTION: Duration = Duration::from_secs(30);
/// A member from whom nothing was heard for this long is gone: it would have sent a sign of life.
const SILENCE: Duration = Duration::from_secs(60);
/// A member that takes nothing of what it is told for this long is disconnected: others wait meanwhile.
const STALLED: Duration = Duration::from_millis(200);

/// How many connections a tracker for so many members may have at once.
pub fn connections(members: usize) -> usize {
    members + HANDSHAKES
}

/// Serves so many members at once until `stop`; then every member was told so, and every thread is joined.
pub fn run(listeners: &[TcpListener], members: usize, stop: &Stop) {
    let rooms = Mutex::new(Rooms::new(ROOM));
    let stopping = stop.clone();
    let serve = move |client: &Arc<Client>| serve(&rooms, client, &stopping);
    reception::run(listeners, LOG_TARGET, connections(members), STALLED, stop, serve);
}

/// Somebody in a room.
struct Member {
    client: Arc<Client>,
    hello: Hello,
    address: SocketAddr,
    /// Held while it is told something, and until it was told who was there before it: so it never hears that somebody has
    /// gone before it heard that it was there.
    told: Mutex<()>,
    /// It was cut off because it did not take what it was told.
    stalled: AtomicBool,
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.client.number == other.client.number
    }
}

impl Member {
    fn comes(&self) -> String {
        TrackerLine::Member(self.hello.id, self.address, self.hello.name.clone()).to_string()
    }

    fn tell(&self, words: &str) {
        let _told = lock(&self.told);
        if let Err(error) = self.client.socket.send(words.as_bytes()) {
            // Its own worker sees the end of the stream, and takes it off the list.
            self.stalled.store(is_timeout(&error), Ordering::Relaxed);
            self.client.socket.shut();
        }
    }
}

/// A member while it is there. It is off the list with the value, also by a panic.
struct Presence<'a> {
    rooms: &'a Mutex<Rooms<Arc<Member>>>,
    member: Arc<Member>,
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        let others = lock(self.rooms).leave(&self.member.hello.room, &self.member);
        let gone = TrackerLine::Gone(self.member.hello.id).to_string();
        others.iter().for_each(|other| other.tell(&gone));
    }
}

fn serve(rooms: &Mutex<Rooms<Arc<Member>>>, client: &Arc<Client>, stop: &Stop) {
    let number = client.number;
    let send_away = |reason: &str| client.socket.send_away(&refusal(reason));
    let refuse = |reason: &str| {
        warn!(target: LOG_TARGET, "⛔ Client {number} refused: {reason}");
        send_away(reason);
    };
    let Some(words) = client.first_words(Instant::now() + INTRODUCTION) else {
        return info!(target: LOG_TARGET, "👋 Client {number} left");
    };
    let mut lines = Lines::new(HANDSHAKE_LINE);
    lines.push(&words);
    let Some(PeerLine::Hello(hello)) = lines.next_line().and_then(|line| PeerLine::parse(line.text)) else {
        return refuse("this is a tracker: chat-peer NAME --tracker HOST:PORT");
    };
    client.settle();
    let Ok(address) = client.socket.peer() else { return };
    let address = SocketAddr::new(address.ip().to_canonical(), hello.port);
    let member = Arc::new(Member {
        client: Arc::clone(client),
        hello,
        address,
        told: Mutex::default(),
        stalled: AtomicBool::new(false),
    });
    let told = lock(&member.told);
    let joined = lock(rooms).join(&member.hello.room, Arc::clone(&member));
    let Some(others) = joined else {
        return refuse("the room is full");
    };
    let Hello { name, room, .. } = &member.hello;
    info!(target: LOG_TARGET, "👤 Client {number} nickname: {name} (room {room}, {} there)", others.len() + 1);
    let who = format!("Client {number} ({name}, room {room})");
    let presence = Presence { rooms, member: Arc::clone(&member) };
    let list: String = others.iter().map(|other| other.comes()).collect();
    let listed = client.socket.send(format!("{list}{}", TrackerLine::Ping).as_bytes());
    drop(told);
    let comes = member.comes();
    others.iter().for_each(|other| other.tell(&comes));
    let end = listed.and_then(|()| stay(&member, lines));
    drop(presence);
    match end {
        _ if stop.is_set() => send_away("the tracker is stopping"),
        Ok(()) if member.stalled.load(Ordering::Relaxed) => {
            warn!(target: LOG_TARGET, "💔 {who} connection lost: it stopped reading");
        }
        Ok(()) => info!(target: LOG_TARGET, "👋 {who} left"),
        Err(error) if is_timeout(&error) => {
            warn!(target: LOG_TARGET, "💔 {who} connection lost: it is silent");
        }
        Err(error) => warn!(target: LOG_TARGET, "💔 {who} connection lost: {error}"),
    }
}

/// Answers signs of life until there are none.
fn stay(member: &Member, mut lines: Lines) -> std::io::Result<()> {
    let socket = &member.client.socket;
    socket.limit_reads(Some(SILENCE))?;
    let mut buffer = [0; 1024];
    loop {
        while let Some(line) = lines.next_line() {
            if PeerLine::parse(line.text) == Some(PeerLine::Ping) {
                member.tell(&TrackerLine::Ping.to_string());
            }
        }
        match socket.read(&mut buffer)? {
            [] => return Ok(()),
            words => lines.push(words),
        }
    }
}

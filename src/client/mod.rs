//! The client: connects, and runs a reader and a writer thread until one of them, or a signal, says that it is over.

mod receive;
mod send;

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use log::debug;

use crate::{
    net::{self, Socket},
    nickname::Nickname,
    stop,
    terminal::{self, Screen},
    text::printable,
};

/// What the log lines of the client are filed under.
pub const LOG_TARGET: &str = "chat_client";

/// How long the server gets to notice that we leave: closing earlier could cost our last words.
const FAREWELL: Duration = Duration::from_millis(500);

/// How long standard input may be silent, when it is no keyboard, once the companion has left.
const SILENCE: Duration = Duration::from_millis(500);

/// Why a chat failed. What a server said in it is foreign text.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No connection was made.
    Unavailable(net::Error),
    /// It answers, but not as a chat server does: where, and what it said.
    NotAChatServer(String, String),
    /// The server will not have us.
    ChatRefused(String),
    /// The server will not have the nickname given by `--nick`.
    NicknameRefused(String),
    /// Standard input ended before a nickname came.
    NoNickname,
    /// The connection to the server, or the companion's, has broken.
    Lost(String),
    /// The terminal, or a pipe, failed.
    Terminal(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(net::Error::Connect(place, error)) => {
                write!(f, "Server unavailable at {place}: {error}; is it running?")
            }
            Self::Unavailable(error) => write!(f, "Server unavailable: {error}"),
            Self::NotAChatServer(place, said) => {
                write!(f, "{place} is not a chat server: {said}; are host and port right?")
            }
            Self::ChatRefused(reason) => write!(f, "Chat refused: {reason}"),
            Self::NicknameRefused(reason) => write!(f, "Nickname refused: {reason}"),
            Self::NoNickname => {
                f.write_str("No nickname: give one with --nick, or as the first line of standard input")
            }
            Self::Lost(reason) => write!(f, "Connection lost: {reason}"),
            Self::Terminal(error) => write!(f, "Cannot use the terminal: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable(error) => Some(error),
            Self::Terminal(error) => Some(error),
            _ => None,
        }
    }
}

/// What came to an end.
enum End {
    /// `/exit`, Ctrl+C, Ctrl+D, a signal, or nobody reads our output any more.
    Leave,
    /// Standard input ended, and the server was told.
    Input,
    /// The companion's stream ended.
    Companion(Nickname),
    /// Something failed.
    Failed(Error),
}

/// What all threads of a client share.
struct Chat {
    place: String,
    socket: Socket,
    screen: Screen,
    nickname: Option<Nickname>,
    /// Lines sent, and whether the writer waits for more: tells a standard input at rest from a slow server.
    sent: AtomicU64,
    typing: AtomicBool,
}

/// Chats until it is over. Returns the companion's leaving and our own alike as success.
///
/// # Errors
/// See [`Error`].
pub fn run(host: &str, port: u16, nickname: Option<Nickname>) -> Result<(), Error> {
    let socket = net::connect(host, port).map_err(Error::Unavailable)?;
    let (keyboard, screen) = terminal::open().map_err(Error::Terminal)?;
    let place = net::place(host, port);
    let chat =
        Arc::new(Chat { place, socket, screen, nickname, sent: AtomicU64::new(0), typing: AtomicBool::new(false) });
    debug!(target: LOG_TARGET, "connected to {:?}", chat.socket.peer());

    let (ended, ends) = mpsc::channel();
    let (signalled, screen) = (ended.clone(), chat.screen.clone());
    // Nobody listens any more when the chat is over already.
    let leave = move || drop(signalled.send(End::Leave));
    stop::on_signal(leave, move || screen.close()).map_err(|error| Error::Terminal(io::Error::other(error)))?;

    if chat.screen.is_terminal() {
        let greeting = format!("🔌 Connected to chat server at {}\nType /exit to quit\n\n", chat.place);
        chat.screen.show(greeting.as_bytes()).map_err(Error::Terminal)?;
    }
    let (turn, turns) = mpsc::channel();
    let (reader, writer) = (Arc::clone(&chat), Arc::clone(&chat));
    let reader_ended = ended.clone();
    thread::spawn(move || reader_ended.send(receive::receive(&reader, &turn)));
    thread::spawn(move || ended.send(send::send(&writer, keyboard, &turns)));

    let result = chat.wait_for_end(&ends);
    // The threads stay behind: one of them may wait for a key that nobody presses.
    chat.screen.close();
    match result {
        Ok(Some(companion)) => {
            let _ = chat.screen.status("👋", &format!("{companion} has left"));
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    }
}

impl Chat {
    /// Returns the companion when it was the one to end the chat.
    fn wait_for_end(&self, ends: &Receiver<End>) -> Result<Option<Nickname>, Error> {
        let mut input_ended = false;
        loop {
            // The reader thread always says how it ended.
            match ends.recv().unwrap_or(End::Leave) {
                End::Input => input_ended = true,
                End::Failed(error) => return Err(error),
                End::Leave => {
                    self.socket.close_in_order();
                    self.socket.finish_sending();
                    self.wait_until_farewell(ends);
                    return Ok(None);
                }
                End::Companion(companion) => {
                    if !self.screen.is_terminal() && !input_ended {
                        self.wait_until_all_is_sent(ends)?;
                    }
                    return Ok(Some(companion));
                }
            }
        }
    }

    /// What arrives meanwhile is still shown.
    fn wait_until_farewell(&self, ends: &Receiver<End>) {
        while let Ok(end) = ends.recv_timeout(FAREWELL) {
            if matches!(end, End::Companion(_) | End::Failed(_)) {
                return;
            }
        }
    }

    /// The companion says no more, but may still listen: what standard input has at hand is sent.
    fn wait_until_all_is_sent(&self, ends: &Receiver<End>) -> Result<(), Error> {
        loop {
            let before = self.sent.load(Ordering::Relaxed);
            match ends.recv_timeout(SILENCE) {
                Ok(End::Failed(error)) => return Err(error),
                Ok(_) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {
                    if self.typing.load(Ordering::Relaxed) && self.sent.load(Ordering::Relaxed) == before {
                        self.socket.finish_sending();
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// Foreign text for an error message.
fn heard(bytes: &[u8]) -> String {
    printable(bytes).trim_end().to_owned()
}

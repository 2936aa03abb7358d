//! The client: connects, and runs a reader and a writer thread until one of them, or a signal, says that it is over.

mod receive;
mod send;

use std::error::Error;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use std::{io, thread};

use log::debug;

use crate::net::{self, Socket};
use crate::nickname::Nickname;
use crate::stop;
use crate::sync::FOREVER;
use crate::terminal::{self, Screen};

/// What the log lines of the client are filed under.
pub const LOG_TARGET: &str = "chat_client";

/// How long the server gets to notice that we leave: closing earlier could cost our last words.
const FAREWELL: Duration = Duration::from_millis(500);

/// How long standard input may be silent, when it is no keyboard, once the companion has left.
const SILENCE: Duration = Duration::from_millis(500);

/// What came to an end.
enum End {
    /// `/exit`, Ctrl+C, Ctrl+D, a signal, or nobody reads our output any more.
    Leave,
    /// Standard input ended, and the server was told.
    Input,
    /// The companion's stream ended.
    Companion(Nickname),
    /// Something failed: what, and what to do.
    Failed(String),
}

fn lost(reason: impl Display) -> End {
    End::Failed(format!("Connection lost: {reason}"))
}

/// The terminal failed. That nobody reads our output any more is a normal end.
fn unusable(error: io::Error) -> End {
    match error.kind() {
        io::ErrorKind::BrokenPipe => End::Leave,
        _ => End::Failed(format!("Cannot use the terminal: {error}")),
    }
}

/// What all threads of a client share.
struct Chat {
    place: String,
    socket: Socket,
    screen: Screen,
    nickname: Option<Nickname>,
    /// Goes up when the writer has got a line, and when it has dealt with it: odd while it does.
    steps: AtomicU64,
}

/// Chats until it is over. Returns the companion's leaving and our own alike as success.
///
/// # Errors
/// What failed and what to do, in a sentence. A server's own words in it are safe to show.
pub fn run(host: &str, port: u16, nickname: Option<Nickname>) -> Result<(), Box<dyn Error>> {
    let place = net::place(host, port);
    let socket = net::connect(host, port).map_err(|error| format!("Server unavailable at {place}: {error}"))?;
    debug!(target: LOG_TARGET, "connected to {:?}", socket.peer());
    let (keyboard, screen) = terminal::open().map_err(|error| format!("Cannot use the terminal: {error}"))?;
    let (ended, ends) = mpsc::channel();
    let (signalled, closing) = (ended.clone(), screen.clone());
    // Nobody listens any more when the chat is over already.
    stop::on_signal(move || drop(signalled.send(End::Leave)), move || closing.close())?;

    let chat = Arc::new(Chat { place, socket, screen, nickname, steps: AtomicU64::new(0) });
    // A server that says the same again and again waits for the writer.
    let (turn, turns) = mpsc::sync_channel(8);
    let (reader, reader_ended, writer) = (Arc::clone(&chat), ended.clone(), Arc::clone(&chat));
    thread::spawn(move || reader_ended.send(receive::receive(&reader, &turn).unwrap_or_else(|end| end)));
    thread::spawn(move || ended.send(send::send(&writer, keyboard, &turns).unwrap_or_else(|end| end)));

    let result = chat.wait_for_end(&ends);
    // The threads stay behind: one of them may wait for a key that nobody presses.
    chat.screen.close();
    if let Some(companion) = result? {
        let _ = chat.screen.status("👋", &format!("{companion} has left"));
    }
    Ok(())
}

impl Chat {
    fn show(&self, text: &[u8]) -> Result<(), End> {
        self.screen.show(text).map_err(unusable)
    }

    fn status(&self, mark: &str, text: &str) -> Result<(), End> {
        self.screen.status(mark, text).map_err(unusable)
    }

    /// A person may try another nickname, unless it was given on the command line.
    fn nickname_refused(&self, reason: &str) -> Result<(), End> {
        let refused = format!("Nickname refused: {reason}");
        if self.nickname.is_some() || !self.screen.is_terminal {
            return Err(End::Failed(refused));
        }
        self.status("🚫", &refused)
    }

    /// Returns the companion when it was the one to end the chat.
    fn wait_for_end(&self, ends: &Receiver<End>) -> Result<Option<Nickname>, String> {
        let (mut companion, mut input_ended) = (None, self.screen.is_terminal);
        // A companion that says no more may still listen: what standard input has at hand is sent.
        while companion.is_none() || !input_ended {
            let steps = self.steps.load(Ordering::Relaxed);
            match ends.recv_timeout(if companion.is_some() { SILENCE } else { FOREVER }) {
                Ok(End::Failed(reason)) => return Err(reason),
                Ok(End::Companion(who)) => companion = Some(who),
                Ok(End::Input) => input_ended = true,
                Ok(End::Leave) => break,
                // Silence, unless the writer has got a line, or waits for a slow server.
                Err(_) => input_ended = steps.is_multiple_of(2) && steps == self.steps.load(Ordering::Relaxed),
            }
        }
        if companion.is_none() {
            self.socket.close_in_order();
            self.socket.finish_sending();
            // What arrives meanwhile is still shown.
            while let Ok(End::Leave | End::Input) = ends.recv_timeout(FAREWELL) {}
        }
        Ok(companion)
    }
}

//! The client: connects, and runs a reader and a writer thread until one of them, or a signal, says that it is over.

mod receive;
mod send;

use std::error::Error;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;
use std::{io, thread};

use log::debug;

use crate::net::{self, Socket};
use crate::nickname::Nickname;
use crate::stop;
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
    /// Goes up when the writer begins to wait for a line, and when it has got one: odd while it waits.
    waits: AtomicU64,
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

    let chat = Arc::new(Chat { place, socket, screen, nickname, waits: AtomicU64::new(0) });
    let (turn, turns) = mpsc::channel();
    let (reader, reader_ended, writer) = (Arc::clone(&chat), ended.clone(), Arc::clone(&chat));
    thread::spawn(move || reader_ended.send(receive::receive(&reader, &turn)));
    thread::spawn(move || ended.send(send::send(&writer, keyboard, &turns)));

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

    /// Returns the companion when it was the one to end the chat.
    fn wait_for_end(&self, ends: &Receiver<End>) -> Result<Option<Nickname>, String> {
        // The reader thread always says how it ended.
        let next_end = || ends.recv().unwrap_or(End::Leave);
        let (mut end, mut input_ended) = (next_end(), self.screen.is_terminal());
        if let End::Input = end {
            (end, input_ended) = (next_end(), true);
        }
        match end {
            End::Failed(reason) => Err(reason),
            End::Companion(companion) => {
                if !input_ended {
                    self.wait_until_all_is_sent(ends)?;
                }
                Ok(Some(companion))
            }
            End::Leave | End::Input => {
                self.socket.close_in_order();
                self.socket.finish_sending();
                // What arrives meanwhile is still shown.
                while let Ok(End::Leave | End::Input) = ends.recv_timeout(FAREWELL) {}
                Ok(None)
            }
        }
    }

    /// The companion says no more, but may still listen: what standard input has at hand is sent.
    fn wait_until_all_is_sent(&self, ends: &Receiver<End>) -> Result<(), String> {
        loop {
            let before = self.waits.load(Ordering::Relaxed);
            match ends.recv_timeout(SILENCE) {
                Ok(End::Failed(reason)) => return Err(reason),
                // A writer that does not wait for standard input waits for a slow server.
                Err(RecvTimeoutError::Timeout)
                    if before.is_multiple_of(2) || before != self.waits.load(Ordering::Relaxed) => {}
                _ => return Ok(()),
            }
        }
    }
}

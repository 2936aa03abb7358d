//! The reader thread: the socket to the screen.

use std::{io, sync::mpsc::Sender, time::Duration};

use log::debug;

use super::{Chat, End, Error, LOG_TARGET, heard};
use crate::{
    net::is_timeout,
    nickname::Nickname,
    protocol::{Greeting, Lines, MESSAGE_PIECE, Said},
    text::printable,
};

/// How long a server may take to say its first word.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// How long it may take from its question for a nickname to its verdict: it allows 30 s for the answer.
const VERDICT: Duration = Duration::from_secs(45);

/// What the server has made it the writer's turn to do.
pub(super) enum Turn {
    GiveNickname,
    /// The server has taken the nickname.
    Talk,
    /// The companion is there, and would see the end of what we say.
    MayEnd,
}

/// Receives until the stream ends.
pub(super) fn receive(chat: &Chat, turn: &Sender<Turn>) -> End {
    match meet(chat, turn).and_then(|(companion, words)| listen(chat, &companion, &words).map(|()| companion)) {
        Ok(companion) => End::Companion(companion),
        Err(end) => end,
    }
}

/// Everything until there is a companion. Returns it, and what it has said already.
fn meet(chat: &Chat, turn: &Sender<Turn>) -> Result<(Nickname, Vec<u8>), End> {
    let mut greeting = Greeting::default();
    let mut buffer = [0; 1024];
    let mut limit = Some(FIRST_WORD);
    loop {
        while let Some(said) = greeting.next_said() {
            debug!(target: LOG_TARGET, "the server said {said:?}");
            // The writer is gone only when the chat is over.
            let tell = |next| drop(turn.send(next));
            match said {
                Said::Asked => {
                    limit = Some(VERDICT);
                    tell(Turn::GiveNickname);
                }
                Said::NicknameRefused(reason) if chat.nickname.is_some() || !chat.screen.is_terminal() => {
                    return Err(End::Failed(Error::NicknameRefused(heard(&reason))));
                }
                Said::NicknameRefused(reason) => {
                    show_status(chat, "🚫", &format!("Nickname refused: {}", heard(&reason)))?;
                }
                Said::ChatRefused(reason) => return Err(End::Failed(Error::ChatRefused(heard(&reason)))),
                Said::Waiting => {
                    limit = None;
                    show_status(chat, "⏳", "Waiting for a companion...")?;
                    tell(Turn::Talk);
                }
                Said::Connected(companion) => {
                    chat.socket.limit_reads(None).map_err(lost)?;
                    let who = if chat.screen.is_terminal() { "Companion: " } else { "" };
                    show_status(chat, "💬", &format!("{who}Connected to {companion}"))?;
                    tell(Turn::Talk);
                    tell(Turn::MayEnd);
                    return Ok((companion, greeting.rest().to_vec()));
                }
                Said::Strange(bytes) => {
                    let said = format!("it said \"{}\"", heard(&bytes));
                    return Err(End::Failed(Error::NotAChatServer(chat.place.clone(), said)));
                }
            }
        }
        chat.socket.limit_reads(limit).map_err(lost)?;
        let stranger = |why: &str| Err(End::Failed(Error::NotAChatServer(chat.place.clone(), why.to_owned())));
        match chat.socket.read(&mut buffer) {
            Ok(0) if !greeting.has_begun() => return stranger("it closed the connection without a word"),
            Ok(0) => return Err(End::Failed(Error::Lost("the server has gone".to_owned()))),
            Ok(length) => greeting.received(buffer.get(..length).unwrap_or_default()),
            Err(error) if is_timeout(&error) && !greeting.has_begun() => {
                return stranger(&format!("it said nothing for {} seconds", FIRST_WORD.as_secs()));
            }
            Err(error) if is_timeout(&error) => {
                return Err(End::Failed(Error::Lost("the server does not answer".to_owned())));
            }
            Err(error) => return Err(lost(error)),
        }
    }
}

/// Shows what the companion says until it ends.
fn listen(chat: &Chat, companion: &Nickname, words: &[u8]) -> Result<(), End> {
    chat.socket.expect_answers();
    debug!(target: LOG_TARGET, "the companion is {companion}");
    let mut lines = Lines::new(MESSAGE_PIECE);
    let mut buffer = vec![0; 64 * 1024];
    lines.push(words);
    loop {
        show_lines(chat, &mut lines)?;
        let length = chat.socket.read(&mut buffer).map_err(lost)?;
        if length == 0 {
            // The last line may lack its end.
            if !lines.rest().is_empty() {
                lines.push(b"\n");
                show_lines(chat, &mut lines)?;
            }
            chat.socket.close_in_order();
            return Ok(());
        }
        lines.push(buffer.get(..length).unwrap_or_default());
    }
}

/// Shows the lines that are complete, all at once.
fn show_lines(chat: &Chat, lines: &mut Lines) -> Result<(), End> {
    let mut text = Vec::new();
    while let Some(line) = lines.next_line() {
        if chat.screen.is_terminal() {
            text.extend_from_slice("💬 Companion: ".as_bytes());
            text.extend_from_slice(printable(line.text).as_bytes());
            text.push(b'\n');
        } else {
            text.extend_from_slice(line.text);
            if line.ended {
                text.push(b'\n');
            }
        }
    }
    if text.is_empty() { Ok(()) } else { chat.screen.show(&text).map_err(unshown) }
}

fn show_status(chat: &Chat, mark: &str, text: &str) -> Result<(), End> {
    chat.screen.status(mark, text).map_err(unshown)
}

/// Nobody reads our output any more: a normal end.
fn unshown(error: io::Error) -> End {
    if error.kind() == io::ErrorKind::BrokenPipe { End::Leave } else { End::Failed(Error::Terminal(error)) }
}

fn lost(error: io::Error) -> End {
    End::Failed(Error::Lost(error.to_string()))
}

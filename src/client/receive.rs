//! The reader thread: the socket to the screen.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use log::debug;

use super::{Chat, End, LOG_TARGET, lost};
use crate::net::is_timeout;
use crate::nickname::Nickname;
use crate::protocol::{Lines, MESSAGE_PIECE, Said};
use crate::text::printable;

/// How long a server may take to ask for a nickname.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// How long it may take from its question for a nickname to its verdict: it allows 30 s for the answer.
const VERDICT: Duration = Duration::from_secs(45);

/// What the server has made it the writer's turn to do.
#[derive(PartialEq)]
pub(super) enum Turn {
    GiveNickname,
    /// The server has taken the nickname.
    Talk,
    /// The companion is there, and would see the end of what we say.
    MayEnd,
}

/// Receives until the stream ends.
pub(super) fn receive(chat: &Chat, turn: &SyncSender<Turn>) -> Result<End, End> {
    let mut lines = Lines::new(MESSAGE_PIECE);
    let mut buffer = vec![0; MESSAGE_PIECE];
    let companion = meet(chat, turn, &mut lines, &mut buffer)?;
    chat.socket.expect_answers();
    chat.socket.limit_reads(None).map_err(lost)?;
    loop {
        show_lines(chat, &mut lines)?;
        match chat.socket.read(&mut buffer).map_err(lost)? {
            // The last line may lack its end.
            [] if !lines.rest().is_empty() => lines.push(b"\n"),
            [] => break,
            words => lines.push(words),
        }
    }
    chat.socket.close_in_order();
    Ok(End::Companion(companion))
}

/// Everything until there is a companion. What it has said already is in the lines.
fn meet(chat: &Chat, turn: &SyncSender<Turn>, lines: &mut Lines, buffer: &mut [u8]) -> Result<Nickname, End> {
    if chat.screen.is_terminal {
        chat.show(format!("🔌 Connected to chat server at {}\nType /exit to quit\n\n", chat.place).as_bytes())?;
    }
    let (mut asked, mut limit) = (false, Some(FIRST_WORD));
    // The writer is gone only when the chat is over.
    let tell = |next| drop(turn.send(next));
    let stranger =
        |why: &str| End::Failed(format!("{} is not a chat server: {why}; are host and port right?", chat.place));
    loop {
        while let Some(said) = Said::next(lines, asked) {
            debug!(target: LOG_TARGET, "the server said {said:?}");
            match said {
                Said::Asked => {
                    (asked, limit) = (true, Some(VERDICT));
                    tell(Turn::GiveNickname);
                }
                Said::NicknameRefused(reason) => chat.nickname_refused(&reason)?,
                Said::ChatRefused(reason) => return Err(End::Failed(format!("Chat refused: {reason}"))),
                Said::Waiting => {
                    limit = None;
                    chat.status("⏳", "Waiting for a companion...")?;
                    tell(Turn::Talk);
                }
                Said::Connected(companion) => {
                    chat.status("💬 Companion:", &format!("Connected to {companion}"))?;
                    tell(Turn::MayEnd);
                    return Ok(companion);
                }
                Said::Strange(words) => return Err(stranger(&format!("it said \"{words}\""))),
            }
        }
        let failure = match chat.socket.limit_reads(limit).and_then(|()| chat.socket.read(buffer)) {
            Ok(words @ [_, ..]) => {
                lines.push(words);
                continue;
            }
            Ok(_) => "the server has gone".to_owned(),
            Err(error) if is_timeout(&error) => "the server does not answer".to_owned(),
            Err(error) => error.to_string(),
        };
        return Err(if asked { lost(failure) } else { stranger(&failure) });
    }
}

/// Shows the lines that are complete, all at once.
fn show_lines(chat: &Chat, lines: &mut Lines) -> Result<(), End> {
    let mut text = Vec::new();
    while let Some(line) = lines.next_line() {
        if chat.screen.is_terminal {
            text.extend(format!("💬 Companion: {}\n", printable(line.text)).bytes());
        } else {
            text.extend(line.text);
            text.extend(line.ended.then_some(b'\n'));
        }
    }
    if text.is_empty() { Ok(()) } else { chat.show(&text) }
}

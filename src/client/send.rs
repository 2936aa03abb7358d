//! The writer thread: the keyboard to the socket.

use std::mem;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use super::receive::Turn;
use super::{Chat, End, lost, unusable};
use crate::nickname::Nickname;
use crate::terminal::{Keyboard, Typed};

const ASK_NICKNAME: &str = "👉 Enter your nickname: ";
const ASK_MESSAGE: &str = "👉 Your message: ";

/// Typed lines are sent together up to this size in bytes, as long as more are at hand.
const BATCH: usize = 64 * 1024;

const HELP: &str = "/exit, /quit  leave (so do Ctrl+C, and Ctrl+D on an empty line)
/help         show this
//text        send a message that begins with /: /text
Anything else is sent to your companion when you press Enter.
";

/// Sends what is typed until that ends.
pub(super) fn send(chat: &Chat, mut keyboard: Keyboard, turns: &Receiver<Turn>) -> End {
    let introduced = introduce(chat, &mut keyboard, turns);
    introduced.and_then(|()| talk(chat, &mut keyboard, turns)).unwrap_or_else(|end| end)
}

/// Gives nicknames until the server takes one.
fn introduce(chat: &Chat, keyboard: &mut Keyboard, turns: &Receiver<Turn>) -> Result<(), End> {
    while let Turn::GiveNickname = next_turn(turns)? {
        let nickname = chat.nickname.clone().map_or_else(|| ask_nickname(chat, keyboard), Ok)?;
        chat.socket.send(format!("{nickname}\n").as_bytes()).map_err(lost)?;
    }
    Ok(())
}

/// Asks until there is something that can be a nickname.
fn ask_nickname(chat: &Chat, keyboard: &mut Keyboard) -> Result<Nickname, End> {
    let is_person = chat.screen.is_terminal();
    loop {
        let refused = match next(chat, keyboard, ASK_NICKNAME)? {
            Typed::Text(text) => match text.parse() {
                Ok(nickname) => return Ok(nickname),
                Err(reason) => format!("Nickname refused: {reason}"),
            },
            Typed::Command(command) => {
                obey(chat, &command)?;
                continue;
            }
            Typed::End if !is_person => {
                "No nickname: give one with --nick, or as the first line of standard input".to_owned()
            }
            Typed::Exit | Typed::End => return Err(End::Leave),
        };
        if !is_person {
            return Err(End::Failed(refused));
        }
        chat.status("🚫", &refused)?;
    }
}

/// Sends messages until the end of what is typed.
fn talk(chat: &Chat, keyboard: &mut Keyboard, turns: &Receiver<Turn>) -> Result<End, End> {
    let mut batch = String::new();
    let end = loop {
        match next(chat, keyboard, ASK_MESSAGE)? {
            Typed::Text(text) => batch.push_str(&text),
            Typed::Command(command) => obey(chat, &command)?,
            end => break end,
        }
        if batch.len() >= BATCH || !keyboard.has_more() {
            chat.socket.send(mem::take(&mut batch).as_bytes()).map_err(lost)?;
        }
    };
    chat.socket.send(batch.as_bytes()).map_err(lost)?;
    if chat.screen.is_terminal() {
        return Ok(End::Leave);
    }
    // The server would take a script's end for leaving as long as there is no companion, and what it said would be lost.
    while !matches!(next_turn(turns)?, Turn::MayEnd) {}
    if let Typed::Exit = end {
        return Ok(End::Leave);
    }
    chat.socket.finish_sending();
    Ok(End::Input)
}

fn next_turn(turns: &Receiver<Turn>) -> Result<Turn, End> {
    // The reader is gone only when it has said why.
    turns.recv().map_err(|_| End::Input)
}

fn next(chat: &Chat, keyboard: &mut Keyboard, prompt: &str) -> Result<Typed, End> {
    chat.waits.fetch_add(1, Ordering::Relaxed);
    let typed = keyboard.next(prompt).map_err(unusable);
    chat.waits.fetch_add(1, Ordering::Relaxed);
    typed
}

fn obey(chat: &Chat, command: &str) -> Result<(), End> {
    if command == "/help" {
        return chat.show(HELP.as_bytes());
    }
    chat.show(format!("{command} is no command, and was not sent: /help lists them, /{command} sends it\n").as_bytes())
}

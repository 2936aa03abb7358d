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

const HELP: &str = "/exit, /quit  leave (so do Ctrl+C, and Ctrl+D on an empty line)
/help         show this
//text        send a message that begins with /: /text
Anything else is sent to your companion when you press Enter.
";

/// Gives nicknames until the server takes one, then sends what is typed until that ends.
pub(super) fn send(chat: &Chat, mut keyboard: Keyboard, turns: &Receiver<Turn>) -> Result<End, End> {
    // The reader is gone only when it has said why.
    let next_turn = || turns.recv().map_err(|_| End::Input);
    let mut turn = next_turn()?;
    while turn == Turn::GiveNickname {
        let nickname = chat.nickname.clone().map_or_else(|| ask_nickname(chat, &mut keyboard), Ok)?;
        chat.socket.send(format!("{nickname}\n").as_bytes()).map_err(lost)?;
        turn = next_turn()?;
    }
    let end = talk(chat, &mut keyboard)?;
    let is_person = chat.screen.is_terminal;
    // The server would take a script's end for leaving as long as there is no companion, and what it said would be lost.
    while !is_person && turn != Turn::MayEnd {
        turn = next_turn()?;
    }
    if is_person || matches!(end, Typed::Exit) {
        return Ok(End::Leave);
    }
    chat.socket.finish_sending();
    Ok(End::Input)
}

/// Asks until there is something that can be a nickname.
fn ask_nickname(chat: &Chat, keyboard: &mut Keyboard) -> Result<Nickname, End> {
    loop {
        match keyboard.next(ASK_NICKNAME).map_err(unusable)? {
            Typed::Command(command) if command == "/help" => chat.show(HELP.as_bytes())?,
            Typed::Text(text) | Typed::Command(text) => match text.parse() {
                Ok(nickname) => return Ok(nickname),
                Err(reason) => chat.nickname_refused(reason)?,
            },
            Typed::End if !chat.screen.is_terminal => {
                let advice = "No nickname: give one with --nick, or as the first line of standard input";
                return Err(End::Failed(advice.to_owned()));
            }
            Typed::Exit | Typed::End => return Err(End::Leave),
        }
    }
}

/// Sends messages until the end of what is typed, which it returns.
fn talk(chat: &Chat, keyboard: &mut Keyboard) -> Result<Typed, End> {
    let mut batch = String::new();
    loop {
        let typed = keyboard.next(ASK_MESSAGE).map_err(unusable)?;
        chat.steps.fetch_add(1, Ordering::Relaxed);
        match typed {
            Typed::Text(text) => batch.push_str(&text),
            Typed::Command(command) if command == "/help" => chat.show(HELP.as_bytes())?,
            Typed::Command(command) => {
                let unknown =
                    format!("{command} is no command, and was not sent: /help lists them, /{command} sends it\n");
                chat.show(unknown.as_bytes())?;
            }
            end => {
                chat.socket.send(batch.as_bytes()).map_err(lost)?;
                return Ok(end);
            }
        }
        // Lines that came together are sent together: at most what one look at standard input gives.
        if !keyboard.has_more() {
            chat.socket.send(mem::take(&mut batch).as_bytes()).map_err(lost)?;
        }
        chat.steps.fetch_add(1, Ordering::Relaxed);
    }
}

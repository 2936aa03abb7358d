//! The writer thread: the keyboard to the socket.

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
    match introduce(chat, &mut keyboard, turns).and_then(|()| talk(chat, &mut keyboard, turns)) {
        Ok(end) | Err(end) => end,
    }
}

/// Gives nicknames until the server takes one.
fn introduce(chat: &Chat, keyboard: &mut Keyboard, turns: &Receiver<Turn>) -> Result<(), End> {
    while let Turn::GiveNickname = next_turn(turns)? {
        let nickname = match &chat.nickname {
            Some(nickname) => nickname.clone(),
            None => ask_nickname(chat, keyboard)?,
        };
        chat.socket.send(format!("{nickname}\n").as_bytes()).map_err(lost)?;
    }
    Ok(())
}

/// Asks until there is something that can be a nickname.
fn ask_nickname(chat: &Chat, keyboard: &mut Keyboard) -> Result<Nickname, End> {
    let is_person = chat.screen.is_terminal();
    loop {
        let text = match next_line(chat, keyboard, ASK_NICKNAME)? {
            Typed::Line { text, .. } => text,
            Typed::End if is_person => return Err(End::Leave),
            Typed::End => {
                let advice = "No nickname: give one with --nick, or as the first line of standard input";
                return Err(End::Failed(advice.to_owned()));
            }
        };
        match (text.trim(), text.parse()) {
            ("/exit" | "/quit", _) => return Err(End::Leave),
            ("/help", _) if is_person => chat.show(HELP.as_bytes())?,
            (_, Ok(nickname)) => return Ok(nickname),
            (_, Err(reason)) if is_person => chat.status("🚫", &format!("Nickname refused: {reason}"))?,
            (_, Err(reason)) => return Err(End::Failed(format!("Nickname refused: {reason}"))),
        }
    }
}

/// Sends messages until the end of what is typed.
fn talk(chat: &Chat, keyboard: &mut Keyboard, turns: &Receiver<Turn>) -> Result<End, End> {
    let is_person = chat.screen.is_terminal();
    let mut batch = String::new();
    let mut begins = true;
    while let Typed::Line { text, ended } = next_line(chat, keyboard, ASK_MESSAGE)? {
        // A piece of a longer line is no command, whatever it looks like.
        let command = if begins && ended { text.trim_end() } else { "" };
        begins = ended;
        match command {
            "/exit" | "/quit" => {
                flush(chat, &mut batch)?;
                if !is_person {
                    wait_for_companion(turns)?;
                }
                return Ok(End::Leave);
            }
            "/help" if is_person => chat.show(HELP.as_bytes())?,
            // `//text` stands for the message `/text`.
            _ if is_person && command.starts_with("//") => batch.extend([text.get(1..).unwrap_or_default(), "\n"]),
            _ if is_person && command.starts_with('/') => {
                let advice = "is no command, and was not sent: /help lists them, //";
                chat.show(format!("{text} {advice}{} sends it\n", text.trim_start_matches('/')).as_bytes())?;
            }
            _ => batch.extend([text.as_str(), if ended { "\n" } else { "" }]),
        }
        if batch.len() >= BATCH || !keyboard.has_more() {
            flush(chat, &mut batch)?;
        }
    }
    if is_person {
        return Ok(End::Leave);
    }
    flush(chat, &mut batch)?;
    wait_for_companion(turns)?;
    chat.socket.finish_sending();
    Ok(End::Input)
}

/// The server would take a script's end for leaving as long as there is no companion, and what it said would be lost.
fn wait_for_companion(turns: &Receiver<Turn>) -> Result<(), End> {
    while !matches!(next_turn(turns)?, Turn::MayEnd) {}
    Ok(())
}

fn next_turn(turns: &Receiver<Turn>) -> Result<Turn, End> {
    // The reader is gone only when it has said why.
    turns.recv().map_err(|_| End::Input)
}

fn next_line(chat: &Chat, keyboard: &mut Keyboard, prompt: &str) -> Result<Typed, End> {
    chat.waits.fetch_add(1, Ordering::Relaxed);
    let line = keyboard.next_line(prompt).map_err(|error| End::Failed(unusable(error)));
    chat.waits.fetch_add(1, Ordering::Relaxed);
    line
}

fn flush(chat: &Chat, batch: &mut String) -> Result<(), End> {
    chat.socket.send(batch.as_bytes()).map_err(lost)?;
    batch.clear();
    Ok(())
}

//! The writer thread: the keyboard to the socket.

use std::{
    io,
    sync::{atomic::Ordering, mpsc::Receiver},
};

use super::{Chat, End, Error, receive::Turn};
use crate::{
    nickname::Nickname,
    terminal::{Keyboard, Typed},
};

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
        chat.socket.send(format!("{nickname}\n").as_bytes()).map_err(unsent)?;
    }
    Ok(())
}

/// Asks until there is something that can be a nickname.
fn ask_nickname(chat: &Chat, keyboard: &mut Keyboard) -> Result<Nickname, End> {
    loop {
        let text = match next_line(chat, keyboard, ASK_NICKNAME)? {
            Typed::Line { text, .. } => text,
            Typed::End if !chat.screen.is_terminal() => return Err(End::Failed(Error::NoNickname)),
            Typed::End => return Err(End::Leave),
        };
        match (Command::from(text.trim()), text.parse()) {
            (Command::Leave, _) => return Err(End::Leave),
            (_, Ok(nickname)) => return Ok(nickname),
            (Command::Help, _) if chat.screen.is_terminal() => show(chat, HELP)?,
            (_, Err(reason)) if chat.screen.is_terminal() => {
                chat.screen.status("🚫", &format!("Nickname refused: {reason}")).map_err(unshown)?;
            }
            (_, Err(reason)) => return Err(End::Failed(Error::NicknameRefused(reason.to_string()))),
        }
    }
}

/// Sends messages until the end of what is typed.
fn talk(chat: &Chat, keyboard: &mut Keyboard, turns: &Receiver<Turn>) -> Result<End, End> {
    let mut batch = String::new();
    // The line's beginning was sent already: this is no command, whatever it looks like.
    let mut continues = false;
    loop {
        match next_line(chat, keyboard, ASK_MESSAGE)? {
            Typed::Line { text, ended } => {
                let whole = ended && !continues;
                continues = !ended;
                match Command::from(text.as_str()) {
                    Command::Leave if whole => {
                        flush(chat, &mut batch)?;
                        return Ok(End::Leave);
                    }
                    Command::Help if whole && chat.screen.is_terminal() => show(chat, HELP)?,
                    Command::Unknown if whole && chat.screen.is_terminal() => {
                        let said = format!(
                            "{text} is no command, and was not sent: /help lists them, //{} sends it\n",
                            text.trim_start_matches('/')
                        );
                        show(chat, &said)?;
                    }
                    Command::Escaped(message) if whole && chat.screen.is_terminal() => batch.extend([message, "\n"]),
                    _ => batch.extend([text.as_str(), if ended { "\n" } else { "" }]),
                }
                if batch.len() >= BATCH || !keyboard.has_more() {
                    flush(chat, &mut batch)?;
                }
            }
            Typed::End if chat.screen.is_terminal() => return Ok(End::Leave),
            Typed::End => {
                flush(chat, &mut batch)?;
                // The server would take our end for leaving as long as there is no companion.
                while !matches!(next_turn(turns)?, Turn::MayEnd) {}
                chat.socket.finish_sending();
                return Ok(End::Input);
            }
        }
    }
}

/// What a typed line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Command<'a> {
    Leave,
    Help,
    Unknown,
    /// `//text` stands for the message `/text`.
    Escaped(&'a str),
    /// No command but a message.
    None,
}

impl<'a> From<&'a str> for Command<'a> {
    fn from(line: &'a str) -> Self {
        match line.trim_end() {
            "/exit" | "/quit" => Self::Leave,
            "/help" => Self::Help,
            command if command.starts_with("//") => Self::Escaped(line.strip_prefix('/').unwrap_or(line)),
            command if command.starts_with('/') => Self::Unknown,
            _ => Self::None,
        }
    }
}

fn next_turn(turns: &Receiver<Turn>) -> Result<Turn, End> {
    // The reader is gone only when it has said why.
    turns.recv().map_err(|_| End::Input)
}

fn next_line(chat: &Chat, keyboard: &mut Keyboard, prompt: &str) -> Result<Typed, End> {
    chat.typing.store(true, Ordering::Relaxed);
    let line = keyboard.next_line(prompt).map_err(|error| End::Failed(Error::Terminal(error)));
    chat.typing.store(false, Ordering::Relaxed);
    line
}

fn flush(chat: &Chat, batch: &mut String) -> Result<(), End> {
    chat.socket.send(batch.as_bytes()).map_err(unsent)?;
    chat.sent.fetch_add(1, Ordering::Relaxed);
    batch.clear();
    Ok(())
}

fn show(chat: &Chat, text: &str) -> Result<(), End> {
    chat.screen.show(text.as_bytes()).map_err(unshown)
}

fn unshown(error: io::Error) -> End {
    End::Failed(Error::Terminal(error))
}

fn unsent(error: io::Error) -> End {
    End::Failed(Error::Lost(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_messages() {
        assert_eq!(Command::from("/exit"), Command::Leave);
        assert_eq!(Command::from("/quit "), Command::Leave);
        assert_eq!(Command::from("/help"), Command::Help);
        assert_eq!(Command::from("//etc/hosts"), Command::Escaped("/etc/hosts"));
        assert_eq!(Command::from("/etc/hosts"), Command::Unknown);
        assert_eq!(Command::from("see /etc/hosts"), Command::None);
    }
}

//! Standard input and output as they are. On a terminal the prompt is shown again after each arrival, and the half-typed
//! line stays with the terminal, which shows it where it was typed. Between pipes nothing is added.

use std::io::{self, IsTerminal as _, Read as _};
use std::sync::Mutex;

use super::write;
use crate::protocol::Lines;
use crate::sync::lock;
use crate::text::printable;

pub(super) struct Simple {
    pub(super) is_terminal: bool,
    /// The prompt that is being answered.
    pub(super) asked: Mutex<Option<String>>,
}

impl super::Terminal for Simple {
    fn read(&self, prompt: &str, text: &mut Lines) -> io::Result<bool> {
        if self.is_terminal {
            let mut asked = lock(&self.asked);
            write(prompt.as_bytes())?;
            *asked = Some(prompt.to_owned());
        }
        let mut buffer = [0; 16 * 1024];
        let read = io::stdin().lock().read(&mut buffer);
        *lock(&self.asked) = None;
        match read {
            Ok(0) if self.is_terminal => write(b"\n").map(|()| false),
            Ok(length) => {
                text.push(buffer.get(..length).unwrap_or_default());
                Ok(length > 0)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn show(&self, lines: &[u8]) -> io::Result<()> {
        if !self.is_terminal && !io::stdout().is_terminal() {
            return write(lines);
        }
        if !self.is_terminal {
            // Only standard input is a pipe: here, too, foreign text drives no terminal.
            let lines: Vec<_> = lines.split(|&byte| byte == b'\n').map(printable).collect();
            return write(lines.join("\n").as_bytes());
        }
        match &*lock(&self.asked) {
            Some(prompt) => write(&[b"\n", lines, prompt.as_bytes()].concat()),
            None => write(lines),
        }
    }

    fn close(&self) {
        if lock(&self.asked).take().is_some() {
            // Nothing to do when the terminal is gone.
            let _ = write(b"\n");
        }
    }
}

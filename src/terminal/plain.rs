//! Pipes: no prompts, no decoration, no escape codes.

use std::io::{self, IsTerminal as _, Read as _, Write as _};

use super::Event;
use crate::{protocol::Lines, text::printable};

pub(super) struct Input;

impl super::Input for Input {
    fn read(&mut self, _prompt: &str, text: &mut Lines) -> io::Result<Event> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = io::stdin().lock().read(&mut buffer);
            match read {
                Ok(0) => return Ok(Event::Ended),
                Ok(length) => {
                    text.push(buffer.get(..length).unwrap_or_default());
                    return Ok(Event::Typed);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

pub(super) struct Output;

impl super::Output for Output {
    /// Shows exactly the bytes, except where standard output is a terminal after all.
    fn show(&self, lines: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        if stdout.is_terminal() {
            for line in lines.split_inclusive(|&byte| byte == b'\n') {
                let (text, end) = line.strip_suffix(b"\n").map_or((line, ""), |text| (text, "\n"));
                write!(stdout, "{}{end}", printable(text))?;
            }
        } else {
            stdout.write_all(lines)?;
        }
        stdout.flush()
    }

    fn status(&self, line: &str) -> io::Result<()> {
        io::stderr().lock().write_all(line.as_bytes())
    }
}

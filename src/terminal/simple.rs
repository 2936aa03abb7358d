//! A terminal as it is, without a line editor: the prompt is shown again after each arrival. The half-typed line stays
//! with the terminal, which shows it where it was typed.

use std::{
    io::{self, Read as _, Write as _},
    sync::{Arc, Mutex},
};

use super::Event;
use crate::{protocol::Lines, sync::lock};

/// The prompt that is being answered.
type Prompt = Arc<Mutex<Option<String>>>;

pub(super) fn open() -> (Input, Output) {
    let prompt = Prompt::default();
    (Input(Arc::clone(&prompt)), Output(prompt))
}

pub(super) struct Input(Prompt);

impl super::Input for Input {
    fn read(&mut self, prompt: &str, text: &mut Lines) -> io::Result<Event> {
        {
            let mut asked = lock(&self.0);
            write(prompt.as_bytes())?;
            *asked = Some(prompt.to_owned());
        }
        let mut buffer = [0; 4096];
        let read = io::stdin().lock().read(&mut buffer);
        *lock(&self.0) = None;
        match read? {
            0 => {
                write(b"\n")?;
                Ok(Event::Ended)
            }
            length => {
                text.push(buffer.get(..length).unwrap_or_default());
                Ok(Event::Typed)
            }
        }
    }
}

pub(super) struct Output(Prompt);

impl super::Output for Output {
    fn show(&self, lines: &[u8]) -> io::Result<()> {
        let asked = lock(&self.0);
        match &*asked {
            Some(prompt) => write(&[b"\n", lines, prompt.as_bytes()].concat()),
            None => write(lines),
        }
    }

    fn close(&self) {
        if lock(&self.0).take().is_some() {
            // Nothing to do when the terminal is gone.
            let _ = write(b"\n");
        }
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

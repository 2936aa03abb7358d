//! Keyboard and screen, of three kinds: a terminal with a line editor, a simple terminal, and plain pipes.
//!
//! What arrives while a line is being typed appears above it. What the lines mean is the caller's business; foreign text
//! must be made safe with [`crate::text::printable`] before it is shown on a terminal.

#[cfg(feature = "line-editor")]
mod editor;
mod simple;

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use std::{env, mem, thread};

use crate::protocol::{Line, Lines, MESSAGE_PIECE};
use crate::text::sendable;

/// How long a terminal may take to be left as it was found.
const CLOSING: Duration = Duration::from_secs(2);

/// Opens standard input and output as what they are: a keyboard and a screen, or pipes.
///
/// # Errors
/// When the terminal cannot be set up.
pub fn open() -> io::Result<(Keyboard, Screen)> {
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let terminal: Arc<dyn Terminal> = match is_terminal && !is_dumb() {
        #[cfg(feature = "line-editor")]
        true => Arc::new(editor::Edited::open()?),
        _ => Arc::new(simple::Simple { is_terminal, asked: Mutex::default() }),
    };
    let screen = Screen { terminal, is_terminal };
    Ok((Keyboard { screen: screen.clone(), lines: Lines::new(MESSAGE_PIECE), begins: true, ended: false }, screen))
}

/// Terminals that cannot move the cursor, by the names that termcap and line editors know.
fn is_dumb() -> bool {
    env::var_os("TERM").is_none_or(|term| ["", "dumb", "cons25", "emacs"].iter().any(|dumb| term == *dumb))
}

/// Where typed text comes from, and where text is shown.
trait Terminal: Send + Sync {
    /// Asks with `prompt` and adds what was typed to `text`; `false`: nothing more will be typed.
    fn read(&self, prompt: &str, text: &mut Lines) -> io::Result<bool>;
    /// Shows whole lines.
    fn show(&self, lines: &[u8]) -> io::Result<()>;
    /// Leaves the terminal as it was found.
    fn close(&self);
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// What a person, or a script, typed.
pub enum Typed {
    /// A message without control characters, with its LF; without it, a piece of one longer than [`MESSAGE_PIECE`], which the
    /// next continues.
    Text(String),
    /// `/exit` or `/quit`.
    Exit,
    /// Another line of a person that begins with `/`; `//text` stands for the message `/text`. A script's are messages.
    Command(String),
    /// Ctrl+D on an empty line, Ctrl+C in the line editor, or the end of standard input.
    End,
}

/// Standard input.
pub struct Keyboard {
    screen: Screen,
    lines: Lines,
    /// A line begins, and not one more piece of it.
    begins: bool,
    ended: bool,
}

impl Keyboard {
    /// The next line. A terminal asks for it with `prompt`.
    ///
    /// # Errors
    /// When standard input cannot be read.
    pub fn next(&mut self, prompt: &str) -> io::Result<Typed> {
        loop {
            if let Some(Line { text, ended }) = self.lines.next_line() {
                let text = sendable(text);
                // A piece of a longer line is no command, whatever it looks like.
                let is_whole = mem::replace(&mut self.begins, ended) && ended;
                let is_command = is_whole && self.screen.is_terminal && text.starts_with('/');
                return Ok(match text.trim_end() {
                    "/exit" | "/quit" if is_whole => Typed::Exit,
                    command if is_command && !text.starts_with("//") => Typed::Command(command.to_owned()),
                    // Of two slashes one is sent.
                    _ => Typed::Text(text.chars().skip(usize::from(is_command)).chain(ended.then_some('\n')).collect()),
                });
            }
            if self.ended {
                return Ok(Typed::End);
            }
            self.ended = !self.screen.terminal.read(prompt, &mut self.lines)?;
            // The last line may lack its end.
            if self.ended && !self.lines.rest().is_empty() {
                self.lines.push(b"\n");
            }
        }
    }

    /// Whether the next line is here already, so that [`Self::next`] will not wait.
    pub fn has_more(&self) -> bool {
        self.lines.rest().contains(&b'\n')
    }
}

/// Standard output, and for pipes standard error. Clones share it.
#[derive(Clone)]
pub struct Screen {
    terminal: Arc<dyn Terminal>,
    /// Whether a person sits before it. Otherwise nothing is decorated.
    pub(crate) is_terminal: bool,
}

impl Screen {
    /// Shows whole lines, each with its LF, above what is being typed. Blocks while the terminal does not take them.
    ///
    /// # Errors
    /// `BrokenPipe` when nobody reads standard output any more.
    pub fn show(&self, lines: &[u8]) -> io::Result<()> {
        self.terminal.show(lines)
    }

    /// Says something about the chat itself. A terminal shows the mark before it, pipes say it on standard error.
    ///
    /// # Errors
    /// As [`Self::show`].
    pub fn status(&self, mark: &str, text: &str) -> io::Result<()> {
        if !self.is_terminal {
            return io::stderr().lock().write_all(format!("{text}\n").as_bytes());
        }
        let is_plain = is_dumb() || env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let (bold, plain) = if is_plain { ("", "") } else { ("\x1b[1m", "\x1b[0m") };
        self.show(format!("{mark} {bold}{text}{plain}\n").as_bytes())
    }

    /// A screen that nobody looks at.
    #[cfg(all(test, feature = "peer"))]
    pub(crate) fn nowhere() -> Self {
        struct Nowhere;
        impl Terminal for Nowhere {
            fn read(&self, _prompt: &str, _text: &mut Lines) -> io::Result<bool> {
                Ok(false)
            }
            fn show(&self, _lines: &[u8]) -> io::Result<()> {
                Ok(())
            }
            fn close(&self) {}
        }
        Self { terminal: Arc::new(Nowhere), is_terminal: true }
    }

    /// Leaves the terminal as it was found, also while a line is being typed. What is shown later appears at once.
    /// Waits at most two seconds for a terminal that takes nothing.
    pub fn close(&self) {
        let terminal = Arc::clone(&self.terminal);
        let (done, wait) = mpsc::channel();
        thread::spawn(move || {
            terminal.close();
            done.send(())
        });
        let _ = wait.recv_timeout(CLOSING);
    }
}

//! A terminal with a line editor. What arrives appears above the line that is being typed.
//!
//! The editor's own printer has two ways: while a line is edited it queues a text for the editing thread, otherwise it
//! writes at once. Taken alone, a text that is still queued when the line is finished would be overtaken by the next, or
//! never be shown. So a gate lets one text at a time through, only while the editor is sure to be there, and keeps a copy
//! until it was shown. It knows that from the drawing of the prompt: after a text, it is drawn again without the question
//! for highlighting that comes before every other drawing.

use std::borrow::Cow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;
use std::{io, mem, thread};

use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{ColorMode, Config, Editor, ExternalPrinter, Helper};

use super::write;
use crate::protocol::Lines;
use crate::sync::{FOREVER, lock, wait_while};

/// How long a text that the editor has taken may need to be shown before the screen is closed without it: twice this.
const LAST_LOOK: Duration = Duration::from_millis(750);

/// How long the editor may take to draw its prompt.
const DRAWING: Duration = Duration::from_millis(20);

/// Ends the terminal's reporting of pasted text, and clears what stands below the cursor.
const LEAVE_EDITING: &[u8] = b"\x1b[?2004l\r\n\x1b[J";

pub(super) struct Edited {
    editor: Mutex<Editor<Gate, DefaultHistory>>,
    gate: Gate,
}

/// Watches the editor at work, and tells who shows a text when to do it. Clones share it.
#[derive(Clone)]
struct Gate(Arc<(Mutex<State>, Condvar)>);

struct State {
    /// The screen is closed: texts are written at once, and no line is edited any more.
    closed: bool,
    /// The editor has the terminal.
    editing: bool,
    /// It has begun to draw the line, and will look for a text before it leaves it.
    ready: bool,
    /// A text that the editor has taken, and not shown yet.
    under_way: Option<String>,
    /// The editor has asked about highlighting since it last drew its prompt.
    asked: bool,
    printer: Box<dyn ExternalPrinter + Send>,
    /// Who reads lines, and must not wait for itself.
    typist: Option<thread::ThreadId>,
    /// How the terminal was found.
    found: Termios,
}

impl Gate {
    fn change<T>(&self, how: impl FnOnce(&mut State) -> T) -> T {
        let (state, changed) = &*self.0;
        let result = how(&mut lock(state));
        changed.notify_all();
        result
    }

    /// Waits until no text has to wait for the editor, for at most this long.
    fn settled(&self, limit: Duration) -> MutexGuard<'_, State> {
        let (state, changed) = &*self.0;
        wait_while(changed, lock(state), limit, |state| {
            !state.closed
                && (state.editing || state.typist != Some(thread::current().id()))
                && (state.under_way.is_some() || state.editing && !state.ready)
        })
    }
}

impl Edited {
    pub(super) fn open() -> io::Result<Self> {
        let found = tcgetattr(io::stdin())?;
        // Colours are for the gate: without them the editor draws its prompt unasked.
        let config = Config::builder().auto_add_history(true).color_mode(ColorMode::Forced).build();
        let mut editor = Editor::with_config(config).map_err(io::Error::other)?;
        let printer = Box::new(editor.create_external_printer().map_err(io::Error::other)?);
        let state = State {
            closed: false,
            editing: false,
            ready: false,
            under_way: None,
            asked: false,
            printer,
            typist: None,
            found,
        };
        let gate = Gate(Arc::new((Mutex::new(state), Condvar::new())));
        editor.set_helper(Some(gate.clone()));
        Ok(Self { editor: Mutex::new(editor), gate })
    }
}

impl super::Terminal for Edited {
    fn read(&self, prompt: &str, text: &mut Lines) -> io::Result<bool> {
        let mut state = lock(&self.gate.0.0);
        if state.closed {
            return Ok(false);
        }
        (state.editing, state.typist) = (true, Some(thread::current().id()));
        drop(state);
        let read = lock(&self.editor).readline(prompt);
        self.gate.change(|state| {
            (state.editing, state.ready) = (false, false);
            // What the editor has taken it shows above the next line, if there is one.
            let last = state.under_way.take_if(|_| read.is_err()).unwrap_or_default();
            write(last.as_bytes())
        })?;
        match read {
            Ok(line) => text.push(format!("{line}\n").as_bytes()),
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(false),
            Err(error) => return Err(io::Error::other(error)),
        }
        Ok(true)
    }

    fn show(&self, lines: &[u8]) -> io::Result<()> {
        let mut state = self.gate.settled(FOREVER);
        if !state.editing {
            return write(lines);
        }
        let text = String::from_utf8_lossy(lines).into_owned();
        state.under_way = Some(text.clone());
        // The editor's queue has room for one text and holds none: this does not block.
        state.printer.print(text).map_err(io::Error::other)
    }

    fn close(&self) {
        if self.gate.settled(LAST_LOOK).editing {
            // The editor asks before it draws, and does not say when it has drawn: what follows must not be drawn over.
            thread::sleep(DRAWING);
        }
        let mut state = self.gate.settled(LAST_LOOK);
        state.closed = true;
        let last = if mem::take(&mut state.editing) { LEAVE_EDITING } else { b"" };
        // Nothing can be done about a terminal that is gone.
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &state.found);
        let text = state.under_way.take().unwrap_or_default();
        let _ = write(&[last, text.as_bytes()].concat());
        drop(state);
        self.gate.0.1.notify_all();
    }
}

impl Highlighter for Gate {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> Cow<'b, str> {
        self.change(|state| {
            if !mem::take(&mut state.asked) {
                state.under_way = None;
            }
        });
        prompt.into()
    }

    /// Asks for a full drawing each time: so every drawing but the one after a text is preceded by this question.
    /// The last drawing of a line is a forced one: behind it the editor takes no text any more.
    fn highlight_char(&self, _line: &str, _pos: usize, kind: CmdKind) -> bool {
        self.change(|state| (state.asked, state.ready) = (true, kind != CmdKind::ForcedRefresh));
        true
    }
}

impl Validator for Gate {}

impl Hinter for Gate {
    type Hint = String;
}

impl Completer for Gate {
    type Candidate = String;
}

impl Helper for Gate {}

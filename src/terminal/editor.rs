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
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{ColorMode, Config, Editor, ExternalPrinter, Helper};

use super::write;
use crate::protocol::Lines;
use crate::sync::{FOREVER, lock, wait_while};

/// How many lines can be recalled.
const RECALLED: usize = 1000;

/// How long a text that the editor has taken may need to be shown before the screen is closed without it.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// How long the editor may take to draw its prompt.
const DRAWING: Duration = Duration::from_millis(20);

/// Ends the terminal's reporting of pasted text, and clears what stands below the cursor.
const LEAVE_EDITING: &[u8] = b"\x1b[?2004l\r\n\x1b[J";

pub(super) struct Edited {
    editor: Mutex<Editor<Watch, DefaultHistory>>,
    gate: Arc<Gate>,
}

struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    stage: Stage,
    /// A text that the editor has taken, and not shown yet.
    under_way: Option<String>,
    /// The editor has asked about highlighting since it last drew its prompt.
    asked: bool,
    printer: Box<dyn ExternalPrinter + Send>,
    /// How the terminal was found.
    found: Termios,
}

#[derive(PartialEq)]
enum Stage {
    /// No line is edited, and no text is under way: texts are written at once.
    Direct,
    /// A line is edited: the editor takes texts.
    Editing,
    /// A line is about to be edited, or was just finished: texts wait for what comes next.
    Between,
    /// The screen is closed: no line is edited any more, texts are written at once.
    Closed,
}

impl State {
    /// Returns whether the screen is open: a closed one stays closed.
    fn enter(&mut self, stage: Stage) -> bool {
        let is_open = self.stage != Stage::Closed;
        if is_open {
            self.stage = stage;
        }
        is_open
    }

    fn has_prompt(&self) -> bool {
        matches!(self.stage, Stage::Editing | Stage::Between)
    }

    /// Whether a text has to wait.
    fn is_unsettled(&mut self) -> bool {
        self.stage == Stage::Between || self.stage == Stage::Editing && self.under_way.is_some()
    }

    /// The editor has left the line. `goes_on`: another one will be edited.
    fn leave_line(&mut self, goes_on: bool) -> io::Result<()> {
        if !goes_on && let Some(text) = self.under_way.take() {
            write(text.as_bytes())?;
        }
        self.enter(if self.under_way.is_some() { Stage::Between } else { Stage::Direct });
        Ok(())
    }
}

impl Gate {
    fn change<T>(&self, how: impl FnOnce(&mut State) -> T) -> T {
        let result = how(&mut lock(&self.state));
        self.changed.notify_all();
        result
    }

    /// Waits until no text has to wait, for at most this long.
    fn settled(&self, limit: Duration) -> MutexGuard<'_, State> {
        wait_while(&self.changed, lock(&self.state), limit, State::is_unsettled)
    }
}

impl Edited {
    pub(super) fn open() -> io::Result<Self> {
        let found = tcgetattr(io::stdin())?;
        let config = Config::builder().max_history_size(RECALLED).map_err(io::Error::other)?.auto_add_history(true);
        // Colours are for the gate: without them the editor draws its prompt unasked.
        let config = config.color_mode(ColorMode::Forced).build();
        let mut editor = Editor::with_config(config).map_err(io::Error::other)?;
        let printer = Box::new(editor.create_external_printer().map_err(io::Error::other)?);
        let state = Mutex::new(State { stage: Stage::Direct, under_way: None, asked: false, printer, found });
        let gate = Arc::new(Gate { state, changed: Condvar::new() });
        editor.set_helper(Some(Watch(Arc::clone(&gate))));
        Ok(Self { editor: Mutex::new(editor), gate })
    }
}

impl super::Terminal for Edited {
    fn read(&self, prompt: &str, text: &mut Lines) -> io::Result<bool> {
        if !self.gate.change(|state| state.enter(Stage::Between)) {
            return Ok(false);
        }
        let read = lock(&self.editor).readline(prompt);
        self.gate.change(|state| state.leave_line(read.is_ok()))?;
        match read {
            Ok(line) => {
                text.push(line.as_bytes());
                text.push(b"\n");
                Ok(true)
            }
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(false),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    fn show(&self, lines: &[u8]) -> io::Result<()> {
        let mut state = self.gate.settled(FOREVER);
        if state.stage != Stage::Editing {
            return write(lines);
        }
        let text = String::from_utf8_lossy(lines).into_owned();
        state.under_way = Some(text.clone());
        // The editor's queue has room for one text and holds none: this does not block.
        state.printer.print(text).map_err(io::Error::other)
    }

    fn close(&self) {
        let mut state = self.gate.settled(LAST_LOOK);
        if state.has_prompt() {
            // The editor asks before it draws, and does not say when it has drawn: what follows must not be drawn over.
            drop(state);
            thread::sleep(DRAWING);
            state = lock(&self.gate.state);
        }
        let last = if state.has_prompt() { LEAVE_EDITING } else { b"" };
        state.stage = Stage::Closed;
        // Nothing can be done about a terminal that is gone.
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &state.found);
        let text = state.under_way.take().unwrap_or_default();
        let _ = write(&[last, text.as_bytes()].concat());
        drop(state);
        self.gate.changed.notify_all();
    }
}

/// Watches the editor at work.
struct Watch(Arc<Gate>);

impl Highlighter for Watch {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> Cow<'b, str> {
        self.0.change(|state| {
            if !mem::take(&mut state.asked) {
                state.under_way = None;
            }
        });
        prompt.into()
    }

    /// Asks for a full drawing each time: so every drawing but the one after a text is preceded by this question.
    fn highlight_char(&self, _line: &str, _pos: usize, kind: CmdKind) -> bool {
        self.0.change(|state| {
            state.asked = true;
            if kind != CmdKind::ForcedRefresh {
                state.enter(Stage::Editing);
            }
        });
        true
    }
}

impl Validator for Watch {
    /// The line is about to be finished: no text may be given to the editor any more.
    fn validate(&self, _context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        self.0.change(|state| state.enter(Stage::Between));
        Ok(ValidationResult::Valid(None))
    }
}

impl Hinter for Watch {
    type Hint = String;
}

impl Completer for Watch {
    type Candidate = String;
}

impl Helper for Watch {}

//! What a terminal shows, and what it was asked to do besides.

use std::io::Read;
use std::num::NonZeroU16;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use vt100::{Callbacks, Parser};

use super::{LIMIT, lock};

/// Lines of the past that the screen remembers.
const SCROLLBACK: usize = 5_000;

/// A screen that a thread keeps up to date.
#[derive(Clone)]
pub(crate) struct Screen {
    shared: Arc<(Mutex<Shown>, Condvar)>,
}

struct Shown {
    parser: Parser<Requests>,
    raw: Vec<u8>,
    ended: bool,
}

/// What a program asked of the terminal besides showing text.
#[derive(Default)]
struct Requests {
    said: Vec<String>,
    cursor_asked: Option<(u16, u16)>,
}

impl Screen {
    /// Shows what comes from `reader`, and answers on `keyboard` where the cursor is when asked, as a terminal does.
    pub(super) fn new(rows: u16, columns: u16, mut reader: Box<dyn Read + Send>, keyboard: Sender<Vec<u8>>) -> Self {
        let shown = Shown {
            parser: Parser::new_with_callbacks(
                at_least_one(rows),
                at_least_one(columns),
                SCROLLBACK,
                Requests::default(),
            ),
            raw: Vec::new(),
            ended: false,
        };
        let screen = Self { shared: Arc::new((Mutex::new(shown), Condvar::new())) };
        let to = screen.clone();
        thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                let mut shown = to.shown();
                shown.raw.extend(&buffer[..length]);
                shown.parser.process(&buffer[..length]);
                let asked = shown.parser.callbacks_mut().cursor_asked.take();
                drop(shown);
                to.shared.1.notify_all();
                if let Some((row, column)) = asked {
                    let answer = format!("\x1b[{};{}R", row + 1, column + 1);
                    keyboard.send(answer.into_bytes()).ok();
                }
            }
            to.shown().ended = true;
            to.shared.1.notify_all();
        });
        screen
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        lock(&self.shared.0)
    }

    pub(super) fn resize(&self, rows: u16, columns: u16) {
        self.shown().parser.set_size(at_least_one(rows), at_least_one(columns));
    }

    /// Waits until the screen is as the condition wants it; at the limit shows it beside what was expected.
    #[track_caller]
    pub(crate) fn wait_until(&self, expected: &str, condition: impl Fn(&vt100::Screen) -> bool) {
        self.until(expected, |shown| condition(shown.parser.screen()));
    }

    /// Waits until nothing more can come.
    #[track_caller]
    pub(crate) fn wait_for_the_end(&self) {
        self.until("the end of the output", |shown| shown.ended);
    }

    #[track_caller]
    fn until(&self, expected: &str, condition: impl Fn(&Shown) -> bool) {
        let deadline = Instant::now() + LIMIT;
        let mut shown = self.shown();
        while !condition(&shown) {
            let left = deadline.saturating_duration_since(Instant::now());
            if shown.ended || left.is_zero() {
                let came = rows_of(shown.parser.screen()).join("\n");
                drop(shown);
                panic!("expected on the screen: {expected}\ncame:\n{came}\n");
            }
            shown = self.shared.1.wait_timeout(shown, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The rows that are filled, without the blanks at their ends.
    pub(crate) fn rows(&self) -> Vec<String> {
        rows_of(self.shown().parser.screen())
    }

    /// Row and column of the cursor, from 0.
    pub(crate) fn cursor(&self) -> (u16, u16) {
        self.shown().parser.screen().cursor_position()
    }

    /// The rows, and all that has left the screen at its top.
    pub(crate) fn history(&self) -> Vec<String> {
        let mut shown = self.shown();
        let screen = shown.parser.screen_mut();
        let columns = screen.size().1.get();
        let mut history = Vec::new();
        for above in (1..=screen.scrollback_len()).rev() {
            screen.set_scrollback(above);
            let row = screen.rows(0, columns).next().unwrap_or_default();
            history.push(row.trim_end().to_owned());
        }
        screen.set_scrollback(0);
        history.extend(rows_of(screen));
        history
    }

    /// Every byte that the program has sent to the terminal.
    pub(crate) fn raw(&self) -> Vec<u8> {
        self.shown().raw.clone()
    }

    /// What the program asked of the terminal besides showing text: titles, bells, the clipboard.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shown().parser.callbacks().said.clone()
    }

    /// What a program has to put right before it leaves, and has not.
    pub(super) fn left_behind(&self) -> Vec<&'static str> {
        let shown = self.shown();
        let screen = shown.parser.screen();
        let modes = [
            ("bracketed paste", screen.bracketed_paste()),
            ("a hidden cursor", screen.hide_cursor()),
            ("the alternate screen", screen.alternate_screen()),
            ("bold text", screen.bold()),
            ("coloured text", screen.fgcolor() != vt100::Color::Default),
        ];
        modes.into_iter().filter_map(|(name, left)| left.then_some(name)).collect()
    }
}

/// The rows of a screen that are filled, without the blanks at their ends.
pub(crate) fn rows_of(screen: &vt100::Screen) -> Vec<String> {
    let columns = screen.size().1.get();
    let mut rows = screen.rows(0, columns).map(|row| row.trim_end().to_owned()).collect::<Vec<_>>();
    while rows.last().is_some_and(String::is_empty) {
        rows.pop();
    }
    rows
}

impl Callbacks for Requests {
    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.said.push("bell".into());
    }

    fn visual_bell(&mut self, _: &mut vt100::Screen) {
        self.said.push("visual bell".into());
    }

    fn resize(&mut self, _: &mut vt100::Screen, size: (u16, u16)) {
        self.said.push(format!("resize to {size:?}"));
    }

    fn set_window_icon_name(&mut self, _: &mut vt100::Screen, name: &[u8]) {
        self.said.push(format!("icon {}", String::from_utf8_lossy(name)));
    }

    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.said.push(format!("title {}", String::from_utf8_lossy(title)));
    }

    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], _: &[u8]) {
        self.said.push("clipboard".into());
    }

    fn unhandled_csi(
        &mut self,
        screen: &mut vt100::Screen,
        _: Option<u8>,
        _: Option<u8>,
        parameters: &[&[u16]],
        letter: char,
    ) {
        if letter == 'n' && parameters == [[6]] {
            self.cursor_asked = Some(screen.cursor_position());
        }
    }
}

fn at_least_one(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap_or(NonZeroU16::MIN)
}

//! A program in a pseudo-terminal, as a person would use it: keys in, a screen out.

use std::io::Write;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, SlavePty, native_pty_system};

use super::screen::{Screen, rows_of};
use super::{LIMIT, eventually, one_start_at_a_time};

const CLIENT: &str = env!("CARGO_BIN_EXE_chat-client");

/// What the keys of a terminal send.
pub(crate) struct Keys;

impl Keys {
    pub(crate) const ENTER: &str = "\r";
    pub(crate) const UP: &str = "\x1b[A";
    pub(crate) const LEFT: &str = "\x1b[D";
    pub(crate) const HOME: &str = "\x1b[H";
    pub(crate) const BACKSPACE: &str = "\x7f";
    pub(crate) const CTRL_C: &str = "\x03";
    pub(crate) const CTRL_D: &str = "\x04";
}

/// A program in a terminal of its own; ended with the value.
pub(crate) struct Terminal {
    pub(crate) screen: Screen,
    master: Box<dyn MasterPty + Send>,
    slave: Option<Box<dyn SlavePty + Send>>,
    child: Box<dyn Child + Send + Sync>,
    keyboard: Sender<Vec<u8>>,
    found: String,
}

/// How the terminal is to be, and what is to run in it.
#[derive(Debug)]
pub(crate) struct Start {
    command: CommandBuilder,
    size: PtySize,
}

impl Terminal {
    /// `chat-client 127.0.0.1 PORT`, in 80 columns and 24 rows.
    pub(crate) fn client(port: u16) -> Start {
        Self::program(CLIENT).argument("127.0.0.1").argument(port.to_string())
    }

    /// A client that has answered with its nickname.
    #[track_caller]
    pub(crate) fn named(port: u16, nickname: &str) -> Self {
        Self::client(port).start().answering(nickname)
    }

    /// Answers with a nickname, once asked.
    #[track_caller]
    pub(crate) fn answering(self, nickname: &str) -> Self {
        self.wait_for_last_row("👉 Enter your nickname:");
        self.enter(nickname);
        self
    }

    pub(crate) fn program(path: &str) -> Start {
        let mut command = CommandBuilder::new(path);
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        command.env_remove("RUST_LOG");
        Start { command, size: size(24, 80) }
    }

    /// Types keys as they are.
    pub(crate) fn type_keys(&self, keys: impl AsRef<[u8]>) {
        self.keyboard.send(keys.as_ref().to_vec()).ok();
    }

    /// Types a line and Enter.
    pub(crate) fn enter(&self, line: &str) {
        self.type_keys(format!("{line}{}", Keys::ENTER));
    }

    /// Changes the size of the window.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        self.screen.resize(rows, columns);
        self.master.resize(size(rows, columns)).expect("a pseudo-terminal can be resized");
    }

    /// Sends a signal to the program by its name, as another program would.
    pub(crate) fn signal(&self, name: &str) {
        super::signal(self.child.process_id().expect("a program has a number"), name);
    }

    /// Waits for a text, anywhere on the screen.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        self.screen.wait_until(&format!("somewhere: {text}"), |screen| screen.contents().contains(text));
    }

    /// Waits for a row that is exactly this text.
    #[track_caller]
    pub(crate) fn wait_for_row(&self, text: &str) {
        self.screen.wait_until(&format!("a row: {text}"), |screen| rows_of(screen).iter().any(|row| row == text));
    }

    /// Waits until the last filled row is exactly this text: the prompt, mostly.
    #[track_caller]
    pub(crate) fn wait_for_last_row(&self, text: &str) {
        self.screen.wait_until(&format!("as the last row: {text}"), |screen| {
            rows_of(screen).last().is_some_and(|row| row == text)
        });
    }

    /// Waits until the filled rows end with these.
    #[track_caller]
    pub(crate) fn wait_for_last_rows(&self, rows: &[&str]) {
        self.screen.wait_until(&format!("as the last rows:\n{}", rows.join("\n")), |screen| {
            rows_of(screen).ends_with(&rows.iter().map(ToString::to_string).collect::<Vec<_>>())
        });
    }

    /// Waits for the end of the program with this code. All that it showed is on the screen then, and the terminal is
    /// as it was found.
    #[track_caller]
    pub(crate) fn expect_exit(&mut self, code: u32) {
        let ended = eventually(LIMIT, || self.child.try_wait().expect("a process can be asked"));
        let Some(status) = ended else {
            let screen = self.screen.rows().join("\n");
            panic!("expected the program to end, it is still there\nscreen:\n{screen}\n");
        };
        let left = settings(&*self.master);
        assert_eq!(left, self.found, "(how the terminal was left, how it was found)");
        self.slave = None;
        self.screen.wait_for_the_end();
        let nothing: [&str; 0] = [];
        assert_eq!(self.screen.left_behind(), nothing, "(what was left switched on, nothing should be)");
        assert_eq!(
            (status.signal(), status.exit_code()),
            (None, code),
            "(what came, what was expected)\nscreen:\n{}\n",
            self.screen.rows().join("\n")
        );
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

impl Start {
    pub(crate) fn argument(mut self, argument: impl AsRef<str>) -> Self {
        self.command.arg(argument.as_ref());
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn size(mut self, rows: u16, columns: u16) -> Self {
        self.size = size(rows, columns);
        self
    }

    pub(crate) fn start(self) -> Terminal {
        let starting = one_start_at_a_time();
        let pair = native_pty_system().openpty(self.size).expect("a pseudo-terminal");
        let found = settings(&*pair.master);
        let child = pair.slave.spawn_command(self.command).expect("the program starts");
        let reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        drop(starting);

        let keyboard = keyboard(writer);
        Terminal {
            screen: Screen::new(self.size.rows, self.size.cols, reader, keyboard.clone()),
            master: pair.master,
            slave: Some(pair.slave),
            child,
            keyboard,
            found,
        }
    }
}

/// A thread that types, so that a program which does not read holds nobody up.
fn keyboard(mut writer: Box<dyn Write + Send>) -> Sender<Vec<u8>> {
    let (keyboard, typed) = channel::<Vec<u8>>();
    thread::spawn(move || {
        for keys in typed {
            if writer.write_all(&keys).is_err() {
                break;
            }
        }
    });
    keyboard
}

/// The settings of a terminal, in a form that can be compared.
fn settings(master: &dyn MasterPty) -> String {
    let settings = master.get_termios().expect("a pseudo-terminal has settings");
    format!(
        "{:?} {:?} {:?} {:?} {:?}",
        settings.input_flags,
        settings.output_flags,
        settings.control_flags,
        settings.local_flags,
        settings.control_chars
    )
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

//! A command in a real pseudo-terminal: keys are typed, the screen is read.

use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use rustix::termios::{LocalModes, tcgetattr};

use crate::fixture::Fixture;

/// The first time, cargo compiles the fixture and the lab is set up.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

const GLANCE: Duration = Duration::from_millis(10);

const ROWS: u16 = 40;
const COLUMNS: u16 = 120;

/// The sizes of terminal in which each screen is read: columns and rows. The first one is the usual default.
pub(crate) const SIZES: [(u16, u16); 2] = [(80, 24), (100, 35)];

/// A key, in the bytes that a terminal sends.
pub(crate) const DOWN: &str = "\x1b[B";
pub(crate) const UP: &str = "\x1b[A";
pub(crate) const LEFT: &str = "\x1b[D";
pub(crate) const INTERRUPT: &str = "\x03";
pub(crate) const END_OF_FILE: &str = "\x04";

/// The command in a separate terminal.
pub(crate) struct Session {
    pty: Arc<Pty>,
    child: Child,
    screen: Arc<Mutex<vt100::Parser>>,
    /// The terminal's other end, as the command has it. If the command were the only one and ended just now, the kernel might report
    /// the end of the output before its last lines: about once in 10 000 times on a busy machine.
    _other_end: OwnedFd,
}

impl Session {
    pub(crate) fn new(fixture: &Fixture, arguments: &[&str]) -> Session {
        Session::sized(fixture, arguments, COLUMNS, ROWS)
    }

    /// In a terminal of this size.
    pub(crate) fn sized(fixture: &Fixture, arguments: &[&str], columns: u16, rows: u16) -> Session {
        let (pty, pts) = open().expect("there is a pseudo-terminal");
        pty.resize(Size::new(rows, columns)).expect("it has a size");
        let other_end = pts
            .as_fd()
            .try_clone_to_owned()
            .expect("one more descriptor");
        // The parent process may ignore Ctrl-C, as nohup(1) and background jobs do; a person's terminal does not.
        let child = Command::new("/usr/bin/env")
            .arg("--default-signal=HUP,INT,QUIT")
            .arg(assert_cmd::cargo::cargo_bin!("workshop"))
            .args(arguments)
            .current_dir(fixture.root())
            .env("CARGO_MANIFEST_DIR", fixture.path("crates/workshop"))
            .env("CARGO_TARGET_DIR", fixture.path("target"))
            .env("TERM", "xterm")
            .env("PAGER", "less")
            .env_remove("LESS")
            .spawn(pts)
            .expect("the command runs");
        let pty = Arc::new(pty);
        let size = |number| NonZero::new(number).expect("a terminal has some");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(size(rows), size(columns), 0)));
        let (from, to) = (pty.clone(), screen.clone());
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = (&*from).read(&mut bytes) {
                to.lock().expect("nobody panics").process(&bytes[..length]);
            }
        });
        Session {
            pty,
            child,
            screen,
            _other_end: other_end,
        }
    }

    pub(crate) fn keys(&self, keys: &str) {
        (&*self.pty)
            .write_all(keys.as_bytes())
            .expect("the terminal takes keys");
    }

    /// The content of the screen.
    pub(crate) fn contents(&self) -> String {
        let screen = self.screen.lock().expect("nobody panics");
        screen.screen().contents()
    }

    /// The same, row by row, even if a line fills its row and seems to continue in the next.
    pub(crate) fn rows(&self) -> String {
        let screen = self.screen.lock().expect("nobody panics");
        let (_, columns) = screen.screen().size();
        let rows = screen.screen().rows(0, columns.get());
        let rows: Vec<String> = rows.map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }

    /// Waits until this text is on the screen.
    pub(crate) fn see(&self, text: &str) {
        self.see_within(text, DEADLINE);
    }

    /// The same, with this deadline.
    pub(crate) fn see_within(&self, text: &str, deadline: Duration) {
        let until = Instant::now() + deadline;
        while !self.contents().contains(text) {
            let now = self.contents();
            assert!(Instant::now() < until, "no {text:?} in:\n{now}");
            thread::sleep(GLANCE);
        }
    }

    /// Waits until a key has ended the command.
    pub(crate) fn end_by_signal(self) {
        let status = self.end();
        assert_eq!(status.code(), None, "a signal ends it");
    }

    /// Waits until the command has ended and the terminal is restored.
    pub(crate) fn end(mut self) -> ExitStatus {
        let until = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                break status;
            }
            assert!(Instant::now() < until, "it goes on:\n{}", self.contents());
            thread::sleep(GLANCE);
        };
        let modes = tcgetattr(self.pty.as_fd())
            .expect("a terminal has modes, no matter who uses it")
            .local_modes;
        let cooked = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        assert!(modes.contains(cooked), "the terminal is left as {modes:?}");
        status
    }
}

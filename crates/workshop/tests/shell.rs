//! `cargo workshop shell` in a real pseudo-terminal: keys are typed, the screen is read.

use std::fs;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use rustix::termios::{LocalModes, tcgetattr};
use tempfile::TempDir;

/// The first time, cargo compiles the fixture and the lab is set up.
const DEADLINE: Duration = Duration::from_secs(120);

const GLANCE: Duration = Duration::from_millis(10);

const ROWS: NonZero<u16> = NonZero::new(40).expect("not zero");
const COLUMNS: NonZero<u16> = NonZero::new(120).expect("not zero");

const LEAVE: &str = "\x1d";
const INTERRUPT: &str = "\x03";
const END_OF_FILE: &str = "\x04";

/// A workshop whose one exercise sleeps, and says so.
fn workshop() -> TempDir {
    let root = tempfile::tempdir().expect("a temporary directory");
    let write = |path: &str, content: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    };
    write(
        "exercises/01-alpha/Cargo.toml",
        "[package]\nname = \"exercise-01\"\nversion = \"0.0.0\"\nedition = \"2024\"\n",
    );
    write(
        "exercises/01-alpha/src/main.rs",
        "fn main() { println!(\"good morning\"); std::thread::sleep(std::time::Duration::from_secs(3600)); }",
    );
    write(
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"exercises/01-alpha\"]\n",
    );
    write(
        ".cargo/config.toml",
        include_str!("../../../.cargo/config.toml"),
    );
    write(
        "units/exercise-01.service",
        "[Service]\nExecStart=/usr/local/bin/exercise-01\n",
    );
    fs::create_dir_all(root.path().join("crates/workshop")).expect("a folder");
    root
}

/// The command in a terminal of its own.
struct Session {
    pty: Arc<Pty>,
    child: Child,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Session {
    fn new(root: &Path) -> Session {
        let (pty, pts) = open().expect("there is a pseudo-terminal");
        pty.resize(Size::new(ROWS.get(), COLUMNS.get()))
            .expect("it has a size");
        let child = Command::new(assert_cmd::cargo::cargo_bin!("workshop"))
            .args(["shell", "1"])
            .current_dir(root)
            .env("CARGO_MANIFEST_DIR", root.join("crates/workshop"))
            .env("CARGO_TARGET_DIR", root.join("target"))
            .env("TERM", "xterm")
            .spawn(pts)
            .expect("the command runs");
        let pty = Arc::new(pty);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
        let (from, to) = (pty.clone(), screen.clone());
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = (&*from).read(&mut bytes) {
                to.lock().expect("nobody panics").process(&bytes[..length]);
            }
        });
        Session { pty, child, screen }
    }

    fn keys(&self, keys: &str) {
        (&*self.pty)
            .write_all(keys.as_bytes())
            .expect("the terminal takes keys");
    }

    fn contents(&self) -> String {
        let screen = self.screen.lock().expect("nobody panics");
        screen.screen().contents()
    }

    /// Waits until this stands on the screen.
    fn see(&self, text: &str) {
        let until = Instant::now() + DEADLINE;
        while !self.contents().contains(text) {
            let now = self.contents();
            assert!(Instant::now() < until, "no {text:?} in:\n{now}");
            thread::sleep(GLANCE);
        }
    }

    /// Waits until the command has ended and the terminal is as it was.
    fn end(mut self) -> ExitStatus {
        let until = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                break status;
            }
            assert!(Instant::now() < until, "it goes on:\n{}", self.contents());
            thread::sleep(GLANCE);
        };
        let modes = tcgetattr(self.pty.as_fd()).map(|modes| modes.local_modes);
        if let Ok(modes) = modes {
            let cooked = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
            assert!(modes.contains(cooked), "the terminal is left as {modes:?}");
        }
        status
    }
}

#[test]
fn systemctl_journalctl_and_kill_work() {
    let root = workshop();
    let session = Session::new(root.path());
    session.see("Leave: exit, Ctrl-D, or Ctrl-]");
    session.see("root@lab:~#");
    session.keys("systemctl start exercise-01; stty size; clear; systemctl status exercise-01\n");
    session.see("Active: active (running)");
    session.keys("clear; journalctl -fu exercise-01\n");
    session.see("exercise-01[");
    session.see("good morning");
    session.keys(INTERRUPT);
    session.keys("clear; echo st''opped; stty size\n");
    session.see("stopped\n40 120");
    session.keys("systemctl kill -s KILL exercise-01; systemctl is-failed --wait exercise-01; clear; systemctl status exercise-01\n");
    session.see("code=killed, signal=KILL");
    session.keys("exit\n");
    assert_eq!(session.end().code(), Some(0));
}

#[test]
fn each_way_out_leads_out() {
    let root = workshop();
    for keys in [LEAVE, END_OF_FILE, "poweroff -f\n"] {
        let session = Session::new(root.path());
        session.see("root@lab:~#");
        session.keys(keys);
        assert_eq!(session.end().code(), Some(0), "{keys:?}");
    }
}

#[test]
fn a_pipe_is_typed_and_ended() {
    let root = workshop();
    let output = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("workshop"))
        .args(["shell", "1"])
        .env("CARGO_MANIFEST_DIR", root.path().join("crates/workshop"))
        .env("CARGO_TARGET_DIR", root.path().join("target"))
        .write_stdin("systemctl start exercise-01\nsystemctl is-active exercise-01")
        .timeout(DEADLINE)
        .output()
        .expect("the command runs");
    let shown = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    assert!(
        shown
            .lines()
            .any(|line| line.ends_with("active") && !line.contains("is-active")),
        "{shown}"
    );
    assert_eq!(output.status.code(), Some(0));
}

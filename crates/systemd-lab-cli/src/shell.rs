//! `systemd-lab shell`: connects a person's terminal to a shell in the lab VM.

mod mode;

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use systemd_lab::{Lab, Shell};

use crate::exit::ExitStatus;
use crate::output::note;
use crate::run::{GuestOptions, Options};
use crate::style;
use mode::RawMode;
pub use mode::this as terminal;

/// How soon a person who leaves gets the terminal back.
const GLANCE: Duration = Duration::from_millis(20);
const GLANCE_FOR_POLL: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: GLANCE.as_nanos() as i64,
};

/// How long the guest's last output may take to reach the screen.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Ctrl-], as in telnet(1): programs in the guest hardly ever use it.
const LEAVE_KEY: u8 = 0x1d;

/// What works as on any machine, and what does not.
pub const PROGRAMS: &str =
    "clear, less and vi are here. After a change of the window's size: resize";

/// The left margin of a banner's lines.
pub const MARGIN: &str = "       ";

/// How to continue, and how to leave. No line of a banner is wider than a usual terminal.
pub const END_OF_BANNER: &str = "\
Edit:  outside; nothing in here is kept. Then open it again.
Leave: exit, Ctrl-D, or Ctrl-] at any time.
";

/// A root shell in the lab VM, in real time, with your service installed and not started.
#[derive(clap::Args)]
pub struct Arguments {
    /// A unit file, or the name of a unit that a --package brings.
    #[arg(long, value_name = "UNIT")]
    unit: Vec<PathBuf>,
    /// A file to put into the guest: a program, its configuration, a drop-in. Executable in the guest if it is on the host.
    #[arg(long, value_name = "HOST:GUEST")]
    file: Vec<String>,
    /// A variable for a unit (the first one, if none is named): a drop-in with Environment=.
    #[arg(long, value_name = "[UNIT:]NAME=VALUE", requires = "unit")]
    env: Vec<String>,
    #[command(flatten)]
    guest: GuestOptions,
}

/// Opens a shell, and returns when the person has left it.
///
/// # Errors
///
/// [`WrongUsage`](crate::exit::WrongUsage) when a file cannot go into the guest; otherwise the lab is broken.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitStatus> {
    let options = Options::installing(
        arguments.unit.clone(),
        arguments.file.clone(),
        arguments.env.clone(),
        arguments.guest.clone(),
    );
    let (guest, files, unit) = crate::run::guest_and_files(&options)?;
    let lab = Lab::options().guest(&guest).open()?;
    let starting = style::spinner("starting the lab VM");
    let shell = lab.shell(&files, &terminal());
    starting.finish_and_clear();
    let shell = shell?;
    note!("{}", banner(unit.as_deref()));
    attend(shell)?;
    Ok(ExitStatus::Passed)
}

fn banner(unit: Option<&str>) -> String {
    let (what, tries) = match unit {
        Some(unit) => (
            format!("{unit} is installed,\nnot started."),
            format!(
                "\
Try:   systemctl start {unit}
       systemctl status {unit}
       systemctl kill -s KILL {unit}
       journalctl -fu {unit}
"
            ),
        ),
        None => ("Nothing of\nyours is in it.".to_owned(), String::new()),
    };
    format!(
        "\
This is the lab VM: you are root, and time is real. {what}
{tries}Know:  {PROGRAMS}
{END_OF_BANNER}"
    )
}

/// Connects the terminal to the shell until one of them ends it.
///
/// # Errors
///
/// When the terminal cannot be set up, or QEMU fails.
pub fn attend(mut shell: Shell) -> anyhow::Result<()> {
    let mode = RawMode::enter().context("cannot set up your terminal")?;
    let (typed, shown) = (shell.console()?, shell.console()?);
    let is_terminal = mode.is_some();
    let is_over = AtomicBool::new(false);
    let (done, last_words) = std::sync::mpsc::channel();
    thread::spawn(move || {
        show(shown, io::stdout());
        let _ = done.send(());
    });
    let result = thread::scope(|scope| {
        scope.spawn(|| {
            if type_in(typed, is_terminal, &is_over) {
                is_over.store(true, Ordering::Relaxed);
            }
        });
        let result = loop {
            if is_over.load(Ordering::Relaxed) {
                break Ok(false);
            }
            match shell.is_over(GLANCE) {
                Ok(false) => {}
                over => break over,
            }
        };
        // Whatever is typed from now on is for the program that runs next.
        is_over.store(true, Ordering::Relaxed);
        result
    });
    if result? {
        let _ = last_words.recv_timeout(LAST_WORDS);
    }
    drop(mode);
    note!();
    Ok(())
}

/// Passes on the input until the shell is over. `true` when the person wants to leave.
fn type_in(mut to: impl Write, is_terminal: bool, is_over: &AtomicBool) -> bool {
    let stdin = io::stdin();
    let mut bytes = [0; 1024];
    let mut last = b'\n';
    while !is_over.load(Ordering::Relaxed) {
        let mut ready = [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)];
        if matches!(poll(&mut ready, Some(&GLANCE_FOR_POLL)), Ok(0) | Err(_)) {
            continue;
        }
        // Not through Rust's buffer, which would swallow input that is meant for others.
        let length = match rustix::io::read(&stdin, &mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(length) => length,
        };
        let typed = &bytes[..length];
        if is_terminal && typed.contains(&LEAVE_KEY) {
            return true;
        }
        last = typed[length - 1];
        if to.write_all(typed).is_err() {
            return false;
        }
    }
    if is_terminal {
        // The terminal is gone, and the person with it, or the shell is over anyway.
        return true;
    }
    // Not Ctrl-D: a running command would take it for the end of its input.
    let end: &[u8] = if last == b'\n' {
        b"exit\n"
    } else {
        b"\nexit\n"
    };
    let _ = to.write_all(end);
    false
}

fn show(mut from: impl Read, mut to: impl Write) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if to
            .write_all(&bytes[..length])
            .and_then(|()| to.flush())
            .is_err()
        {
            break;
        }
    }
}

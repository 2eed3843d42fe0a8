//! `cargo workshop shell`: joins a person's terminal to a shell in the lab VM.

mod moment;
mod terminal;

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use systemd_lab::check::Outcome;
use systemd_lab::{Lab, Shell};

use crate::cargo::{self, PackageFolder};
use crate::exercises::{Exercise, Workshop};
use crate::output::note;
use crate::style;
use moment::Moment;
use terminal::RawMode;

/// How soon a person who leaves is let go.
const GLANCE: Duration = Duration::from_millis(20);
const GLANCE_FOR_POLL: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: GLANCE.as_nanos() as i64,
};

/// How long the last of what the guest has printed may take to reach the screen.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Ctrl-], as with telnet(1): a program in the guest hardly ever wants it.
const LEAVE_KEY: u8 = 0x1d;

/// What works as on any machine, and what does not.
const PROGRAMS: &str = "clear, less and vi are here. After a change of the window's size: resize";

/// Before what a banner lists.
const MARGIN: &str = "       ";

/// How to go on, and how to leave. No line of a banner is wider than a usual terminal.
const END_OF_BANNER: &str = "\
Edit:  outside; nothing in here is kept. Then open it again.
Leave: exit, Ctrl-D, or Ctrl-] at any time.
";

/// Opens a shell, and returns when the person has left it.
pub(crate) fn run(
    workshop: &Workshop,
    exercise: &Exercise,
    at: Option<&str>,
) -> anyhow::Result<Outcome> {
    let package = exercise.package();
    let colours = anstream::stdout().current_choice() != anstream::ColorChoice::Never;
    let arguments = ["build", "--package", &package];
    let folder = format!("exercises/{}", exercise.folder());
    let own = PackageFolder {
        name: &package,
        folder: &folder,
    };
    let building = style::spinner("building");
    let built = cargo::executable(
        &workshop.root,
        &own,
        &arguments,
        &package,
        colours,
        &mut |name| building.set_message(format!("building {name}")),
    );
    building.finish_and_clear();
    let binary = match built? {
        Ok(built) => built.path,
        Err(failed) => {
            note!(
                "{}\n\n{}",
                style::outcome(failed.outcome(), failed.headline()),
                failed.text()
            );
            return Ok(failed.outcome());
        }
    };
    let lab = Lab::open()?;
    let shell = match at {
        None => {
            let files = exercise_check::guest_files(&package, &binary, &workshop.root)
                .context("cannot read the folder units; is the clone whole?")?;
            let starting = style::spinner("starting the lab VM");
            let shell = lab.shell(&files, &terminal::this());
            starting.finish_and_clear();
            let shell = shell?;
            note!("{}", banner(exercise));
            shell
        }
        Some(event) => {
            let moment = moment::find(workshop, exercise, &lab, event)?;
            let (scenario, files) = (&moment.run.scenario, &moment.run.files);
            let starting = style::spinner("running the check again, up to this moment");
            let shell = lab.shell_at(moment.at_us, scenario, files, &terminal::this());
            starting.finish_and_clear();
            let shell = shell?;
            note!("{}", banner_at(exercise, &moment));
            shell
        }
    };
    attend(shell)?;
    Ok(Outcome::Passed)
}

/// What to try in a shell in which nothing was started.
fn banner(exercise: &Exercise) -> String {
    let unit = exercise.package();
    format!(
        "\
This is the lab VM: you are root, and time is real. Your service is installed,
not started.
Try:   systemctl start {unit}
       systemctl status {unit}
       systemctl kill -s KILL {unit}
       journalctl -fu {unit}
       curl http://127.0.0.1:7878/
Know:  {PROGRAMS}
{END_OF_BANNER}"
    )
}

/// The same in a shell that opens in the middle of a run.
fn banner_at(exercise: &Exercise, moment: &Moment) -> String {
    let unit = exercise.package();
    let event = format!("{}: {}", moment.run.scenario.name, moment.line);
    let event: Vec<String> = style::wrapped_within(&event, MARGIN)
        .iter()
        .map(|line| format!("{MARGIN}{line}\n"))
        .collect();
    let event = event.concat();
    format!(
        "\
This is the lab VM, just after this event; from now on you are root, and time is
real.
{event}\
Try:   systemctl status {unit}
       journalctl -u {unit}
       curl http://127.0.0.1:7878/
Know:  status shows systemd's debug messages too; journalctl with -p debug.
{MARGIN}{PROGRAMS}
{END_OF_BANNER}"
    )
}

/// Joins the terminal to the shell until one of them ends it.
fn attend(mut shell: Shell) -> anyhow::Result<()> {
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
        // What is typed from now on is for whoever comes next.
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

/// Passes on what is typed until it is over. True when the person wants to leave.
fn type_in(mut to: impl Write, is_terminal: bool, is_over: &AtomicBool) -> bool {
    let stdin = io::stdin();
    let mut bytes = [0; 1024];
    let mut last = b'\n';
    while !is_over.load(Ordering::Relaxed) {
        let mut ready = [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)];
        if matches!(poll(&mut ready, Some(&GLANCE_FOR_POLL)), Ok(0) | Err(_)) {
            continue;
        }
        // Not through Rust's buffer, which would keep what is typed for others.
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
        // The terminal has gone, and the person with it, or it is over anyway.
        return true;
    }
    // No Ctrl-D: a command that still runs would make something else of it.
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

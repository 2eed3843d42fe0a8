//! `cargo workshop shell`: joins a person's terminal to a shell in the lab VM.

mod moment;
mod terminal;

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use systemd_lab::check::Outcome;
use systemd_lab::{Lab, Shell};

use crate::exercises::{Exercise, Workshop};
use terminal::RawMode;

/// How soon a person who leaves is let go.
const GLANCE: Duration = Duration::from_millis(20);

/// How long the last of what the guest has printed may take to reach the screen.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Ctrl-], as with telnet(1): a program in the guest hardly ever wants it.
const LEAVE_KEY: u8 = 0x1d;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The exercise's number, e.g. 04. Without it: the first.
    exercise: Option<String>,
    /// Open it at the moment at which the exercise's check reached this event: its number in the timeline, or words of
    /// its line.
    #[arg(long, value_name = "EVENT")]
    at: Option<String>,
}

/// `None` when the arguments name something that does not exist.
pub(crate) fn run(workshop: &Workshop, arguments: &Arguments) -> anyhow::Result<Option<Outcome>> {
    let chosen = match &arguments.exercise {
        Some(number) => workshop.exercise(number),
        None => workshop.exercises.first(),
    };
    let Some(exercise) = chosen else {
        eprintln!(
            "there is no exercise {}; there are: {}",
            arguments.exercise.as_deref().unwrap_or("yet"),
            workshop.numbers()
        );
        return Ok(None);
    };
    let Some(binary) = build(workshop, exercise)? else {
        return Ok(Some(Outcome::DidNotBuild));
    };
    let lab = Lab::open()?;
    let shell = match &arguments.at {
        None => {
            let package = exercise.package();
            let files = exercise_check::guest_files(&package, binary.as_ref(), &workshop.root)
                .context("cannot read the folder units; is the clone whole?")?;
            eprintln!("{}", banner(exercise, "installed, not started"));
            lab.shell(&files, &terminal::this())?
        }
        Some(event) => {
            let Some(moment) = moment::find(workshop, exercise, event)? else {
                return Ok(None);
            };
            eprintln!("{}", banner(exercise, "as it was at that event"));
            eprintln!("{}\n", moment.line);
            lab.shell_at(
                moment.at_us,
                &moment.run.scenario,
                &moment.run.files,
                &terminal::this(),
            )?
        }
    };
    attend(shell)?;
    Ok(Some(Outcome::Passed))
}

/// The exercise's binary; `None` when it does not compile.
fn build(workshop: &Workshop, exercise: &Exercise) -> anyhow::Result<Option<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", &exercise.package()])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(&workshop.root)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        println!("DID NOT BUILD: the compiler's first message above says why.");
        return Ok(None);
    }
    let executable = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(str::to_owned))
        .next_back();
    executable.map(Some).with_context(|| {
        format!(
            "{} has no program; it needs a src/main.rs",
            exercise.package()
        )
    })
}

fn banner(exercise: &Exercise, state: &str) -> String {
    let unit = exercise.package();
    format!(
        "\
This is the lab VM: you are root, and time is real. Your service is {state}.
Try:   systemctl start {unit}     systemctl status {unit}     journalctl -fu {unit}
       systemctl kill -s KILL {unit}     curl http://127.0.0.1:7878/
Know:  journalctl leaves debug messages out; add -p debug. Type resize after the window has changed.
Leave: exit, Ctrl-D, or Ctrl-] at any time. Nothing in here is kept.
"
    )
}

/// Joins the terminal to the shell until one of them ends it.
fn attend(mut shell: Shell) -> anyhow::Result<()> {
    let mode = RawMode::enter().context("cannot set up your terminal")?;
    let leaving = Arc::new(AtomicBool::new(false));
    let (typed, shown) = (shell.console()?, shell.console()?);
    let is_terminal = mode.is_some();
    let leave = leaving.clone();
    thread::spawn(move || {
        if type_in(io::stdin(), typed, is_terminal) {
            leave.store(true, Ordering::Relaxed);
        }
    });
    let (done, last_words) = std::sync::mpsc::channel();
    thread::spawn(move || {
        show(shown, io::stdout());
        let _ = done.send(());
    });
    while !leaving.load(Ordering::Relaxed) {
        if shell.is_over(GLANCE)? {
            let _ = last_words.recv_timeout(LAST_WORDS);
            break;
        }
    }
    drop(mode);
    eprintln!();
    Ok(())
}

/// Passes on what is typed. True when the person wants to leave.
fn type_in(mut from: impl Read, mut to: impl Write, is_terminal: bool) -> bool {
    let mut bytes = [0; 1024];
    let mut last = b'\n';
    while let Ok(length @ 1..) = from.read(&mut bytes) {
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
        // The terminal has gone, and the person with it.
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

//! The lab's commands, written once: `systemd-lab` has all of them, `cargo workshop` those that attendees need.
//!
//! Knows the lab and nothing of exercises. What a command does is in `systemd-lab`, the library; here are its options and its words.

#![forbid(unsafe_code)]

pub mod doctor;
pub mod image;
pub mod matrix;
pub mod output;
pub mod run;
pub mod shell;
pub mod shortened;
pub mod style;
pub mod terminal;

use std::process::ExitCode;
use std::sync::OnceLock;

use clap::Parser;
use systemd_lab::LabError;
use systemd_lab::check::Outcome;

/// The exit statuses, for the end of a command's help.
pub const EXIT_STATUS: &str = "\
Exit status: 0 passed, 1 not yet, 2 wrong usage, 3 did not build, 4 out of time, 5 the lab is broken, \
6 passed, but what was to be printed or written could not be";

/// clap's own exit status for arguments that it does not know.
pub const WRONG_USAGE: u8 = 2;

/// What was asked for is not available, whatever the lab's state: the text says what is.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUsage(pub String);

static PROGRAM: OnceLock<&str> = OnceLock::new();

/// What a person types before a subcommand: `systemd-lab`, or `cargo workshop`.
pub fn program() -> &'static str {
    PROGRAM.get().unwrap_or(&"systemd-lab")
}

/// The exit status of an outcome.
pub fn exit_status(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Passed => 0,
        Outcome::NotYet => 1,
        Outcome::DidNotBuild => 3,
        Outcome::OutOfTime => 4,
        Outcome::LabBroken => 5,
    }
}

/// Reads the command line, runs what it asks for, and makes an exit status of what came of it. Errors are printed. `program` is what a
/// person types before a subcommand.
pub fn carry_out<A: Parser>(
    program: &'static str,
    run: impl FnOnce(&A) -> anyhow::Result<u8>,
) -> ExitCode {
    let _ = PROGRAM.set(program);
    output::survive_file_size_limit();
    let result = parsed::<A>().and_then(|arguments| match arguments {
        Ok(arguments) => run(&arguments),
        Err(of_usage) => Ok(output::conclude_usage(&of_usage)),
    });
    let status = result.unwrap_or_else(|error| {
        // An error may quote a service: its console, what systemd says of it.
        note!("{}", systemd_lab::visible_lines(&in_words(&error)));
        let of_lab = error.downcast_ref::<LabError>();
        match of_lab.is_some_and(LabError::is_wrong_usage) || error.is::<WrongUsage>() {
            true => WRONG_USAGE,
            false => exit_status(Outcome::LabBroken),
        }
    });
    ExitCode::from(output::conclude(status))
}

/// An error and its causes, each once: some name their cause themselves.
pub fn in_words(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(|cause| cause.to_string()) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// The command line, or what clap says in its place: help, or what is wrong with it. `run` says some of that better.
fn parsed<A: Parser>() -> anyhow::Result<Result<A, clap::Error>> {
    match A::try_parse() {
        Ok(arguments) => Ok(Ok(arguments)),
        Err(error) => {
            let words: Vec<String> = std::env::args_os()
                .map(|word| word.to_string_lossy().into_owned())
                .collect();
            match run::explained(&error, &words) {
                Some(explained) => Err(explained.into()),
                None => Ok(Err(error)),
            }
        }
    }
}

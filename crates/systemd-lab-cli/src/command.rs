//! From the command line to an exit status: the same for every command.

use std::process::ExitCode;

use clap::Parser;
use systemd_lab::{LabError, LabErrorKind};

use crate::exit::{ExitStatus, WrongUsage};
use crate::output::{self, note};
use crate::{program, run};

/// Reads the command line, runs the command, and turns the result into an exit status. Prints errors. `program` is what a person types
/// before a subcommand.
pub fn carry_out<A: Parser>(
    program: &'static str,
    run: impl FnOnce(&A) -> anyhow::Result<u8>,
) -> ExitCode {
    program::set(program);
    output::survive_file_size_limit();
    let result = parsed::<A>().and_then(|arguments| match arguments {
        Ok(arguments) => run(&arguments),
        Err(of_usage) => Ok(output::conclude_usage(&of_usage)),
    });
    let status = result.unwrap_or_else(|error| {
        // An error may quote a service: its console, or what systemd says about it.
        note!("{}", systemd_lab::visible_lines(&in_words(&error)));
        let of_lab = error.downcast_ref::<LabError>();
        let is_usage = match of_lab.map(LabError::kind) {
            Some(kind) => matches!(kind, LabErrorKind::Usage | LabErrorKind::File),
            None => error.is::<WrongUsage>(),
        };
        let status = if is_usage {
            ExitStatus::WrongUsage
        } else {
            ExitStatus::LabBroken
        };
        status.code()
    });
    ExitCode::from(output::conclude(status))
}

/// An error and its causes, without repetitions: some errors name their cause themselves.
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

/// The command line, or clap's answer instead: help, or what is wrong. For some errors, `run` has a better message.
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

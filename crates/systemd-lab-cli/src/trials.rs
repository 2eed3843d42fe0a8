//! What the commands that make many runs have in common: the `run` command that repeats one of them, and lines of their reports.

use std::time::Duration;

use systemd_lab::experiment::{Verdict, span_text};
use systemd_lab::{shell_word, visible};

use crate::program::program;

/// The `run` command for the plan of this command line, which is one of `command`. `own` are the options that `run` does not have, and
/// whether a value follows each.
pub(crate) fn run_command(command: &str, own: &[(&str, bool)]) -> String {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    run_command_of(words, command, own)
}

fn run_command_of(
    words: impl IntoIterator<Item = String>,
    command: &str,
    own: &[(&str, bool)],
) -> String {
    let words = words.into_iter().skip_while(|word| word != command);
    let mut words = words.skip(1);
    let mut kept = vec![program().to_owned(), "run".to_owned()];
    while let Some(word) = words.next() {
        let own = own.iter().find(|(name, _)| {
            word == *name
                || word
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('='))
        });
        match own {
            Some((name, true)) if word == *name => {
                words.next();
            }
            Some(_) => {}
            None => kept.push(shell_word(&word)),
        }
    }
    kept.join(" ")
}

/// The options of `run` for a run of this length with these faults.
pub(crate) fn with_faults(
    length: Duration,
    faults: impl IntoIterator<Item = (Duration, String)>,
) -> String {
    let time = |time: Duration| match time.is_zero() {
        true => "0s".to_owned(),
        false => shell_word(&span_text(time)),
    };
    let mut options = format!("--for {}", time(length));
    for (at, fault) in faults {
        options += &format!(" --at {} {}", time(at), shell_word(&fault));
    }
    options
}

/// A line for each requirement that is not met even without a fault.
pub(crate) fn broken_without_fault(verdicts: &[Verdict]) -> String {
    let broken = verdicts.iter().filter(|verdict| !verdict.holds);
    let lines = broken.map(|verdict| {
        format!(
            "✗ {} does not hold without a fault: {}\n",
            verdict.requirement,
            visible(&verdict.measured)
        )
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_run_has_the_options_of_the_plan() {
        let own = [("--fault", true), ("--moments", true), ("--json", false)];
        let words = "target/systemd-lab sweep --unit a.service --fault kill,stop --moments=9 --json --require|recovery <= 10s|--get u";
        let words = words
            .split('|')
            .enumerate()
            .flat_map(|(number, part)| match number {
                1 => vec![part.to_owned()],
                _ => part.split(' ').map(str::to_owned).collect(),
            });
        assert_eq!(
            run_command_of(words, "sweep", &own),
            "systemd-lab run --unit a.service --require 'recovery <= 10s' --get u"
        );
        let second = Duration::from_secs(1);
        let faults = [(Duration::ZERO, "kill"), (90 * second, "run=echo it")];
        let faults = faults.map(|(at, fault)| (at, fault.to_owned()));
        assert_eq!(
            with_faults(150 * second, faults),
            "--for '2min 30s' --at 0s kill --at '1min 30s' 'run=echo it'"
        );
    }
}

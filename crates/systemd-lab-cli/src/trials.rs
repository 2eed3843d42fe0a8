//! What the commands that make many runs have in common: the `run` command that repeats one of them, whether its run shows the same again, and
//! lines of their reports.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, XmlString};
use systemd_lab::experiment::{FaultSummary, Verdict, span_text};
use systemd_lab::{
    Experiment, ExperimentError, Lab, LabError, RunOptions, SUITE_VARIABLE, Suite, shell_word,
    visible,
};

use crate::exit::WrongUsage;
use crate::program::program;
use crate::style;

/// What a report says if systemd refused all faults.
pub(crate) const NO_FAULT: &str =
    "No fault came, so nothing is known: see the unit's run without one";

/// What a report says below a command whose own run meets the requirement.
pub(crate) const NOT_AGAIN: &str = "      The run of this command differs by milliseconds, and does not show it: try the fault 10 ms earlier or later\n";

/// The `run` command for the plan of this command line, which is one of `command`. `own` are the options that `run` does not have, and
/// whether a value follows each. A suite that only a variable names is named: the variable may have another value later.
pub(crate) fn run_command(command: &str, own: &[(&str, bool)], suite: Suite) -> String {
    const SUITE: &str = "--suite";
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let run = run_command_of(words, command, own);
    let is_named = std::env::args().any(|word| word.split('=').next() == Some(SUITE));
    match is_named || std::env::var_os(SUITE_VARIABLE).is_none() {
        true => run,
        false => format!("{run} {SUITE} {}", suite.alias()),
    }
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

/// Makes the runs that the printed commands make: each from its start, and not from a copy of a guest, which may differ by
/// milliseconds. Says for each whether this requirement is not met there either; `None` if that run took too long, or if `stop` was
/// set.
///
/// # Errors
///
/// When the lab cannot run.
pub(crate) fn show_again(
    lab: &Lab,
    stop: &AtomicBool,
    runs: &[(Experiment, &str)],
) -> Result<Vec<Option<bool>>, ExperimentError> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let spinner = style::spinner("the commands' own runs,");
    let shown = thread::scope(|scope| {
        // The lab lets only as many of them run at a time as the machine can.
        let started: Vec<_> = runs
            .iter()
            .map(|(experiment, requirement)| {
                scope.spawn(move || shows_again(lab, stop, experiment, requirement))
            })
            .collect();
        let ended = started.into_iter().map(|it| it.join());
        ended
            .map(|it| it.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    spinner.finish_and_clear();
    shown
}

/// A plan that makes no sense is the caller's fault.
pub(crate) fn of_lab(error: ExperimentError) -> anyhow::Error {
    match error {
        ExperimentError::Plan(error) => WrongUsage::because(error),
        ExperimentError::Lab(error) => error.into(),
    }
}

fn shows_again(
    lab: &Lab,
    stop: &AtomicBool,
    experiment: &Experiment,
    requirement: &str,
) -> Result<Option<bool>, ExperimentError> {
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let options = RunOptions::default().interrupted_by(stop);
    match experiment.run_with(lab, options) {
        Ok(timeline) => {
            let mut verdicts = experiment.verdicts(&timeline).into_iter();
            let is_broken =
                verdicts.any(|it| !it.holds && it.requirement.to_string() == requirement);
            // If systemd refuses all of the faults, a requirement on recovery is broken for another reason.
            let faults = experiment.summary(&timeline).faults;
            Ok(Some(is_broken && faults.iter().any(FaultSummary::has_hit)))
        }
        Err(ExperimentError::Lab(LabError::OutOfTime { .. })) => Ok(None),
        Err(_) if stop.load(Ordering::Relaxed) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A case of JUnit XML that failed.
pub(crate) fn failed_case(
    name: impl Into<XmlString>,
    message: impl Into<XmlString>,
    description: impl Into<XmlString>,
) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(message);
    status.set_description(description);
    TestCase::new(name, status)
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
    use std::fs;

    use systemd_lab::Fault;

    use super::*;

    /// The service is back after five seconds: what a run of its own says about that, and not what was said before, counts.
    #[test]
    fn a_command_is_tried_before_its_report() {
        let folder = tempfile::tempdir().expect("it can be made");
        let unit = folder.path().join("slow.service");
        let text = "[Service]\nExecStart=sleep infinity\nRestart=always\nRestartSec=5s\n";
        fs::write(&unit, text).expect("it can be written");
        let kill: Fault = "kill".parse().expect("it is a fault");
        let requiring = |requirement: &str| {
            Experiment::new(&unit)
                .fault_on("slow.service", Duration::from_secs(1), kill.clone())
                .require(requirement.parse().expect("it is a requirement"))
                .lasting(Duration::from_secs(20))
        };
        let mut runs = ["recovery <= 4s", "recovery <= 6s"]
            .map(|it| (requiring(it), it))
            .to_vec();
        // systemd refuses this fault, because there is nothing to kill. That is another failure.
        let ended = folder.path().join("ended.service");
        fs::write(&ended, "[Service]\nExecStart=true\n").expect("it can be written");
        let refused = Experiment::new(&ended)
            .fault_on("ended.service", Duration::from_secs(5), kill.clone())
            .require("recovery <= 4s".parse().expect("it is a requirement"));
        runs.push((refused, "recovery <= 4s"));
        let lab = Lab::open().expect("the lab works");
        let shown = |stop| show_again(&lab, &AtomicBool::new(stop), &runs).expect("it works");
        assert_eq!(shown(false), [Some(true), Some(false), Some(false)]);
        assert_eq!(shown(true), [None, None, None]);
    }

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

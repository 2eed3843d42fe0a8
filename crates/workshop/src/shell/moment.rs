//! Finds the event at which a shell is to open: in the runs of the exercise's own check.

use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use systemd_lab::check::Outcome;
use systemd_lab::check::report::{Report, Run, VARIABLE};
use systemd_lab::protocol::Event;

use crate::exercises::{Exercise, Workshop};

/// An instant in a run.
pub(crate) struct Moment {
    pub(crate) run: Run,
    pub(crate) at_us: u64,
    /// What happened, for the person.
    pub(crate) line: String,
}

/// `None`, after saying what there is, when no event is called so.
pub(crate) fn find(
    workshop: &Workshop,
    exercise: &Exercise,
    wanted: &str,
) -> anyhow::Result<Option<Moment>> {
    let mut report = check(workshop, exercise)?;
    let failing = report
        .verdicts
        .iter()
        .find(|verdict| verdict.outcome != Outcome::Passed)
        .and_then(|verdict| verdict.scenario.clone());
    // The run that shows what is wrong comes first.
    let is_other = |run: &Run| Some(&run.scenario.name) != failing.as_ref();
    report.runs.sort_by_key(is_other);
    for run in &report.runs {
        let lines = lines(run);
        if let Some((at_us, line)) = choose(&lines, wanted) {
            return Ok(Some(Moment {
                run: run.clone(),
                at_us,
                line: line.trim_end().to_owned(),
            }));
        }
    }
    eprintln!(
        "no event of exercise {} is called {wanted:?}; there are:",
        exercise.number
    );
    for run in &report.runs {
        eprintln!("\n{}", run.scenario.name);
        for (number, (_, line)) in lines(run).iter().enumerate() {
            eprintln!("{:>5}  {line}", number + 1);
        }
    }
    Ok(None)
}

/// By number, counted from 1, or by words, whatever their case.
fn choose<'a>(lines: &'a [(u64, String)], wanted: &str) -> Option<(u64, &'a str)> {
    let chosen = match wanted.parse::<usize>() {
        Ok(number) => lines.get(number.checked_sub(1)?),
        Err(_) => {
            let wanted = wanted.to_lowercase();
            lines
                .iter()
                .find(|(_, line)| line.to_lowercase().contains(&wanted))
        }
    };
    chosen.map(|(at_us, line)| (*at_us, line.as_str()))
}

/// A run's events in the words of every view.
fn lines(run: &Run) -> Vec<(u64, String)> {
    let events = run.timeline.iter().flat_map(|timeline| timeline.events());
    let line = |event: &Event| {
        let words = systemd_lab::describe(&event.kind)?;
        let unit = event.unit.as_deref().unwrap_or_default();
        Some((event.at_us, format!("{unit}  {words}")))
    };
    events.filter_map(line).collect()
}

/// Runs the exercise's check for what it reports; that it fails is what most people are here for.
fn check(workshop: &Workshop, exercise: &Exercise) -> anyhow::Result<Report> {
    let file = tempfile::NamedTempFile::new()
        .context("cannot make a temporary file; is the disk full?")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    eprintln!(
        "Running the check of exercise {} to find that event …",
        exercise.number
    );
    let output = Command::new(cargo)
        .args(["test", "--quiet", "--package", &exercise.package()])
        .args(["--test", "check"])
        .env(VARIABLE, file.path())
        .current_dir(&workshop.root)
        .stdin(Stdio::null())
        .output()
        .context("cannot run cargo")?;
    let text = std::fs::read_to_string(file.path()).context("cannot read the check's report")?;
    let report = Report::parse(&text)?;
    if report.runs.is_empty() {
        bail!(
            "the check of exercise {} made no run; this is what it said:\n{}",
            exercise.number,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_chosen_by_number_or_words() {
        let lines = [
            (10, "a  Started".to_owned()),
            (20, "a  Watchdog timeout".to_owned()),
        ];
        assert_eq!(choose(&lines, "2"), Some((20, "a  Watchdog timeout")));
        assert_eq!(
            choose(&lines, "WATCHDOG"),
            Some((20, "a  Watchdog timeout"))
        );
        assert_eq!(choose(&lines, "0"), None);
        assert_eq!(choose(&lines, "3"), None);
        assert_eq!(choose(&lines, "nothing"), None);
    }
}

//! Finds the instant at which a shell is to open: an event of the exercise's last check, in a new run of the same scenario.

use anyhow::Context;
use systemd_lab::Lab;
use systemd_lab::check::report::{Report, Run};

use crate::WrongUsage;
use crate::exercises::{Exercise, Workshop};
use crate::timeline::{self, Line};

/// An instant in a run.
pub(super) struct Moment {
    pub(super) run: Run,
    pub(super) at_us: u64,
    /// What happened, for the person.
    pub(super) line: String,
}

/// Finds the event and when it happens now: the service may have been edited since its check.
pub(super) fn find(
    workshop: &Workshop,
    exercise: &Exercise,
    lab: &Lab,
    wanted: &str,
) -> anyhow::Result<Moment> {
    let report = timeline::read(workshop, exercise)?;
    let runs = timeline::numbered(&report);
    let first = timeline::first_unmet(&report).map(|run| run.scenario.name.as_str());
    let (run, index, text) = choose(&runs, first, wanted).ok_or_else(|| {
        WrongUsage(format!(
            "no event of exercise {} is called {wanted:?}; type `cargo workshop timeline {}`, and take a number or words of a line",
            exercise.number, exercise.number
        ))
    })?;
    let timeline = lab.run(&run.scenario, &run.files)?;
    let now = Report {
        runs: vec![Run::new(&run.scenario, &run.files, Ok(&timeline))],
        ..Report::default()
    };
    let (_, lines) = timeline::numbered(&now)
        .pop()
        .context("a report of one run has one")?;
    let same = |line: &&Line| line.words() == text;
    // The same line in the same place, else the first that says the same.
    let line = lines
        .get(index)
        .filter(same)
        .or_else(|| lines.iter().find(same));
    let line = line.ok_or_else(|| {
        WrongUsage(format!(
            "that event no longer happens: {text}\nthe service was edited since its last check; type: cargo workshop check {}",
            exercise.number
        ))
    })?;
    Ok(Moment {
        run: run.clone(),
        at_us: line.event.at_us,
        line: text,
    })
}

/// By number, counted over all runs, or by words, whatever their case; the run called `first` is looked at first. Returns
/// the run, the line's place in it, and what it says.
fn choose<'a>(
    runs: &'a [(&'a Run, Vec<Line<'a>>)],
    first: Option<&str>,
    wanted: &str,
) -> Option<(&'a Run, usize, String)> {
    let number = wanted.parse::<usize>().ok();
    let is_wanted = |line: &Line| match number {
        Some(number) => line.number == number,
        None => line.words().to_lowercase().contains(&wanted.to_lowercase()),
    };
    let (at_first, after): (Vec<_>, Vec<_>) = runs
        .iter()
        .partition(|(run, _)| Some(run.scenario.name.as_str()) == first);
    at_first.into_iter().chain(after).find_map(|(run, lines)| {
        let index = lines.iter().position(is_wanted)?;
        Some((*run, index, lines[index].words()))
    })
}

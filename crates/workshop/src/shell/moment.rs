//! Finds the instant at which a shell should open: when an event of the exercise's last check happens now.

use std::fs;
use std::path::Path;

use anyhow::Context;
use exercise_check::report::{Record, Report, Run};
use systemd_lab::Lab;

use crate::timeline::{self, Line};
use exercise_check::stage::Stage;
use stages::exercises::Workshop;
use systemd_lab_cli::WrongUsage;

/// An instant in a run.
pub(super) struct Moment {
    pub(super) run: Run,
    pub(super) at_us: u64,
    /// What happened, for the person.
    pub(super) line: String,
}

/// An event of the last check.
struct Chosen<'a> {
    run: &'a Run,
    /// Its place among the lines of the run.
    index: usize,
    at_us: u64,
    words: String,
}

/// Finds the event. If a file was edited since the check, the scenario runs once more to see when the event happens now.
pub(super) fn find(
    workshop: &Workshop,
    exercise: &Stage,
    lab: &Lab,
    wanted: &str,
) -> anyhow::Result<Moment> {
    let report = timeline::read(workshop, exercise)?;
    let chosen = Some(wanted.trim()).filter(|wanted| !wanted.is_empty());
    let chosen = chosen.and_then(|wanted| choose(&report, wanted));
    let chosen = chosen.ok_or_else(|| {
        let number = &exercise.number;
        WrongUsage(format!(
            "no event of exercise {number} is called {wanted:?}; type `cargo workshop timeline {number}`, and take a number or words of a line"
        ))
    })?;
    let at_us = match is_younger(&chosen.run.files, &workshop.report(exercise)) {
        false => chosen.at_us,
        true => again(exercise, lab, &chosen)?,
    };
    Ok(Moment {
        run: chosen.run.clone(),
        at_us,
        line: chosen.words,
    })
}

/// By number, counted over all runs, or by words, ignoring case: then the run that shows the problem comes first.
fn choose<'a>(report: &'a Report, wanted: &str) -> Option<Chosen<'a>> {
    let number = wanted.parse::<usize>().ok();
    let is_wanted = |line: &Line| match number {
        Some(number) => line.number == number,
        None => {
            let words = line.words().to_lowercase();
            words.contains(&wanted.to_lowercase())
        }
    };
    let unmet = timeline::first_unmet(report).map(|run| run.scenario.name.as_str());
    let mut runs = timeline::numbered(report);
    runs.sort_by_key(|(run, _)| Some(run.scenario.name.as_str()) != unmet);
    runs.iter().find_map(|(run, lines)| {
        let index = lines.iter().position(is_wanted)?;
        Some(Chosen {
            run,
            index,
            at_us: lines[index].event.at_us,
            words: lines[index].words(),
        })
    })
}

/// Whether one of the files was saved or built after the report was written.
fn is_younger(files: &[systemd_lab::GuestFile], report: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let written = modified(report);
    let mut hosts = files.iter().filter_map(systemd_lab::GuestFile::host);
    hosts.any(|host| modified(host).is_none_or(|time| Some(time) > written))
}

/// When the event happens in a new run.
fn again(exercise: &Stage, lab: &Lab, chosen: &Chosen) -> anyhow::Result<u64> {
    let Run {
        scenario, files, ..
    } = chosen.run;
    let timeline = lab.run(scenario, files)?;
    let mut now = Report::default();
    now.add(Record::Run(Run::new(scenario, files, Ok(&timeline))));
    let (_, lines) = timeline::numbered(&now)
        .pop()
        .context("a report of one run has one")?;
    let same = |line: &&Line| line.words() == chosen.words;
    // The same line in the same place, otherwise the first one with the same text.
    let line = lines
        .get(chosen.index)
        .filter(same)
        .or_else(|| lines.iter().find(same));
    let line = line.ok_or_else(|| {
        WrongUsage(format!(
            "the service was edited since its last check, and this no longer happens: {}\ncheck it again: cargo workshop check {}",
            chosen.words, exercise.number
        ))
    })?;
    Ok(line.event.at_us)
}

//! `cargo workshop check`: builds an exercise, runs its check, and shows the result: a line for each requirement, then
//! everything about the first one that is not met.

mod difference;
mod json;
mod junit;
pub(crate) mod process;
mod screen;

use std::path::PathBuf;

use anyhow::Context;
use exercise_check::report::Report;
use exercise_check::{Outcome, UNEXPLAINED, Verdict, sentence_of};
use systemd_lab::{Guest, Lab, visible, visible_lines};

use crate::game_day;
use crate::outcome;
use crate::progress::Progress;
use crate::voice;
use exercise_check::stage::Stage;
use process::Ended;
use screen::Screen;
use stages::cargo::LAB_BROKEN;
use stages::exercises::Workshop;
use systemd_lab_cli::WrongUsage;
use systemd_lab_cli::{note, output, say};
use systemd_lab_cli::{style, terminal};

/// Lines below a difference, besides the sentence: the headline, blank lines, what to do next, and in `watch` the keys.
const LINES_BELOW: usize = 13;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Its number, e.g. 04. Default: the first exercise that has not passed.
    exercise: Option<String>,
    /// Check all exercises, even after one that is not solved.
    #[arg(long, conflicts_with = "exercise")]
    all: bool,
    /// Print one JSON document (described in CONTRIBUTING.md) and nothing else.
    #[arg(long)]
    json: bool,
    /// Also write the verdicts to this file, as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Replace the file that --junit names, even if the lab did not write it.
    #[arg(long, requires = "junit")]
    force: bool,
}

/// The result of a check.
pub(crate) struct Checked {
    pub(crate) outcome: Outcome,
    pub(crate) report: Report,
    /// The message of the compiler or the lab, if there is no verdict.
    pub(crate) message: Option<String>,
    /// The compiler's warnings.
    warnings: String,
}

pub(crate) fn run(workshop: &Workshop, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let junit = ("--junit", arguments.junit.as_deref());
    output::ensure_one_document(arguments.json, &[junit])?;
    if let Some(file) = &arguments.junit {
        output::ensure_writable(file, &[], arguments.force)?;
    }
    let progress = open_progress(workshop, arguments.json)?;
    let chosen: Vec<&Stage> = match arguments.all {
        true => workshop.exercises.iter().collect(),
        false => vec![progress.chosen(workshop, arguments.exercise.as_deref())?],
    };
    let mut all = Vec::new();
    for exercise in chosen {
        let checked = match arguments.json {
            true => check(workshop, exercise, Loudness::Silent)?,
            false => shown(workshop, exercise)?,
        };
        all.push((exercise, checked));
    }
    if arguments.json {
        let document = json::document(&all).context("cannot write the result as JSON")?;
        output::document(&(document + "\n"));
    }
    if let Some(file) = &arguments.junit {
        let text = junit::document(&all).context("cannot write the result as JUnit XML")?;
        output::write(file, &text);
    }
    Ok(worst(all.iter().map(|(_, checked)| checked.outcome)))
}

/// The outcome of several checks: the first that is not a pass, but a broken lab comes first.
fn worst(outcomes: impl Iterator<Item = Outcome> + Clone) -> Outcome {
    let mut outcomes_again = outcomes.clone();
    if outcomes_again.any(|outcome| outcome == Outcome::LabBroken) {
        return Outcome::LabBroken;
    }
    let mut not_passed = outcomes.filter(|outcome| *outcome != Outcome::Passed);
    not_passed.next().unwrap_or(Outcome::Passed)
}

/// The attendee's progress. A damaged file is kept under another name, and the progress is rebuilt from what passes.
pub(crate) fn open_progress(workshop: &Workshop, quiet: bool) -> anyhow::Result<Progress> {
    let damaged = match Progress::read(&workshop.root)? {
        Ok(progress) => return Ok(progress),
        Err(damaged) => damaged,
    };
    let aside = crate::progress::put_aside(&workshop.root)?;
    let name = aside.file_name().unwrap_or_default().to_string_lossy();
    if !quiet {
        note!("{damaged}\nIt is kept as {name}; checking everything to find out where you are.\n");
    }
    for exercise in &workshop.exercises {
        let checked = check(workshop, exercise, Loudness::Silent)?;
        if !quiet {
            let outcome = outcome::coloured(checked.outcome, checked.outcome);
            note!("  exercise {}: {outcome}", exercise.number);
        }
    }
    Progress::update(&workshop.root, |_| {})
}

/// Checks an exercise and shows the whole result.
pub(crate) fn shown(workshop: &Workshop, exercise: &Stage) -> anyhow::Result<Checked> {
    let title = format!("Exercise {}: {}", exercise.number, exercise.topic);
    say!("{}\n", style::strong(title));
    let checked = check(workshop, exercise, Loudness::Shown)?;
    explain(workshop, exercise, &checked)?;
    Ok(checked)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Loudness {
    Shown,
    Silent,
}

/// Checks an exercise and records the result.
fn check(workshop: &Workshop, exercise: &Stage, loudness: Loudness) -> anyhow::Result<Checked> {
    let checked = checked(workshop, exercise, loudness)?;
    let finding = first_open(&checked.report).map(finding);
    let updated = Progress::update(&workshop.root, |progress| {
        let known = progress.of_mut(exercise);
        known.passed |= checked.outcome == Outcome::Passed;
        known.last = Some(checked.outcome);
        known.finding = finding;
    });
    // The verdict counts anyway.
    if let Err(error) = updated {
        output::failed(systemd_lab_cli::in_words(&error));
    }
    Ok(checked)
}

fn checked(workshop: &Workshop, exercise: &Stage, loudness: Loudness) -> anyhow::Result<Checked> {
    let without_verdicts = |outcome, message| Checked {
        outcome,
        report: Report::default(),
        message: Some(message),
        warnings: String::new(),
    };
    let guest = Guest::from_environment()?;
    if let Some(needed) = exercise.settings(&workshop.root)?.systemd {
        guest
            .ensure_systemd(needed)
            .map_err(|error| WrongUsage(format!("exercise {}: {error}", exercise.number)))?;
    }
    game_day::ensure_seed(exercise)?;
    // Done before the build: if the lab has to be set up, it reports that itself.
    if let Err(error) = Lab::open() {
        return Ok(without_verdicts(Outcome::LabBroken, error.to_string()));
    }
    let mut screen = (loudness == Loudness::Shown).then(|| Screen::new("building"));
    let colours = loudness == Loudness::Shown
        && anstream::stdout().current_choice() != anstream::ColorChoice::Never;
    let mut on_built = |name: &str| {
        if let Some(screen) = &mut screen {
            screen.built(name);
        }
    };
    let built = match process::compile(workshop, exercise, colours, &mut on_built)? {
        Ok(built) => built,
        Err(failed) => {
            if let Some(screen) = screen {
                screen.clear();
            }
            return Ok(without_verdicts(failed.outcome(), failed.text().to_owned()));
        }
    };
    if let Some(screen) = &mut screen {
        screen.running();
    }
    let (report, ended) = process::run(workshop, exercise, &built.path, |report| {
        if let Some(screen) = &mut screen {
            screen.show(report);
        }
    })?;
    if let Some(screen) = screen {
        screen.finish(&report);
    }
    Ok(Checked {
        warnings: built.warnings,
        ..judged(report, &ended)
    })
}

/// A check that ended without all of its verdicts says nothing about the service.
fn judged(report: Report, ended: &Ended) -> Checked {
    let expected = report.verdicts.first().map_or(1, |first| first.of as usize);
    let first = first_open(&report).map(|verdict| verdict.outcome);
    let outcome = first.unwrap_or(Outcome::Passed);
    let is_complete = report.verdicts.len() == expected;
    if outcome == Outcome::Passed && !(is_complete && ended.is_success) {
        let message = format!(
            "only {} of {expected} verdicts arrived; check again, and if that does not help, type: cargo workshop doctor\n\n{}",
            report.verdicts.len(),
            ended.last_words
        );
        return Checked {
            outcome: Outcome::LabBroken,
            report,
            message: Some(message),
            warnings: String::new(),
        };
    }
    Checked {
        outcome,
        report,
        message: None,
        warnings: String::new(),
    }
}

/// The first requirement that is not met.
pub(crate) fn first_open(report: &Report) -> Option<&Verdict> {
    report
        .verdicts
        .iter()
        .find(|verdict| verdict.outcome != Outcome::Passed)
}

/// In a line: `requirement 3 of 8: a stop is announced`.
fn finding(verdict: &Verdict) -> String {
    format!(
        "requirement {} of {}: {}",
        verdict.number, verdict.of, verdict.title
    )
}

fn explain(workshop: &Workshop, exercise: &Stage, checked: &Checked) -> anyhow::Result<()> {
    let number = &exercise.number;
    if let Some(message) = &checked.message {
        let (headline, message) = match checked.outcome {
            // The compiler's own colours are kept.
            Outcome::DidNotBuild => (
                "DID NOT BUILD: the compiler's first message says why.",
                message.clone(),
            ),
            // The check's last words may come from the service.
            _ => (LAB_BROKEN, visible_lines(message)),
        };
        say!(
            "{}\n\n{message}\n",
            outcome::coloured(checked.outcome, headline)
        );
    } else if let Some(verdict) = first_open(&checked.report) {
        // An unused future may be the only mistake.
        if !checked.warnings.is_empty() {
            say!("The compiler warns:\n\n{}", checked.warnings);
        }
        tell(exercise, verdict);
    } else {
        let headline = format!("PASSED: exercise {number}.");
        say!("{}\n", outcome::coloured(Outcome::Passed, headline));
    }
    let of_exercise = |command: &str, key| voice::step(&format!("{command} {number}"), key);
    match checked.outcome {
        Outcome::Passed => {
            let progress = Progress::read(&workshop.root)?.unwrap_or_default();
            say!("Compare: {}", of_exercise("diff", 'd'));
            if let Some(page) = exercise.settings(&workshop.root)?.read {
                let guide = style::strong(format!("cargo workshop guide {page}"));
                say!("Read on: {guide}");
            }
            match progress.current(workshop) {
                Some(_) => say!("Go on:   {}", voice::step("next", 'n')),
                None => say!(
                    "All exercises are solved. Break one, and see what systemd does: {}",
                    voice::step("shell", 's')
                ),
            }
        }
        Outcome::NotYet => {
            edit(exercise);
            say!(
                "Guide: {}   Stuck: {}",
                of_exercise("guide", 'g'),
                of_exercise("hint", 'h')
            );
            if first_open(&checked.report).is_some_and(|verdict| verdict.scenario.is_some()) {
                say!("The full timeline: {}", of_exercise("timeline", 't'));
            }
        }
        Outcome::DidNotBuild => edit(exercise),
        Outcome::OutOfTime | Outcome::LabBroken => {
            let doctor = style::strong("cargo workshop doctor");
            say!("What is wrong with the lab: {doctor}");
        }
    }
    Ok(())
}

/// What was seen comes first, then the verdict: the end of the output stays on the screen.
fn tell(exercise: &Stage, verdict: &Verdict) {
    // The report is a file, and may contain anything.
    let conclusion = visible_lines(&verdict.conclusion);
    let headline = conclusion.lines().next().unwrap_or_default();
    let sentence = match (&verdict.diagnosis, verdict.outcome) {
        (Some(diagnosis), _) => style::wrapped(&sentence_of(&visible(diagnosis))),
        (None, Outcome::NotYet) => style::wrapped(UNEXPLAINED),
        (None, _) => {
            let message = conclusion.trim_start_matches(headline).trim();
            message.lines().flat_map(style::wrapped).collect()
        }
    };
    if !verdict.difference.is_empty() {
        let size = terminal::size();
        let below = sentence.len() + LINES_BELOW;
        let rows = match terminal::is_one() {
            true => size.rows.saturating_sub(below),
            false => usize::MAX,
        };
        let more = voice::step(&format!("timeline {}", exercise.number), 't');
        for line in difference::shown(
            &visible_lines(&verdict.difference),
            size.columns,
            rows,
            &more,
        ) {
            say!("{line}");
        }
        say!();
    }
    let headline = style::wrapped(headline);
    for line in headline {
        say!("{}", outcome::coloured(verdict.outcome, line));
    }
    say!("\n{}\n", sentence.join("\n"));
}

/// Says which file to edit next.
fn edit(exercise: &Stage) {
    let places = exercise.places();
    let tell = |text: &str| say!("{}", style::wrapped(text).join("\n"));
    if voice::names_keys() {
        tell(&format!("Edit {places}, and save."));
        return;
    }
    let sentence = format!("Edit {places}, then:");
    let check = format!("cargo workshop check {}", exercise.number);
    let is_one_line = sentence.len() + 1 + check.len() <= terminal::text_width();
    let check = style::strong(check);
    match is_one_line {
        true => say!("{sentence} {check}"),
        // A command that is split over lines cannot be copied.
        false => {
            tell(&sentence);
            say!("{check}");
        }
    }
}

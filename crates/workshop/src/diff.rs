//! `cargo workshop diff`: the attendee's files against the solution's.

use std::collections::BTreeSet;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use anyhow::Context;
use diffy::DiffOptions;
use systemd_lab::check::Outcome;
use toml::Table;

use crate::exercises::{Exercise, Workshop};
use crate::files::Files;
use crate::output::{note, say};
use crate::progress::Progress;
use crate::starter;
use crate::work;
use crate::{style, voice};

/// What of a manifest is part of an exercise.
const DEPENDENCIES: &str = "dependencies";

const HEADER: Style = Style::new().bold();
const POSITION: Style = AnsiColor::Cyan.on_default();
const YOURS: Style = AnsiColor::Red.on_default();
const SOLUTIONS: Style = AnsiColor::Green.on_default();

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Its number, e.g. 04.
    exercise: String,
    /// Show the solution, though the exercise is not passed yet.
    #[arg(long)]
    spoil: bool,
}

/// Shows the difference if the exercise is passed or the attendee wants to see it all the same.
pub(crate) fn run(
    workshop: &Workshop,
    progress: &Progress,
    arguments: &Arguments,
) -> anyhow::Result<Outcome> {
    let exercise = workshop.exercise(&arguments.exercise)?;
    let number = &exercise.number;
    if !progress.has_passed(exercise) && !arguments.spoil {
        note!(
            "exercise {number} is not passed yet\n\n\
             {} gives a hint; {} shows the solution all the same",
            voice::step(&format!("hint {number}"), 'h'),
            style::strong(format!("cargo workshop diff {number} --spoil"))
        );
        return Ok(Outcome::NotYet);
    }
    let patches = patches(&workshop.root, exercise)?;
    if patches.is_empty() {
        say!("Yours is the solution, word for word.");
        return Ok(Outcome::Passed);
    }
    let (minus, plus) = (YOURS, SOLUTIONS);
    say!(
        "Exercise {number}: {minus}- yours{minus:#}, {plus}+ the solution{plus:#}. There are other right answers.\n"
    );
    for line in patches.lines() {
        let style = style(line);
        say!("{style}{line}{style:#}");
    }
    Ok(Outcome::Passed)
}

/// A patch for each file that differs, one after the other.
fn patches(root: &Path, exercise: &Exercise) -> anyhow::Result<String> {
    let solution = solution(root, exercise)?;
    let work = work::read(root, exercise)?;
    let paths: BTreeSet<&String> = solution.0.keys().chain(work.keys()).collect();
    let mut patches = String::new();
    for path in paths {
        let yours = work.get(path).map(|bytes| String::from_utf8_lossy(bytes));
        let yours = yours.as_deref();
        let solved = solution.0.get(path).map(String::as_str);
        if yours != solved {
            patches.push_str(&patch(exercise, path, yours, solved));
        }
    }
    Ok(patches)
}

/// The solution under the exercise's name. Its manifest also says where the check lies, which is no part of the
/// exercise: where that is all, the starter's manifest stands in its place.
fn solution(root: &Path, exercise: &Exercise) -> anyhow::Result<Files> {
    let mut solution = starter::solution_as_exercise(root, exercise)?;
    let manifest = format!("{}/Cargo.toml", exercise.exercise_folder());
    // An edited solution has no starter, and can be shown nevertheless.
    let starter = starter::read(root, exercise).ok();
    let starter = starter.and_then(|mut starter| starter.0.remove(&manifest));
    if let (Some(starter), Some(solved)) = (starter, solution.0.get_mut(&manifest))
        && dependencies(&starter)? == dependencies(solved)?
    {
        *solved = starter;
    }
    Ok(solution)
}

fn dependencies(manifest: &str) -> anyhow::Result<Option<toml::Value>> {
    let mut table: Table = manifest
        .parse()
        .context("a Cargo.toml of the solution is damaged; take it from a fresh copy")?;
    Ok(table.remove(DEPENDENCIES))
}

fn patch(exercise: &Exercise, path: &str, yours: Option<&str>, solved: Option<&str>) -> String {
    let nothing = || "/dev/null".to_owned();
    let old = yours.map_or_else(nothing, |_| path.to_owned());
    let new = solved.map_or_else(nothing, |_| {
        path.replace(&exercise.exercise_folder(), &exercise.solution_folder())
            .replace(&exercise.package(), &exercise.solution())
    });
    let patch = DiffOptions::new()
        .set_original_filename(old)
        .set_modified_filename(new)
        .create_patch(yours.unwrap_or_default(), solved.unwrap_or_default())
        .to_string();
    patch + "\n"
}

fn style(line: &str) -> Style {
    match line.as_bytes() {
        [b'-', b'-', b'-', b' ', ..] | [b'+', b'+', b'+', b' ', ..] => HEADER,
        [b'@', ..] => POSITION,
        [b'-', ..] => YOURS,
        [b'+', ..] => SOLUTIONS,
        _ => Style::new(),
    }
}

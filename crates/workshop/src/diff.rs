//! `cargo workshop diff`: the attendee's files compared with the solution's. What decides the service's behaviour comes
//! first: units side by side, then code without its comments.

mod beside;

use std::collections::BTreeSet;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use anyhow::Context;
use diffy::DiffOptions;
use exercise_check::Outcome;
use similar::{ChangeTag, TextDiff};
use toml::Table;

use crate::progress::Progress;
use crate::{pager, voice};
use exercise_check::stage::Stage;
use stages::exercises::Workshop;
use stages::files::Files;
use stages::starter;
use stages::work;
use systemd_lab_cli::{note, say};
use systemd_lab_cli::{style, terminal};

/// The part of a manifest that belongs to an exercise.
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
    /// Show the solution, even if the exercise has not passed yet.
    #[arg(long)]
    spoil: bool,
    /// Show every difference as patches, including comments.
    #[arg(long)]
    full: bool,
    /// Only say which files differ, and by how many lines.
    #[arg(long, conflicts_with = "full")]
    stat: bool,
}

/// A file that differs.
struct Changed {
    /// The path of the attendee's file.
    path: String,
    yours: Option<String>,
    solved: Option<String>,
}

/// Shows the difference if the exercise has passed or the attendee wants to see it anyway.
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
             A hint: {}\nThe solution all the same: {}",
            voice::step(&format!("hint {number}"), 'h'),
            style::strong(format!("cargo workshop diff {number} --spoil"))
        );
        return Ok(Outcome::NotYet);
    }
    let mut changed = changed(&workshop.root, exercise)?;
    if changed.is_empty() {
        say!("Your files are the same as the solution, word for word.");
        return Ok(Outcome::Passed);
    }
    if !arguments.full {
        changed.retain_mut(Changed::is_behaviour);
        if changed.is_empty() {
            say!(
                "Your files differ from the solution only in comments and blank lines: {}",
                style::strong(format!("cargo workshop diff {number} --full"))
            );
            return Ok(Outcome::Passed);
        }
    }
    let (minus, plus) = (YOURS, SOLUTIONS);
    let mut text = format!(
        "Exercise {number}: {minus}- yours{minus:#}, {plus}+ the solution{plus:#}. There are other right answers.\n\n"
    );
    if arguments.stat {
        text += &stat(&changed);
        pager::show(&text, terminal::size().rows)?;
        return Ok(Outcome::Passed);
    }
    // Units matter more than code, and are shorter.
    changed.sort_by_key(|one| !one.is_unit());
    for one in &changed {
        let beside = match arguments.full {
            true => None,
            false => one.side_by_side(exercise),
        };
        let lines = beside.unwrap_or_else(|| {
            let patch = patch(
                exercise,
                &one.path,
                one.yours.as_deref(),
                one.solved.as_deref(),
            );
            let patch = patch.trim_end().lines();
            patch
                .map(|line| {
                    let style = style(line);
                    format!("{style}{line}{style:#}")
                })
                .collect()
        });
        text += &(lines.join("\n") + "\n\n");
    }
    if !arguments.full {
        text += &format!(
            "Comments are left out: {} shows them.\n",
            style::strong(format!("cargo workshop diff {number} --full"))
        );
    }
    pager::show(&text, terminal::size().rows)?;
    Ok(Outcome::Passed)
}

impl Changed {
    fn is_unit(&self) -> bool {
        self.path.starts_with("units/")
    }

    /// Removes comments and blank lines from code. Returns whether a difference remains.
    fn is_behaviour(&mut self) -> bool {
        let comment = match self.path.rsplit_once('.') {
            Some((_, "rs")) => "//",
            Some((_, "toml")) => "#",
            _ if self.is_unit() => "#",
            _ => return true,
        };
        for side in [&mut self.yours, &mut self.solved].into_iter().flatten() {
            let lines = side.lines().filter(|line| {
                let line = line.trim_start();
                !line.starts_with(comment) && (self.path.starts_with("units/") || !line.is_empty())
            });
            *side = lines.map(|line| format!("{line}\n")).collect();
        }
        let text = |side: &Option<String>| side.clone().unwrap_or_default();
        text(&self.yours) != text(&self.solved)
    }

    /// Both versions of a unit file, if both exist and the terminal is wide enough.
    fn side_by_side(&self, exercise: &Stage) -> Option<Vec<String>> {
        let (yours, solved) = (self.yours.as_ref()?, self.solved.as_ref()?);
        let solution = self.path.replace(&exercise.package(), &exercise.solution());
        let heads = (self.path.as_str(), solution.as_str());
        let columns = terminal::size().columns;
        beside::side_by_side(heads, yours, solved, columns).filter(|_| self.is_unit())
    }
}

/// A line for each file: how many lines exist in only one of the two versions.
fn stat(changed: &[Changed]) -> String {
    let width = changed.iter().map(|one| one.path.len()).max().unwrap_or(0);
    let lines = changed.iter().map(|one| {
        let (yours, solved) = (
            one.yours.clone().unwrap_or_default(),
            one.solved.clone().unwrap_or_default(),
        );
        let diff = TextDiff::from_lines(&yours, &solved);
        let count = |tag| diff.iter_all_changes().filter(|it| it.tag() == tag).count();
        let (removed, added) = (count(ChangeTag::Delete), count(ChangeTag::Insert));
        format!(
            "{:width$}  {YOURS}-{removed}{YOURS:#}  {SOLUTIONS}+{added}{SOLUTIONS:#}\n",
            one.path
        )
    });
    lines.collect()
}

/// All files that differ.
fn changed(root: &Path, exercise: &Stage) -> anyhow::Result<Vec<Changed>> {
    let solution = solution(root, exercise)?;
    let work = work::read(root, exercise)?;
    let paths: BTreeSet<&String> = solution.0.keys().chain(work.keys()).collect();
    let all = paths.into_iter().map(|path| Changed {
        path: path.clone(),
        yours: work
            .get(path)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
        solved: solution.0.get(path).cloned(),
    });
    Ok(all.filter(|one| one.yours != one.solved).collect())
}

/// The solution under the exercise's name. Its manifest also says where the check is, which is not part of the
/// exercise: if that is the only difference, the starter's manifest is used instead.
fn solution(root: &Path, exercise: &Stage) -> anyhow::Result<Files> {
    let mut solution = starter::solution_as_exercise(root, exercise)?;
    let manifest = format!("{}/Cargo.toml", exercise.exercise_folder());
    // An edited solution has no starter, but can be shown anyway.
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

fn patch(exercise: &Stage, path: &str, yours: Option<&str>, solved: Option<&str>) -> String {
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

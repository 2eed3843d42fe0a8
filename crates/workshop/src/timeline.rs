//! `cargo workshop timeline`: the full timeline of the last check of an exercise, as text or as a picture.
//!
//! It runs nothing: it reads the report of the last check.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use exercise_check::report::{Report, Run};
use systemd_lab::fold::{Foldable, Folded, folded};
use systemd_lab::protocol::Event;
use systemd_lab::{Picture, Timeline, clock_time, describe, picture, visible, visible_lines};

use crate::check::first_open;
use crate::pager;
use exercise_check::stage::Stage;
use stages::exercises::Workshop;
use systemd_lab_cli::WrongUsage;
use systemd_lab_cli::{output, say};
use systemd_lab_cli::{shortened, style, terminal};

/// The full timeline of the last check of an exercise.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The exercise's number, e.g. 04. Default: the one that was checked last.
    exercise: Option<String>,
    /// Write a picture to this file instead; `-` is standard output. Shows the run that the first unmet requirement
    /// looked at, else all.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Replace the file that --svg names, even if the lab did not write it.
    #[arg(long, requires = "svg")]
    force: bool,
    /// Only the scenarios with all of these words in their names. Without it: the one that the first unmet requirement looked
    /// at, else all.
    #[arg(long, value_name = "WORDS", alias = "run")]
    scenario: Option<String>,
    /// Only events of units with this in their names, in all scenarios.
    #[arg(long, value_name = "UNIT", conflicts_with = "svg")]
    unit: Option<String>,
    /// Only lines that contain this text, in all scenarios. Case does not matter.
    #[arg(long, value_name = "TEXT", conflicts_with = "svg")]
    grep: Option<String>,
    /// Show every line: fold nothing that repeats, and leave nothing out.
    #[arg(long, conflicts_with = "svg")]
    full: bool,
}

/// An event in the form that people see, with a number to refer to it.
pub(crate) struct Line<'a> {
    /// Counted over all runs of a report, from 1.
    pub(crate) number: usize,
    /// Whole seconds since the run's scenario began.
    seconds: u64,
    /// The same, exactly.
    at: Duration,
    pub(crate) event: &'a Event,
    /// What happened.
    pub(crate) text: String,
}

impl Line<'_> {
    /// Everything except number and time.
    pub(crate) fn words(&self) -> String {
        format!("{} {}", self.unit(), self.text)
            .trim_start()
            .to_owned()
    }

    fn unit(&self) -> &str {
        self.event.unit.as_deref().unwrap_or("")
    }
}

impl Foldable for Line<'_> {
    fn at(&self) -> Duration {
        self.at
    }

    fn unit(&self) -> &str {
        Line::unit(self)
    }

    fn text(&self) -> String {
        self.text.clone()
    }
}

/// Shows it.
pub(crate) fn run(workshop: &Workshop, arguments: &Arguments) -> anyhow::Result<()> {
    let exercise = chosen(workshop, arguments.exercise.as_deref())?;
    if let Some(file) = &arguments.svg {
        output::ensure_writable(file, &[workshop.report(exercise)], arguments.force)?;
    }
    let report = read(workshop, exercise)?;
    let mut wanted = wanted(&report, exercise, arguments.scenario.as_deref())?;
    let mut is_about_unmet = false;
    let is_everywhere = arguments.unit.is_some() || arguments.grep.is_some();
    if arguments.scenario.is_none()
        && !is_everywhere
        && let Some(unmet) = first_unmet(&report)
    {
        wanted = vec![unmet];
        is_about_unmet = true;
    }
    if let Some(file) = &arguments.svg {
        write_picture(file, &drawn(exercise, &wanted)?);
        return Ok(());
    }
    let number = &exercise.number;
    let mut text = text(&report, &wanted, arguments);
    if text.is_empty() {
        return Err(WrongUsage(
            "no line is like that; leave out --unit or --grep to see what there is".to_owned(),
        )
        .into());
    }
    if is_about_unmet {
        text = difference(&report) + &text;
    }
    text += &others(&report, &wanted, exercise);
    let shell = format!("cargo workshop shell {number} --at NUMBER");
    text += &format!(
        "\nLook around at one of these moments: {}\n",
        style::strong(shell)
    );
    pager::show(&text, terminal::size().rows)
}

/// Everything that `check` may have had no room for. A requirement may also look at things that are not events, e.g. what
/// systemd-analyze says.
fn difference(report: &Report) -> String {
    let columns = terminal::size().columns;
    let difference = first_open(report).map_or("", |verdict| verdict.difference.trim_end());
    let difference = visible_lines(difference);
    let lines = difference.lines().flat_map(|line| {
        let pieces = style::broken(line, columns).into_iter();
        pieces.map(move |piece| style::of_difference(line, &piece) + "\n")
    });
    let mut text: String = lines.collect();
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// The scenarios that are not shown, and how to see them.
fn others(report: &Report, wanted: &[&Run], exercise: &Stage) -> String {
    let others: Vec<&Run> = report
        .runs
        .iter()
        .filter(|run| !wanted.iter().any(|wanted| std::ptr::eq(*wanted, *run)))
        .collect();
    if others.is_empty() {
        return String::new();
    }
    let names: String = others
        .iter()
        .map(|run| format!("  {}\n", visible(name(run))))
        .collect();
    let command = format!(
        "cargo workshop timeline {} --scenario WORDS",
        exercise.number
    );
    format!(
        "\nOther scenarios of this check ({}):\n\n{names}",
        style::strong(command)
    )
}

/// The exercise with this number, otherwise the one that was checked last.
fn chosen<'a>(workshop: &'a Workshop, number: Option<&str>) -> anyhow::Result<&'a Stage> {
    if let Some(number) = number {
        return Ok(workshop.exercise(number)?);
    }
    let checked = workshop.exercises.iter().filter_map(|exercise| {
        let written = fs::metadata(workshop.report(exercise)).and_then(|it| it.modified());
        Some((written.ok()?, exercise))
    });
    let last = checked.max_by_key(|(written, _)| *written);
    let (_, exercise) = last.ok_or_else(|| {
        WrongUsage("no exercise was checked yet; type: cargo workshop check".to_owned())
    })?;
    Ok(exercise)
}

pub(crate) fn read(workshop: &Workshop, exercise: &Stage) -> anyhow::Result<Report> {
    let number = &exercise.number;
    let file = workshop.report(exercise);
    let text = match fs::read_to_string(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(WrongUsage(format!(
                "exercise {number} was not checked yet; type: cargo workshop check {number}"
            ))
            .into());
        }
        text => text.with_context(|| format!("cannot read {}; check again", file.display()))?,
    };
    let report = Report::parse(&text)
        // Its message already contains its cause.
        .map_err(|error| anyhow::anyhow!("exercise {number}: {error}"))?;
    if report.runs.is_empty() {
        return Err(nothing_ran(exercise).into());
    }
    Ok(report)
}

fn nothing_ran(exercise: &Stage) -> WrongUsage {
    let number = &exercise.number;
    WrongUsage(format!(
        "nothing ran in the last check of exercise {number}; type: cargo workshop check {number}"
    ))
}

/// The runs with all of these words in their names.
fn wanted<'a>(
    report: &'a Report,
    exercise: &Stage,
    words: Option<&str>,
) -> Result<Vec<&'a Run>, WrongUsage> {
    let words = words.unwrap_or_default();
    let has_all_words = |run: &&Run| {
        let name = run.scenario.name.to_lowercase();
        words
            .to_lowercase()
            .split_whitespace()
            .all(|word| name.contains(word))
    };
    let wanted: Vec<&Run> = report.runs.iter().filter(has_all_words).collect();
    if wanted.is_empty() {
        let names: Vec<&str> = report.runs.iter().map(name).collect();
        return Err(WrongUsage(format!(
            "no scenario of exercise {} has \"{words}\" in its name; there are: {}",
            exercise.number,
            names.join("; ")
        )));
    }
    Ok(wanted)
}

/// The run that the first unmet requirement looked at, if that was a run in the lab.
pub(crate) fn first_unmet(report: &Report) -> Option<&Run> {
    let first = first_open(report)?;
    let run = report.run(first.scenario.as_deref()?)?;
    run.timeline.is_some().then_some(run)
}

fn name(run: &Run) -> &str {
    &run.scenario.name
}

/// All runs of a report with the lines of each.
pub(crate) fn numbered(report: &Report) -> Vec<(&Run, Vec<Line<'_>>)> {
    let mut number = 0;
    let mut runs = Vec::new();
    for run in &report.runs {
        let lines = run.timeline.as_ref().map(|it| lines(it, &mut number));
        runs.push((run, lines.unwrap_or_default()));
    }
    runs
}

fn lines<'a>(timeline: &'a Timeline, number: &mut usize) -> Vec<Line<'a>> {
    let times = timeline.seconds();
    let events = timeline.events().iter().zip(times);
    events
        .filter_map(|(event, seconds)| {
            let text = describe(&event.kind)?;
            *number += 1;
            Some(Line {
                number: *number,
                seconds,
                at: timeline.time_of(event),
                event,
                text,
            })
        })
        .collect()
}

fn text(report: &Report, wanted: &[&Run], arguments: &Arguments) -> String {
    let mut text = String::new();
    let grep = arguments.grep.as_ref().map(|it| it.to_lowercase());
    let is_wanted = |line: &Line<'_>| {
        let unit = arguments.unit.as_ref();
        unit.is_none_or(|unit| line.unit().contains(unit.as_str()))
            && grep
                .as_ref()
                .is_none_or(|grep| line.words().to_lowercase().contains(grep.as_str()))
    };
    let is_everything = arguments.unit.is_none() && grep.is_none();
    for (run, mut lines) in numbered(report) {
        lines.retain(is_wanted);
        if lines.is_empty() && !is_everything {
            continue;
        }
        if !wanted.iter().any(|wanted| std::ptr::eq(*wanted, run)) {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text += &format!("{}\n\n", visible(name(run)));
        if let Some(error) = &run.error {
            text += &format!("  The lab failed: {}\n", visible_lines(error));
        } else if lines.is_empty() {
            text += "  Nothing happened.\n";
        }
        text += &told(&lines, arguments.full);
    }
    text
}

/// The lines of a run. Lines that are folded or left out keep their numbers, and the text names them.
fn told(lines: &[Line<'_>], full: bool) -> String {
    let widest = |of: &dyn Fn(&Line<'_>) -> usize| lines.iter().map(of).max().unwrap_or(0);
    let number_width = widest(&|line| line.number.to_string().len());
    let time_width = widest(&|line| clock_time(line.seconds).len());
    let unit_width = widest(&|line| line.unit().len());
    let row = |line: &Line<'_>| {
        format!(
            "  {:>number_width$}  {:>time_width$}  {:unit_width$}  {}",
            line.number,
            clock_time(line.seconds),
            line.unit(),
            line.text
        )
    };
    let columns = terminal::size().columns;
    let row = |line: &Line<'_>| style::broken(&row(line), columns).join("\n");
    if full {
        return lines.iter().map(|line| row(line) + "\n").collect();
    }
    // A row, and the numbers of its lines.
    let rows: Vec<(String, usize, usize)> = folded(lines)
        .into_iter()
        .map(|one| match one {
            Folded::Line(line) => (row(line), line.number, line.number),
            Folded::Same {
                lines,
                times,
                left_out,
            } => {
                let [first, last] =
                    [left_out.first(), left_out.last()].map(|it| it.map_or(0, |line| line.number));
                let note = shortened::same_again(lines, times, left_out);
                let note = format!("  {:>number_width$}  {note} (lines {first} to {last})", "");
                (style::faint(note), first, last)
            }
        })
        .collect();
    let texts: Vec<String> = rows.iter().map(|(text, ..)| text.clone()).collect();
    shortened::ends(&texts, |left_out| {
        let (_, first, _) = rows[left_out.start];
        let (_, _, last) = rows[left_out.end - 1];
        format!("lines {first} to {last}")
    })
}

fn drawn(exercise: &Stage, runs: &[&Run]) -> Result<String, WrongUsage> {
    let pictures: Vec<(Picture, &Timeline)> = runs
        .iter()
        .filter_map(|run| Some((run, run.timeline.as_ref()?)))
        .map(|(run, timeline)| {
            let title = format!("Exercise {}: {}", exercise.number, name(run));
            (Picture::everything(timeline).title(&title), timeline)
        })
        .collect();
    if pictures.is_empty() {
        return Err(nothing_ran(exercise));
    }
    Ok(picture::column(&pictures))
}

fn write_picture(file: &Path, svg: &str) {
    if output::write(file, svg) {
        say!("{} is written; a browser shows it.", file.display());
    }
}

//! What the guide shows of the stages: runs that the checks make of solutions and starters, and what a check says about a starter.
//!
//! Timelines are reduced to what their pictures show ([`Picture::essence`]).
//! Solution and starter get the exercise's name, because attendees see `exercise-05.service`.

mod items;

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use exercise_check::Outcome;
use exercise_check::report::Report;
use exercise_check::stage::Stage;
use measured::Measured;
use stages::starter;
use systemd_lab::{Picture, Timeline};

use super::bench::{Bench, executable};
use super::item::Item;
use crate::judge::{CHECK, Check, Found, Tests};
use crate::overlay::Overlay;
use items::{ITEMS, MAIN_UNIT, Shown, Whose};

/// A check of a stage, and the files that show parts of it.
type Source = (&'static str, Whose);

/// One item for each run of a check.
pub(super) fn items() -> Vec<Item> {
    let mut sources: Vec<Source> = ITEMS.iter().map(|item| (item.stage, item.whose)).collect();
    sources.sort();
    sources.dedup();
    let of_source = |source: Source| {
        let names = of(source).map(items::Item::file_name);
        Item::files(names, move |bench| measure(bench, source))
    };
    sources.into_iter().map(of_source).collect()
}

fn of(source: Source) -> impl Iterator<Item = &'static items::Item> {
    let items = ITEMS.iter();
    items.filter(move |item| (item.stage, item.whose) == source)
}

fn measure(bench: &Bench<'_>, source: Source) -> anyhow::Result<Vec<Measured>> {
    let (stage, whose) = source;
    let mut exercises = bench.workshop.exercises.iter();
    let exercise = exercises.find(|exercise| exercise.folder() == stage);
    let exercise = exercise.with_context(|| format!("there is no stage {stage}"))?;
    let mut check = check(bench, exercise)?;
    let mut requirements: Vec<String> = of(source).map(|item| item.requirement.into()).collect();
    requirements.sort();
    requirements.dedup();
    check.tests = Tests::Named(requirements);
    if whose == Whose::Starter {
        let (binary, files) = starter(bench, exercise)?;
        check.binary = Some(binary);
        check.files = Some(files);
    }
    let (found, report) = check.run_with_report()?;
    match (found, whose) {
        (Found::Nothing, _) | (Found::NotYet(_), Whose::Starter) => {}
        (found, _) => bail!("the check of {stage} found: {found}"),
    }
    of(source)
        .map(|item| file(item, exercise, &report))
        .collect()
}

/// The executable of the solution's check.
fn check(bench: &Bench<'_>, exercise: &Stage) -> anyhow::Result<Check> {
    let package = exercise.solution();
    let built = bench.build(&["--package", &package, "--bins", "--test", CHECK])?;
    let known = bench.workspace.package(&package);
    let known = known.with_context(|| format!("there is no package {package}"))?;
    Ok(Check {
        executable: executable(&built, &known.manifest, CHECK)?,
        folder: bench.root().join(exercise.solution_folder()),
        binary: None,
        files: None,
        tests: Tests::All,
    })
}

/// The starter's binary and files, under the solution's names. It does not matter how the exercise was edited in this clone.
fn starter(bench: &Bench<'_>, exercise: &Stage) -> anyhow::Result<(PathBuf, PathBuf)> {
    let files = starter::read_as_solution(bench.root(), exercise)?;
    let name = format!("starter-{}", exercise.number);
    let mut overlay = Overlay::new(bench.private("starters").join(&exercise.number));
    overlay.add(bench.root(), &name, &exercise.solution_folder(), &files)?;
    let built = overlay.build(bench.root(), &bench.workspace.target)?;
    let binary = overlay
        .binary(&built, &name)
        .map_err(|why| anyhow::anyhow!("{name} {why}"))?;
    let folder = bench.private("files").join(&name);
    files.write("", &folder)?;
    Ok((binary.to_owned(), folder))
}

fn file(item: &items::Item, exercise: &Stage, report: &Report) -> anyhow::Result<Measured> {
    let own = exercise.solution();
    let called = |text: &str| text.replace(&own, &exercise.package());
    let name = item.file_name();
    match item.shown {
        Shown::Timeline {
            scenario,
            units,
            until,
        } => {
            let run = report.run(scenario);
            let timeline = run.and_then(|run| run.timeline.as_ref());
            let timeline = timeline.with_context(|| {
                let runs = report.runs.iter();
                let runs: Vec<&str> = runs.map(|run| run.scenario.name.as_str()).collect();
                format!("no run `{scenario}` among {runs:?}; correct items.rs")
            })?;
            let units: Vec<String> = units
                .iter()
                .map(|unit| format!("{own}{unit}").replace(MAIN_UNIT, &format!("{own}.service")))
                .collect();
            let units: Vec<&str> = units.iter().map(String::as_str).collect();
            let timeline = until.map_or_else(|| timeline.clone(), |label| timeline.before(label));
            let essence = Picture::of(&units).essence(&timeline);
            ensure!(
                essence.events().iter().any(|event| event.unit.is_some()),
                "nothing happens to {units:?} in the run `{scenario}`; correct items.rs"
            );
            let essence = measured::parse(&called(&essence.to_json_lines()));
            Ok(Measured::timeline(
                &name,
                essence.map_err(anyhow::Error::msg)?,
            ))
        }
        Shown::Finding => {
            let mut verdicts = report.verdicts.iter();
            let open = verdicts.find(|verdict| verdict.outcome == Outcome::NotYet);
            let open = open.context("the starter passes; correct items.rs")?;
            text_file(&name, &called(open.report().trim()), report)
        }
        Shown::Review(scenario) => {
            let mut reviews = report.reviews.iter();
            let review = reviews.find(|review| review.scenario == scenario);
            let review =
                review.with_context(|| format!("no review of `{scenario}`; correct items.rs"))?;
            text_file(&name, &called(review.text.trim_end()), report)
        }
    }
}

/// A text, with what it was measured with.
fn text_file(name: &str, text: &str, report: &Report) -> anyhow::Result<Measured> {
    let timelines = report.runs.iter().filter_map(|run| run.timeline.as_ref());
    let with = timelines.filter_map(Timeline::measured_with).next();
    let with = with.context("no run says what it was measured with")?;
    Ok(Measured::text(name, &format!("{text}\n"), &with))
}

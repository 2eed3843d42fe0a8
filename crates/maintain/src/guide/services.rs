//! The runs that the guide's pages "For your services" show. They are plans in `examples/services`, and run as a reader would run them.
//!
//! `runs.rs` lists the plans and what the guide shows of each; `tables.rs` makes a table from what services log.

mod runs;
mod tables;

use std::fs;

use anyhow::{Context, ensure};
use measured::Measured;
use systemd_lab::protocol::{Event, EventKind};
use systemd_lab::{Picture, Timeline};

use super::bench::Bench;
use super::item::Item;
use runs::{RUNS, Run, Shown};

/// A package outside the workspace, which stands for a reader's own.
const FOLDER: &str = "examples/services";

/// Where the plans expect their programs.
const TARGET: &str = "examples/services/target";

/// sysvinit's `init`, which no guest has: its package cannot be installed beside systemd's.
const INIT: &str = "examples/services/target/sysvinit/init";

/// Parts of what a run prints that pages show.
const PARTS: [&str; 2] = ["\nFindings\n", "\nSummary\n"];

pub(super) fn items() -> Vec<Item> {
    let mut items: Vec<Item> = RUNS.iter().map(item).collect();
    items.extend(tables::items());
    items
}

fn item(run: &'static Run) -> Item {
    let names: Vec<String> = run.shown.iter().map(|one| one.file(run.plan)).collect();
    let item = Item::files(names, move |bench| files(bench, run));
    with_needs(item, run.plan)
}

/// The beginnings of plans that need a guest with packages, or a program that is downloaded.
const NEED_A_NETWORK: [&str; 3] = ["runit/", "sysvinit/", "short/linger"];

fn with_needs(item: Item, plan: &str) -> Item {
    match NEED_A_NETWORK.iter().any(|begin| plan.starts_with(begin)) {
        true => item.with_network(),
        false => item,
    }
}

/// What the pages show of a run.
fn files(bench: &Bench<'_>, run: &Run) -> anyhow::Result<Vec<Measured>> {
    prepare(bench, run.plan)?;
    let timeline = timeline(bench, run.plan)?;
    let with = timeline
        .measured_with()
        .context("the run does not say what it was measured with")?;
    let mut files = Vec::new();
    for shown in run.shown {
        let name = shown.file(run.plan);
        files.push(match shown {
            Shown::Timeline(units) => {
                let essence = Picture::of(units).logs().essence(&timeline);
                Measured::timeline(&name, essence)
            }
            Shown::Findings => Measured::text(&name, &findings(bench, run.plan)?, &with),
            Shown::Said => Measured::text(&name, &said(&timeline), &with),
        });
    }
    Ok(files)
}

/// Everything that happened in the run of a plan.
fn timeline(bench: &Bench<'_>, plan: &str) -> anyhow::Result<Timeline> {
    let text = printed(bench, plan, &["--json"])?;
    let mut document: serde_json::Value = serde_json::from_str(&text)?;
    let events: Vec<Event> = serde_json::from_value(document["timeline"].take())?;
    Ok(Timeline::new(events))
}

/// What the command prints after the timeline.
fn findings(bench: &Bench<'_>, plan: &str) -> anyhow::Result<String> {
    let text = printed(bench, plan, &[])?;
    let begin = PARTS.iter().find_map(|part| text.find(part));
    let begin = begin.with_context(|| format!("{plan}: neither findings nor a summary: {text}"))?;
    Ok(text[begin..].trim_start().to_owned())
}

/// Each command of `run=` that printed something, with its output.
fn said(timeline: &Timeline) -> String {
    let commands = timeline.events().iter();
    let commands = commands.filter_map(|event| match &event.kind {
        EventKind::Command { argv, output, .. } if !output.trim().is_empty() => {
            let command = argv.last().map_or("", String::as_str);
            Some(format!("$ {command}\n{}\n", output.trim_end()))
        }
        _ => None,
    });
    commands.collect()
}

fn printed(bench: &Bench<'_>, plan: &str, more: &[&str]) -> anyhow::Result<String> {
    let path = format!("{FOLDER}/{plan}.toml");
    let mut arguments = vec!["--plan", &path];
    arguments.extend_from_slice(more);
    let output = bench.run(&arguments)?;
    // A unit that systemd refuses is wrong usage, but its timeline is printed.
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        matches!(output.status.code(), Some(0 | 2)) && !output.stdout.is_empty(),
        "`cargo workshop run --plan {path}` ended with {}: {errors}",
        output.status
    );
    String::from_utf8(output.stdout).context("what it prints is not text")
}

/// Builds the programs where the plans look for them.
fn prepare(bench: &Bench<'_>, plan: &str) -> anyhow::Result<()> {
    let manifest = format!("{FOLDER}/Cargo.toml");
    let arguments = ["--manifest-path", &manifest, "--target-dir", TARGET];
    bench.build(&arguments)?;
    if plan == runs::RELEASE_BUILD {
        let [first, second, third, fourth] = arguments;
        bench.build(&[first, second, third, fourth, "--release"])?;
    }
    if plan.starts_with("sysvinit/") {
        provide_init(bench)?;
    }
    Ok(())
}

/// The page says how to take it from Debian's package by hand.
fn provide_init(bench: &Bench<'_>) -> anyhow::Result<()> {
    let init = bench.root().join(INIT);
    if init.is_file() {
        return Ok(());
    }
    let program = bench
        .lab()?
        .program_of_package("sysvinit-core", "usr/sbin/init")?;
    let parent = init.parent().context("it is in a folder")?;
    fs::create_dir_all(parent)?;
    // It gets its name once it is complete, because items run at the same time.
    let folder = tempfile::tempdir_in(parent)?;
    let copy = folder.path().join("copy");
    fs::copy(program, &copy)?;
    fs::rename(copy, init)?;
    Ok(())
}

//! `cargo workshop doctor`: what the lab needs. With `--all`, whether this machine has everything that an attendee will need, in one line:
//! for a loop over the machines of a room.

use anyhow::Context;
use stages::cargo;
use stages::exercises::Workshop;
use systemd_lab::doctor::{self, Finding, Remedy, State};
use systemd_lab::{Lab, visible};
use systemd_lab_cli::{ExitStatus, say};

use crate::book;
use crate::check::process;

/// What is named when nothing is wrong.
const WORTH_NAMING: [&str; 4] = ["versions", "self-test", "exercises", "guide"];

/// The command that fixes everything that can be fixed.
const FIX: &str = "cargo workshop doctor --all --fix";

/// Its arguments.
#[derive(clap::Args)]
// The arguments that it takes in have a group of the same name.
#[group(skip)]
pub(crate) struct Arguments {
    #[command(flatten)]
    lab: systemd_lab_cli::doctor::Arguments,
    /// Also check that every exercise is compiled and the guide is built, and print one line. With --fix, do that first.
    #[arg(long)]
    all: bool,
}

/// Checks the lab, or everything.
pub(crate) fn run(workshop: &Workshop, arguments: &Arguments) -> anyhow::Result<ExitStatus> {
    match arguments.all {
        true => everything(workshop, arguments.lab.fix),
        // The guide can be read without mdBook, so its absence is not an error.
        false => systemd_lab_cli::doctor::run(&arguments.lab, &[book::finding(workshop)]),
    }
}

/// Checks everything, and prints one line that begins with the machine's name.
fn everything(workshop: &Workshop, fix: bool) -> anyhow::Result<ExitStatus> {
    if fix {
        set_up(workshop)?;
    }
    let mut findings = doctor::examine();
    findings.push(exercises(workshop)?);
    findings.push(book::built(workshop));
    let machine = rustix::system::uname();
    let machine = visible(&machine.nodename().to_string_lossy());
    let bad: Vec<&Finding> = findings.iter().filter(|it| it.state.is_bad()).collect();
    if bad.is_empty() {
        let good = findings.iter().filter(|it| is_worth_naming(it));
        // The first of the facts that a detail has.
        let first = |named: String| named.split(';').next().unwrap_or_default().to_owned();
        let good: Vec<String> = good.map(named).map(first).collect();
        say!("{machine}: ready: {}", good.join("; "));
        return Ok(ExitStatus::Passed);
    }
    let bad: Vec<String> = bad.into_iter().map(with_remedy).collect();
    say!("{machine}: NOT READY: {}", bad.join("; "));
    Ok(ExitStatus::LabBroken)
}

/// Sets up the lab, compiles every exercise, and builds the guide: what is there already takes no time.
fn set_up(workshop: &Workshop) -> anyhow::Result<()> {
    Lab::options().repaired().open()?;
    for exercise in &workshop.exercises {
        let package = exercise.package();
        let status = cargo::cargo(&workshop.root)
            .args(process::compile_arguments(&package))
            .status()
            .context("cannot run cargo")?;
        // A check that follows reports which exercise did not build.
        if !status.success() {
            break;
        }
    }
    if book::built(workshop).state.is_bad() {
        book::build(workshop)?;
    }
    Ok(())
}

/// Whether cargo has compiled what a check of each exercise needs.
fn exercises(workshop: &Workshop) -> anyhow::Result<Finding> {
    let finding = |state, detail: String| Finding {
        name: "exercises",
        state,
        detail,
        remedy: Some(Remedy::Type(FIX.to_owned())),
    };
    for exercise in &workshop.exercises {
        let package = exercise.package();
        let arguments = process::compile_arguments(&package);
        if let Some(why) = cargo::not_built(&workshop.root, &arguments)? {
            let detail = match why.starts_with(&package) {
                true => why,
                false => format!("{package}: {why}"),
            };
            return Ok(finding(State::Missing, detail));
        }
    }
    let number = workshop.exercises.len();
    Ok(finding(State::Good, format!("{number} compiled")))
}

fn is_worth_naming(finding: &Finding) -> bool {
    finding.state == State::Good && WORTH_NAMING.contains(&finding.name)
}

/// A finding on one line.
fn named(finding: &Finding) -> String {
    let detail: Vec<&str> = finding.detail.split_whitespace().collect();
    format!("{} {}", finding.name, visible(&detail.join(" ")))
}

fn with_remedy(finding: &Finding) -> String {
    let named = named(finding);
    match &finding.remedy {
        None => named,
        Some(Remedy::SetUp) => format!("{named} (type: {FIX})"),
        Some(Remedy::Type(command)) => format!("{named} (type: {command})"),
        Some(Remedy::Advice(advice)) => format!("{named} ({advice})"),
    }
}

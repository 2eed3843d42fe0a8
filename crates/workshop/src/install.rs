//! `cargo workshop install` and `uninstall`: an exercise on this host itself, if systemd runs it.
//!
//! They only overwrite or remove files that are in the record of an exercise.

mod host;
mod record;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::Context;
use exercise_check::Outcome;

use exercise_check::stage::Stage;
use host::{as_root, is_root, loaded_units, runs_systemd};
use record::Record;
use stages::cargo::{BuildFailed, PackageFolder, executable};
use stages::exercises::Workshop;
use stages::work;
use systemd_lab_cli::WrongUsage;
use systemd_lab_cli::style::spinner;
use systemd_lab_cli::{note, output, put, say};

/// Where the exercises' units look for their programs.
const BINARIES: &str = "/usr/local/bin";

/// For units of the administrator: systemd.unit(5), "Unit File Load Path".
const UNITS: &str = "/etc/systemd/system";

const RECORDS: &str = "/var/lib/cargo-workshop";

/// States in which units can be stopped: `activating` includes the wait for a restart.
const RUNNING: &str = "--state=active,reloading,activating,deactivating";

const FAILED: &str = "--state=failed";

/// The types of units that may belong to a service: systemd.unit(5).
const TYPES: [&str; 6] = [
    ".service", ".socket", ".timer", ".path", ".target", ".slice",
];

/// Drop-ins are in folders with the name of their unit plus this suffix: systemd.unit(5).
const DROP_INS: (&str, &str) = (".d/", ".conf");

/// The arguments of `install`.
#[derive(clap::Args)]
pub(crate) struct InstallArguments {
    /// Its number, e.g. 04.
    exercise: String,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// The arguments of `uninstall`.
#[derive(clap::Args)]
pub(crate) struct UninstallArguments {
    /// Its number, e.g. 04.
    exercise: String,
}

/// A file that should be on the host.
struct Planned {
    from: PathBuf,
    to: String,
    mode: &'static str,
}

/// Builds and installs the exercise, if the attendee agrees.
///
/// # Errors
///
/// [`WrongUsage`] when it must not be installed.
pub(crate) fn install(
    workshop: &Workshop,
    arguments: &InstallArguments,
) -> anyhow::Result<Outcome> {
    let exercise = workshop.exercise(&arguments.exercise)?;
    if !runs_systemd() {
        let number = &exercise.number;
        return refuse(format!(
            "`install` puts exercise {number} on this very machine, for those whose machine runs systemd; this one \
             does not\n\n`cargo workshop shell {number}` opens a shell where systemd runs it"
        ));
    }
    let binary = match build(workshop, exercise)? {
        Ok(binary) => binary,
        Err(failed) => {
            note!("{}", failed.text());
            match &failed {
                BuildFailed::OfPackage(_) => {
                    say!("DID NOT BUILD: the first message above says why.")
                }
                BuildFailed::OfLab(_) => say!("{}", failed.headline()),
            }
            return Ok(failed.outcome());
        }
    };
    let planned = plan(&workshop.root, exercise, binary)?;
    let mut record = Record::read(exercise)?;
    let is_strange = |file: &&Planned| {
        !record.files.contains(&file.to) && Path::new(&file.to).symlink_metadata().is_ok()
    };
    if let Some(strange) = planned.iter().find(is_strange) {
        return refuse(format!(
            "{} exists, and this command did not write it: nothing was done; move it elsewhere if you do not need it",
            strange.to
        ));
    }
    let is_update = record.exists();
    let is_planned = |path: &&String| planned.iter().any(|file| file.to == **path);
    let stale: Vec<String> = record
        .files
        .iter()
        .filter(|path| !is_planned(path))
        .cloned()
        .collect();
    show_plan(exercise, &planned, &record.path, &stale);
    if !arguments.yes {
        if !std::io::stdin().is_terminal() {
            return refuse(
                "nothing was done: there is no terminal for the question; `--yes` skips it".into(),
            );
        }
        if !confirm()? {
            return Ok(Outcome::Passed);
        }
    }
    // Written before the files: whatever happens in between, every installed file is in a record.
    record
        .files
        .extend(planned.iter().map(|file| file.to.clone()));
    record.write()?;
    for file in &planned {
        let from = file.from.to_string_lossy();
        as_root(&["install", "-D", "-m", file.mode, from.as_ref(), &file.to])?;
    }
    if !stale.is_empty() {
        take_away(&stale)?;
        record.files.retain(|path| !stale.contains(path));
        record.write()?;
    }
    as_root(&["systemctl", "daemon-reload"])?;
    show_next(exercise, is_update);
    Ok(Outcome::Passed)
}

fn refuse(why: String) -> anyhow::Result<Outcome> {
    Err(WrongUsage(why).into())
}

/// Stops its units and removes every recorded file.
pub(crate) fn uninstall(workshop: &Workshop, arguments: &UninstallArguments) -> anyhow::Result<()> {
    let exercise = workshop.exercise(&arguments.exercise)?;
    let record = Record::read(exercise)?;
    if !record.exists() {
        say!(
            "Exercise {} is not installed on this machine.",
            exercise.number
        );
        return Ok(());
    }
    take_away(&record.files.iter().cloned().collect::<Vec<String>>())?;
    record.remove()?;
    say!(
        "\nExercise {} is no longer on this machine.",
        exercise.number
    );
    Ok(())
}

/// Removes files, and makes systemd forget the units among them.
fn take_away(paths: &[String]) -> anyhow::Result<()> {
    let units = record::units(paths);
    let patterns: Vec<String> = units.iter().map(|unit| pattern(unit)).collect();
    // There may be a record even if the machine has a different service manager now.
    let has_units = !units.is_empty() && runs_systemd();
    if has_units {
        stop(&units, &patterns)?;
    }
    remove_files(paths)?;
    if has_units {
        as_root(&["systemctl", "daemon-reload"])?;
        let failed = loaded_units(&patterns, FAILED)?;
        run_for("reset-failed", &failed)?;
    }
    Ok(())
}

fn build(workshop: &Workshop, exercise: &Stage) -> anyhow::Result<Result<PathBuf, BuildFailed>> {
    let package = exercise.package();
    let arguments = ["build", "--package", &package, "--bin", &package];
    let colours = std::io::stderr().is_terminal();
    let building = spinner("Building");
    let folder = format!("exercises/{}", exercise.folder());
    let own = PackageFolder {
        name: &package,
        folder: &folder,
    };
    let built = executable(
        &workshop.root,
        &own,
        &arguments,
        &package,
        colours,
        &mut |_| {},
    );
    building.finish_and_clear();
    Ok(built?.map(|built| built.path))
}

fn plan(root: &Path, exercise: &Stage, binary: PathBuf) -> anyhow::Result<Vec<Planned>> {
    let mut planned = vec![Planned {
        from: binary,
        to: format!("{BINARIES}/{}", exercise.package()),
        mode: "755",
    }];
    for path in work::units(root, exercise)?.into_keys() {
        let name = path.strip_prefix("units/").unwrap_or(&path);
        if !is_read_by_systemd(name) {
            continue;
        }
        planned.push(Planned {
            to: format!("{UNITS}/{name}"),
            from: root.join(&path),
            mode: "644",
        });
    }
    Ok(planned)
}

/// This excludes, for example, an editor's backup of a unit.
fn is_read_by_systemd(name: &str) -> bool {
    let is_unit = |name: &str| TYPES.iter().any(|end| name.ends_with(end));
    match name.split_once(DROP_INS.0) {
        Some((unit, file)) => is_unit(unit) && file.ends_with(DROP_INS.1) && !file.contains('/'),
        None => is_unit(name) && !name.contains('/'),
    }
}

fn show_plan(exercise: &Stage, planned: &[Planned], record: &str, stale: &[String]) {
    let sudo = if is_root() { "" } else { ", with sudo" };
    say!(
        "Exercise {} on this machine: these files will be written{sudo}:\n",
        exercise.number
    );
    for file in planned {
        say!("    {}", file.to);
    }
    say!("    {record} (this list, for `uninstall`)");
    if !stale.is_empty() {
        say!("\nand these older files will be removed, and their units stopped:\n");
        for path in stale {
            say!("    {path}");
        }
    }
    say!("\nThen systemd reads its units again. Nothing is started.\n");
}

/// Asks on the terminal.
fn confirm() -> anyhow::Result<bool> {
    put!("Go on? [y/N] ");
    output::flush();
    if output::is_unseen() {
        return Ok(false);
    }
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .context("cannot read your answer")?;
    let agreed = ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
    if !agreed {
        say!("Nothing was done.");
    }
    Ok(agreed)
}

fn show_next(exercise: &Stage, is_update: bool) {
    let (number, package) = (&exercise.number, exercise.package());
    let sudo = if is_root() { "" } else { "sudo " };
    let start = if is_update { "restart" } else { "start" };
    say!(
        "Exercise {number} is installed. Next:\n\n    \
         {sudo}systemctl {start} {package}\n    \
         {sudo}journalctl -fu {package}\n    \
         cargo workshop uninstall {number}      takes all of it away\n"
    );
}

/// Stops what is running, including instances of templates, and removes the links of `systemctl enable`.
fn stop(units: &[String], patterns: &[String]) -> anyhow::Result<()> {
    // Otherwise systemctl warns about every file that changed since systemd read it.
    as_root(&["systemctl", "daemon-reload"])?;
    let running = loaded_units(patterns, RUNNING)?;
    run_for("stop", &running)?;
    let is_there = |unit: &String| Path::new(UNITS).join(unit).exists();
    let (there, gone): (Vec<String>, Vec<String>) = units.iter().cloned().partition(is_there);
    run_for("disable", &there)?;
    // systemd 257 removes their links anyway; older versions refuse, report it, and nothing more can be done.
    let _ = run_for("disable", &gone);
    Ok(())
}

/// Runs `systemctl VERB UNITS` and reports it; does nothing without units.
fn run_for(verb: &str, units: &[String]) -> anyhow::Result<()> {
    if units.is_empty() {
        return Ok(());
    }
    say!("systemctl {verb} {}", units.join(" "));
    // Quiet, because it would explain at length that a unit without [Install] is neither enabled nor disabled.
    let mut argv = vec!["systemctl", "--quiet", verb, "--"];
    argv.extend(units.iter().map(String::as_str));
    as_root(&argv)
}

/// Matches a unit, or all instances of a template: `exercise-04-alert@*.service`.
fn pattern(unit: &str) -> String {
    unit.replacen("@.", "@*.", 1)
}

/// Removes files, and the folders of drop-ins that become empty; reports what it does.
fn remove_files(paths: &[String]) -> anyhow::Result<()> {
    for path in paths {
        if Path::new(path).symlink_metadata().is_err() {
            say!("{path} is gone already");
            continue;
        }
        as_root(&["rm", "-f", "--", path])?;
        say!("removed {path}");
        let folder = Path::new(path).parent().and_then(Path::to_str);
        if let Some(folder) = folder.filter(|folder| ![BINARIES, UNITS].contains(folder)) {
            as_root(&["rmdir", "--ignore-fail-on-non-empty", folder])?;
        }
    }
    Ok(())
}

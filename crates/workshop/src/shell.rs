//! `cargo workshop shell`: connects a person's terminal to a shell in the lab VM.

mod moment;

use anyhow::Context;
use exercise_check::Outcome;
use systemd_lab::Lab;
use systemd_lab_cli::shell::{self, END_OF_BANNER, MARGIN, PROGRAMS};

use crate::outcome;
use exercise_check::stage::Stage;
use moment::Moment;
use stages::cargo::{self, PackageFolder};
use stages::exercises::Workshop;
use systemd_lab_cli::note;
use systemd_lab_cli::style;

/// Opens a shell, and returns when the person has left it.
pub(crate) fn run(
    workshop: &Workshop,
    exercise: &Stage,
    at: Option<&str>,
) -> anyhow::Result<Outcome> {
    let package = exercise.package();
    let colours = anstream::stdout().current_choice() != anstream::ColorChoice::Never;
    let arguments = ["build", "--package", &package];
    let folder = format!("exercises/{}", exercise.folder());
    let own = PackageFolder {
        name: &package,
        folder: &folder,
    };
    let building = style::spinner("building");
    let built = cargo::executable(
        &workshop.root,
        &own,
        &arguments,
        &package,
        colours,
        &mut |name| building.set_message(format!("building {name}")),
    );
    building.finish_and_clear();
    let binary = match built? {
        Ok(built) => built.path,
        Err(failed) => {
            note!(
                "{}\n\n{}",
                outcome::coloured(failed.outcome(), failed.headline()),
                failed.text()
            );
            return Ok(failed.outcome());
        }
    };
    let lab = Lab::open()?;
    let shell = match at {
        None => {
            let files = exercise_check::guest_files(&package, &binary, &workshop.root)
                .context("cannot read the folder units; is the clone whole?")?;
            let starting = style::spinner("starting the lab VM");
            let shell = lab.shell(&files, &shell::terminal());
            starting.finish_and_clear();
            let shell = shell?;
            note!("{}", banner(exercise));
            shell
        }
        Some(event) => {
            let moment = moment::find(workshop, exercise, &lab, event)?;
            let (scenario, files) = (&moment.run.scenario, &moment.run.files);
            let starting = style::spinner("running the check again, up to this moment");
            let shell = lab.shell_at(moment.at_us, scenario, files, &shell::terminal());
            starting.finish_and_clear();
            let shell = shell?;
            note!("{}", banner_at(exercise, &moment));
            shell
        }
    };
    shell::attend(shell)?;
    Ok(Outcome::Passed)
}

/// Suggestions for a shell in which nothing was started.
fn banner(exercise: &Stage) -> String {
    let unit = exercise.package();
    format!(
        "\
This is the lab VM: you are root, and time is real. Your service is installed,
not started.
Try:   systemctl start {unit}
       systemctl status {unit}
       systemctl kill -s KILL {unit}
       journalctl -fu {unit}
       curl http://127.0.0.1:7878/
Know:  {PROGRAMS}
{END_OF_BANNER}"
    )
}

/// The same for a shell that opens in the middle of a run.
fn banner_at(exercise: &Stage, moment: &Moment) -> String {
    let unit = exercise.package();
    let event = format!("{}: {}", moment.run.scenario.name, moment.line);
    let event: Vec<String> = style::wrapped_within(&event, MARGIN)
        .iter()
        .map(|line| format!("{MARGIN}{line}\n"))
        .collect();
    let event = event.concat();
    format!(
        "\
This is the lab VM, just after this event; from now on you are root, and time is
real.
{event}\
Try:   systemctl status {unit}
       journalctl -u {unit}
       curl http://127.0.0.1:7878/
Know:  status shows systemd's debug messages too; journalctl with -p debug.
{MARGIN}{PROGRAMS}
{END_OF_BANNER}"
    )
}

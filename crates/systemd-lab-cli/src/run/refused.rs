//! What to do when systemd refuses to start the unit.

use systemd_lab::Experiment;

use super::report::Run;
use crate::exit::WrongUsage;

/// The error of a start that systemd refused.
pub(super) fn error(run: &Run<'_>) -> Option<anyhow::Error> {
    let message = run.summary.start_refused.as_ref()?;
    let unit = run.experiment.main_unit();
    let findings = run.experiment.findings(run.timeline);
    let of_zone = findings
        .iter()
        .find(|it| it.unit == unit && it.names_time_zone());
    let remedy = match of_zone {
        Some(finding) => finding.change().to_owned(),
        None => remedy(message, run.experiment),
    };
    Some(WrongUsage::because(format!(
        "systemd refused to start {unit}: {}; {remedy}",
        message.trim_end_matches('.'),
    )))
}

/// What to do when systemd refuses to start a unit for this reason.
fn remedy(message: &str, experiment: &Experiment) -> String {
    let missing = message
        .strip_prefix("Unit ")
        .and_then(|rest| rest.strip_suffix(" not found."));
    match missing {
        // The dependencies of Type=dbus and BusName=: systemd.service(5), "Implicit Dependencies".
        Some("dbus.socket") => "the guest has no D-Bus: add --package dbus".to_owned(),
        Some(unit) if experiment.aliased(unit).is_some() => {
            let of = experiment.aliased(unit).unwrap_or_default();
            match of == experiment.main_unit() {
                true => format!(
                    "{unit} is an Alias= of {of}, which takes effect once that unit is enabled: add --enable"
                ),
                false => format!(
                    "{unit} is an Alias= of {of}, which takes effect once that unit is enabled; --enable enables only the first unit, so name {of} itself"
                ),
            }
        }
        Some(unit) => format!(
            "add {unit} with --unit, or with --package NAME the Debian package that brings it"
        ),
        None => "fix the unit file".to_owned(),
    }
}

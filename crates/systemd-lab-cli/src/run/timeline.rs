//! Carries out the plan in the lab, and shows how far it has come.

use std::time::Duration;

use systemd_lab::protocol::EventKind;
use systemd_lab::{
    Experiment, ExperimentError, Guest, Lab, LabError, LabErrorKind, RunOptions, Timeline,
    clock_time,
};

use super::plan::{self, Planned};
use crate::exit::WrongUsage;
use crate::style;

/// What became of the run.
pub(super) enum Outcome {
    /// It ended, and this is what happened.
    Ended(Timeline),
    /// It took too long.
    OutOfTime(LabError),
}

/// Runs the plan.
pub(super) fn of(planned: &Planned) -> anyhow::Result<Outcome> {
    match carry_out(&planned.experiment, &planned.guest) {
        Ok(timeline) => Ok(Outcome::Ended(timeline)),
        Err(ExperimentError::Plan(error)) => Err(WrongUsage::because(error)),
        Err(ExperimentError::Lab(error)) if error.kind() == LabErrorKind::OutOfTime => {
            Ok(Outcome::OutOfTime(error))
        }
        Err(ExperimentError::Lab(error)) => Err(error.into()),
    }
}

fn carry_out(experiment: &Experiment, guest: &Guest) -> Result<Timeline, ExperimentError> {
    let lab = Lab::options().guest(guest).open()?;
    plan::warn(&experiment.guest_warnings(&lab));
    let spinner = style::spinner("systemd runs your service");
    let length = clock_time(experiment.length().as_secs());
    let mut began_us = None;
    let options = RunOptions::default().on_event(|event| {
        if matches!(event.kind, EventKind::ScenarioBegan { .. }) {
            began_us = Some(event.at_us);
        }
        if let Some(began_us) = began_us {
            let passed = Duration::from_micros(event.at_us.saturating_sub(began_us));
            let passed = clock_time(passed.as_secs());
            spinner.set_message(format!(
                "systemd runs your service: {passed} of {length} in the guest,"
            ));
        }
    });
    let timeline = experiment.run_with(&lab, options);
    spinner.finish_and_clear();
    timeline
}

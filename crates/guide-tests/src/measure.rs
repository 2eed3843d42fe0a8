//! Has systemd answer each choice.
//!
//! The choices are tried one after the other in the same guest, so that they do not slow each other down; waiting costs
//! next to nothing there.

use std::time::Duration;

use systemd_lab::protocol::Scenario;
use systemd_lab::{GuestFile, Lab, LabError};
use systemd_matrix::trial::{self, Memory, Series, Trial};

use crate::choices::Choice;
use crate::outcome::Outcome;

/// How many rounds (a life and the wait for a restart) each service is watched: three that are alike and then the one
/// start too many of the limit of three. The rest keeps the end of the watch away from the end of a round.
const ROUNDS: f64 = 3.6;

/// Even if rounds are shorter: that it rests must show.
const WATCHED_AT_LEAST: Duration = Duration::from_secs(22);

/// For a service that is started several times a second: that it goes on like this shows soon, and each start costs.
const WATCHED_QUICK: Duration = Duration::from_secs(3);

/// Bounds the end of a service when it is stopped at last, which takes a moment.
const DEADLINE: Duration = Duration::from_secs(30);

/// The choices are dealt out to this many VMs, since each computes on one core.
const VMS: usize = 2;

/// What came of all choices.
pub struct Measured {
    /// systemd's version in the guest, without what Debian adds, e.g. `257`.
    pub systemd: String,
    /// In the order of [`Choice::measured`].
    pub outcomes: Vec<(Choice, Outcome)>,
}

/// Measures all choices.
///
/// # Errors
///
/// What keeps the lab from running, and [`LabError::Host`] when a service did what no outcome has words for.
pub fn measure(lab: &Lab) -> Result<Measured, LabError> {
    let choices = Choice::measured();
    let trials = choices.iter().map(trial).collect();
    let series = Series::new("what comes of Restart=", trials).in_runs(VMS);
    // Depends on nothing that anybody edits.
    let seen = trial::run(lab, &[series], Memory::Used, |_, _| {})?;
    let mut outcomes = Vec::new();
    for (choice, seen) in choices.iter().zip(seen.iter().flatten()) {
        let of_choice = seen.of(&[&choice.unit_name()]);
        let outcome = Outcome::of(&of_choice, choice.round(), watched(choice))
            .map_err(|what| wrong(&format!("{}: {what}", choice.key())))?;
        outcomes.push((*choice, outcome));
    }
    let systemd = seen.iter().flatten().find_map(trial::Seen::systemd_version);
    Ok(Measured {
        systemd: systemd.ok_or_else(|| wrong("the guest did not say which systemd it has"))?,
        outcomes,
    })
}

fn watched(choice: &Choice) -> Duration {
    if choice.is_quick() {
        WATCHED_QUICK
    } else {
        let seconds = choice.round().mul_f64(ROUNDS).as_secs();
        Duration::from_secs(seconds).max(WATCHED_AT_LEAST)
    }
}

fn trial(choice: &Choice) -> Trial {
    let unit = choice.unit_name();
    let file = GuestFile::text(format!("/etc/systemd/system/{unit}"), choice.unit_text());
    let scenario = Scenario::new(choice.key())
        .start(&unit)
        .sleep(watched(choice));
    Trial::new(scenario, vec![file]).then_stop(&unit, DEADLINE)
}

fn wrong(what: &str) -> LabError {
    LabError::Host {
        message: format!(
            "the page's choices were not measured: {what}; this is a fault of the workshop, please report it"
        ),
    }
}

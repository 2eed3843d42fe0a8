//! The page "Try it": what readers can choose there, and what happens then. The page's script reads `book/measured/restart-page.json`;
//! `restart-page.md` is the list below it. Nothing here computes what systemd would do.
//!
//! The choices are tried one after the other in the same guest, so that they do not slow each other down. Waiting costs
//! next to nothing there.

mod choices;
mod outcome;
mod write;

use std::time::Duration;

use anyhow::{Context, anyhow};
use measured::Measured;
use systemd_lab::protocol::Scenario;
use systemd_matrix::trial::{self, Memory, Seen, Series, Trial};

use super::bench::Bench;
use super::item::Item;
use super::unit;
use choices::Choice;
use outcome::Outcome;

const DATA: &str = "restart-page.json";
const LIST: &str = "restart-page.md";

pub(super) fn items() -> Vec<Item> {
    vec![Item::files([DATA, LIST], measure)]
}

/// For how many rounds (a run of the service, and the wait for its restart) each service is watched: three that are alike, and then the
/// start that exceeds the limit of three. The fraction keeps the end of the watch away from the end of a round.
const ROUNDS: f64 = 3.6;

/// The minimum, even if rounds are shorter: it must be long enough to see that nothing more happens.
const WATCHED_AT_LEAST: Duration = Duration::from_secs(22);

/// For a service that starts several times a second: that soon shows, and each start costs time.
const WATCHED_QUICK: Duration = Duration::from_secs(3);

/// Limits the stop of a service at the end, which takes a moment.
const DEADLINE: Duration = Duration::from_secs(30);

/// The choices are distributed over this many VMs, because each uses one core.
const VMS: usize = 2;

/// What happened with each choice.
struct Outcomes {
    /// systemd's version in the guest, without what Debian adds, e.g. `257`.
    systemd: String,
    /// In the order of [`Choice::measured`].
    of: Vec<(Choice, Outcome)>,
}

fn measure(bench: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let choices = Choice::measured();
    let trials = choices.iter().map(trial).collect();
    let series = Series::new("what comes of Restart=", trials).in_runs(VMS);
    // Nobody edits what this depends on.
    let seen = trial::run(&bench.lab()?, &[series], Memory::Used, |_, _| {})?;
    let mut outcomes = Vec::new();
    for (choice, seen) in choices.iter().zip(seen.iter().flatten()) {
        let of_choice = seen.of(&[&choice.unit_name()]);
        let outcome = Outcome::of(&of_choice, choice.round(), watched(choice))
            .map_err(|what| anyhow!("{}: {what}", choice.key()))?;
        outcomes.push((*choice, outcome));
    }
    let systemd = seen.iter().flatten().find_map(Seen::systemd_version);
    let outcomes = Outcomes {
        systemd: systemd.context("the guest did not say which systemd it has")?,
        of: outcomes,
    };
    let with = bench.measured_with()?;
    Ok(vec![
        Measured::document(DATA, write::json(&outcomes), write::with_outcomes, &with),
        Measured::text(LIST, &write::list(&outcomes), &with),
    ])
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
    let file = unit::file(&unit, &choice.unit_text());
    let scenario = Scenario::new(choice.key())
        .start(&unit)
        .sleep(watched(choice));
    Trial::new(scenario, vec![file]).then_stop(&unit, DEADLINE)
}

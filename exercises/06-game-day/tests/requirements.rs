//! The requirements of stage 06: each is a promise, for the two days that the task shows; the last is all of them, for the
//! day of a seed.

use std::sync::LazyLock;

use exercise_check::{Look, Observed, Requirement, host_error};

use crate::causes;
use crate::incident;
use crate::promises::{Promise, is_over};
use crate::review::Review;
use crate::scenarios::{DAY_1, DAY_2, DAY_3, Day, seed};

pub(crate) const ANSWERED: Requirement = Requirement {
    title: "99.9 % of the page views are answered",
    snapshot: "answered",
    look: || both_days(Promise::Answered),
};

pub(crate) const NO_LONG_OUTAGE: Requirement = Requirement {
    title: "no outage is longer than 30 s",
    snapshot: "no-long-outage",
    look: || both_days(Promise::NoLongOutage),
};

pub(crate) const NO_ORDER_LOST: Requirement = Requirement {
    title: "no acknowledged order is lost, and all are shipped",
    snapshot: "no-order-lost",
    look: || both_days(Promise::NoOrderLost),
};

pub(crate) const NO_CRASH_LOOP: Requirement = Requirement {
    title: "there is no crash loop",
    snapshot: "no-crash-loop",
    look: || both_days(Promise::NoCrashLoop),
};

pub(crate) const ONE_ALERT: Requirement = Requirement {
    title: "one alert when a person is needed, and none otherwise",
    snapshot: "one-alert",
    look: || both_days(Promise::OneAlert),
};

pub(crate) const OPERATOR: Requirement = Requirement {
    title: "the operator can stop, start and reload the shop",
    snapshot: "operator",
    look: || both_days(Promise::Operator),
};

pub(crate) const ANY_DAY: Requirement = Requirement {
    title: "the promises hold on the day of any seed",
    snapshot: "any-day",
    look: || {
        let seed = seed().map_err(host_error)?;
        let timeline = DAY_3.run.seen.clone()?;
        // cargo shows it where the requirement is not met, and `-- --nocapture` shows it always.
        println!(
            "The day of seed {seed}:\n\n{}",
            incident::text(&Review::of(&timeline, &DAY_3.plan))
        );
        judged(&[("the day of the seed", &DAY_3)], &Promise::ALL)
    },
};

fn both_days(promise: Promise) -> Look {
    judged(&[("day 1", &DAY_1), ("day 2", &DAY_2)], &[promise])
}

/// A line for each day and promise, and the reason for the first that is broken.
fn judged(days: &[(&str, &LazyLock<Day>)], promises: &[Promise]) -> Look {
    let mut shown = String::new();
    let mut diagnosis = None;
    let mut scenario = None;
    for (name, day) in days {
        let timeline = day.run.seen.clone()?;
        let review = Review::of(&timeline, &day.plan);
        if scenario.is_none() {
            scenario = Some(timeline.scenario().to_owned());
        }
        if !is_over(&review) {
            shown.push_str(&format!("{name}: the run ended early\n"));
        }
        for promise in promises {
            let broken = promise.broken(&review);
            if broken.is_empty() {
                shown.push_str(&format!("{name}: {}\n", promise.title()));
                continue;
            }
            shown.push_str(&format!("{name}: broken: {}\n", promise.title()));
            for line in broken {
                shown.push_str(&format!("  {line}\n"));
            }
            if diagnosis.is_none() {
                diagnosis = causes::of(*promise, &review);
                scenario = Some(timeline.scenario().to_owned());
            }
        }
    }
    Ok(Observed {
        shown,
        diagnosis,
        witness: "the customers",
        scenario,
    })
}

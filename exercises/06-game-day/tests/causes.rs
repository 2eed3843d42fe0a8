//! Which setting or line decides that a promise is broken: one sentence, the most certain cause first.

mod alerts;
mod operator;
mod orders;
mod outage;
mod restarts;

use std::time::Duration;

use systemd_lab::diagnosis::{Rule, diagnose, serving, setup, unit_file};
use systemd_lab::{Timeline, nearest_second};

use crate::SUBJECT;
use crate::day;
use crate::plan::Part;
use crate::promises::{Promise, is_short, page_down};
use crate::review::{Cost, Review};
use alerts::of_alert;
use operator::of_operator;
use orders::{acknowledged_otherwise, of_loss};
use outage::of_outage;
use restarts::of_loop;

/// Rules that come first everywhere: a unit that systemd cannot use explains everything else, and so does one whose service systemd
/// ends again and again.
const UNITS: &[&[Rule]] = &[
    &[unit_file::refused, unit_file::unknown_setting],
    &[
        setup::setup_failed,
        setup::command_failed,
        setup::ends_the_machine,
        serving::ended_by_time_limit,
    ],
];

/// Why this promise is broken.
pub(crate) fn of(promise: Promise, review: &Review<'_>) -> Option<String> {
    let first = units(review.timeline).or_else(|| acknowledged_otherwise(review));
    first.or_else(|| match promise {
        Promise::Answered => worst(review, |cost| cost.page_down())
            .and_then(|cost| of_outage(review, cost, true))
            .map(|why| {
                format!(
                    "{why}. In all, the page was away for {} s",
                    nearest_second(page_down(review))
                )
            }),
        Promise::NoLongOutage => {
            let mut costs = review.costs.iter();
            let cost = costs.find(|cost| !is_short(cost.longest()))?;
            let is_page = cost.page.iter().any(|outage| !is_short(*outage));
            of_outage(review, cost, is_page)
        }
        Promise::NoOrderLost => of_loss(review),
        Promise::NoCrashLoop => of_loop(review),
        Promise::OneAlert => of_alert(review),
        Promise::Operator => of_operator(review),
    })
}

/// What is wrong with the units themselves.
fn units(timeline: &Timeline) -> Option<String> {
    let mut names: Vec<String> = Part::ALL.map(day::unit).to_vec();
    names.push(day::target());
    names.iter().find_map(|name| {
        let case = SUBJECT.case_of(name, timeline);
        UNITS.iter().find_map(|rules| diagnose(&case, rules))
    })
}

fn worst<'a>(review: &'a Review<'_>, of: impl Fn(&Cost) -> Duration) -> Option<&'a Cost> {
    review.costs.iter().max_by_key(|cost| of(cost))
}

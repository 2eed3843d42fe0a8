//! Why the operator's commands did not do what he expects.

use systemd_lab::protocol::event::ResponseOutcome;
use systemd_lab::{Timeline, nearest_second};

use super::outage::stayed_away;
use crate::SUBJECT;
use crate::day::{self, BADLY_RELOADED, NEW_GREETING, RELOADED, USUAL_GREETING};
use crate::plan::{Fault, Part, STOPPED_FOR};
use crate::promises::{STARTS_WITHIN, STOPS_WITHIN, greeting_before, obeys};
use crate::review::{Cost, Review};

/// Why the operator's commands did not do what he expects.
pub(super) fn of_operator(review: &Review<'_>) -> Option<String> {
    review
        .costs
        .iter()
        .find_map(|cost| match cost.planned.fault {
            // What did not stop comes first: it may be why something else did not start.
            Fault::StopAndStart => {
                let mut parts = Part::ALL;
                // One that takes long to stop may be what another one waits for.
                parts.sort_by_key(|part| !is_stopping(review, cost, *part));
                let mut parts = parts.into_iter();
                let mut again = Part::ALL.into_iter();
                parts
                    .find_map(|part| not_stopped(review, cost, part))
                    .or_else(|| again.find_map(|part| not_started(review, cost, part)))
            }
            Fault::Reload => match review.timeline.response(RELOADED) {
                Some(ResponseOutcome::Answered { status: 200, body })
                    if body.contains(NEW_GREETING) =>
                {
                    costly_reload(cost)
                }
                answer => Some(format!(
                    "a reload must show the new greeting; the page after it: {}",
                    said(answer)
                )),
            },
            Fault::BadConfiguration => match review.timeline.response(BADLY_RELOADED) {
                Some(ResponseOutcome::Answered { status: 200, body })
                    if body.contains(greeting_before(review, cost)) =>
                {
                    None
                }
                answer @ Some(ResponseOutcome::Answered { status: 200, .. }) => Some(format!(
                    "a reload with a bad configuration must leave the greeting {USUAL_GREETING:?} as it was; the page after it: {}",
                    said(answer)
                )),
                answer => Some(format!(
                    "a reload with a bad configuration must keep what worked; the page after it: {}",
                    said(answer)
                )),
            },
            _ => None,
        })
}

/// A reload that worked, but not for every customer.
fn costly_reload(cost: &Cost) -> Option<String> {
    (!cost.page.is_empty() || cost.refused > 0).then(|| {
        format!(
            "a reload must not cost a request; after this one the page was away for {} s, and the shop refused orders: {}",
            nearest_second(cost.page_down()),
            cost.refused
        )
    })
}

/// Whether a part was still about to stop when it should have stopped.
fn is_stopping(review: &Review<'_>, cost: &Cost, part: Part) -> bool {
    let then = cost.span.start + STOPS_WITHIN.as_micros() as u64;
    review.state(&day::unit(part), then).starts_with("stop")
}

/// A part that went on when the operator had stopped the shop.
fn not_stopped(review: &Review<'_>, cost: &Cost, part: Part) -> Option<String> {
    let (unit, target) = (day::unit(part), day::target());
    let (stopped, _) = obeys(review, cost, part);
    if stopped {
        return None;
    }
    let texts = SUBJECT.case_of(&unit, review.timeline).units;
    Some(match texts.value(&unit, "PartOf") {
        Some(value) if value.contains(&target) => format!(
            "9 s after `systemctl stop {target}`, {unit} was still in the state {}: it takes longer to stop, or something starts it again",
            review.state(&unit, cost.span.start + STOPS_WITHIN.as_micros() as u64)
        ),
        _ => format!(
            "`systemctl stop {target}` did not stop {unit}: PartOf={target} is missing there, and Wants= and Requires= of the target only start"
        ),
    })
}

/// A part that did not run when the operator had started the shop again.
fn not_started(review: &Review<'_>, cost: &Cost, part: Part) -> Option<String> {
    let (unit, target) = (day::unit(part), day::target());
    let (_, started) = obeys(review, cost, part);
    if started {
        return None;
    }
    let why = not_wanted(part).or_else(|| stayed_away(review, cost, part));
    Some(why.unwrap_or_else(|| {
        format!(
            "10 s after `systemctl start {target}`, {unit} was in the state {}",
            review.state(
                &unit,
                cost.span.start + (STOPPED_FOR + STARTS_WITHIN).as_micros() as u64
            )
        )
    }))
}

/// A part that the target does not start.
pub(super) fn not_wanted(part: Part) -> Option<String> {
    let (unit, target) = (day::unit(part), day::target());
    let nothing = Timeline::new(Vec::new());
    let texts = SUBJECT.case(&nothing).units;
    let mut files = texts.iter().filter(|(name, _)| name.starts_with(&target));
    let is_named = files.any(|(_, text)| {
        let settings = text.lines().filter_map(|line| line.split_once('='));
        let mut settings = settings
            .filter(|(name, _)| ["Wants", "Requires", "BindsTo", "Upholds"].contains(&name.trim()));
        settings.any(|(_, units)| units.split_whitespace().any(|one| one == unit))
    });
    (!is_named).then(|| {
        format!("`systemctl start {target}` does not start {unit}: Wants= of the target does not name it")
    })
}

fn said(answer: Option<&ResponseOutcome>) -> String {
    match answer {
        Some(ResponseOutcome::Answered { status, body }) => {
            format!("{status} {:?}", body.trim_end())
        }
        Some(ResponseOutcome::Refused) => "nothing listens".to_owned(),
        Some(ResponseOutcome::TimedOut) => "no answer within 3 s".to_owned(),
        Some(ResponseOutcome::Broken { error }) => format!("the connection ended early ({error})"),
        None => "not asked".to_owned(),
    }
}

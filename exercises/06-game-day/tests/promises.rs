//! The promises of the shop, and how a day kept them: a line for each day, and where a promise is broken the faults that
//! broke it.

use std::time::Duration;

use systemd_lab::nearest_second;
use systemd_lab::protocol::EventKind;
use systemd_lab::protocol::event::ResponseOutcome;

use crate::day::{self, BADLY_RELOADED, DAMAGE_FIRST, NEW_GREETING, RELOADED, USUAL_GREETING};
use crate::plan::{BAD_FOR, Fault, PERSON_NEEDS, Part, STOPPED_FOR};
use crate::review::{Cost, Review, is_down};

/// A day has 86,400 s, and 99.9 % leaves this for the page. The lab plays the ten minutes of a day in which something
/// happens: in the rest, nothing does, so the page is answered.
pub(crate) const BUDGET: Duration = Duration::from_secs(86);

/// The longest outage, of the page or of the orders. Requests come every two or three seconds, so that it may look longer.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);

/// More restarts of one unit after one fault are a crash loop.
pub(crate) const RESTARTS: usize = 3;

/// The operator's stop is over in this time: less than the time for which he keeps the shop stopped.
pub(crate) const STOPS_WITHIN: Duration = Duration::from_secs(9);

/// His start, too.
pub(crate) const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// Orders that came so late in the day need not be shipped yet.
const UNSHIPPED: usize = 8;

/// Never more than this passes without a word of the worker about shipped orders: the database may be away for 30 s of it.
pub(crate) const SHIPS_WITHIN: Duration = Duration::from_secs(60);

/// One of the six things that the shop promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    Answered,
    NoLongOutage,
    NoOrderLost,
    NoCrashLoop,
    OneAlert,
    Operator,
}

impl Promise {
    pub(crate) const ALL: [Promise; 6] = [
        Promise::Answered,
        Promise::NoLongOutage,
        Promise::NoOrderLost,
        Promise::NoCrashLoop,
        Promise::OneAlert,
        Promise::Operator,
    ];

    /// In a few words.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Promise::Answered => "99.9 % of the page views are answered",
            Promise::NoLongOutage => "no outage is longer than 30 s",
            Promise::NoOrderLost => "no acknowledged order is lost, and all are shipped",
            Promise::NoCrashLoop => "there is no crash loop",
            Promise::OneAlert => "one alert when a person is needed, and none otherwise",
            Promise::Operator => "the operator can stop, start and reload the shop",
        }
    }

    /// The figure for a report, e.g. `56 s of a budget of 86 s`; empty where there is none.
    pub(crate) fn figure(self, review: &Review<'_>) -> String {
        let seconds = nearest_second;
        match self {
            Promise::Answered => {
                let down = page_down(review);
                format!("{} s of a budget of {} s", seconds(down), seconds(BUDGET))
            }
            Promise::NoLongOutage => {
                let longest = review.costs.iter().map(Cost::longest).max();
                format!("longest: {} s", seconds(longest.unwrap_or_default()))
            }
            Promise::NoOrderLost => {
                let acknowledged = review.acknowledged.len();
                match review.kept {
                    Some(_) => format!("{acknowledged} acknowledged, {} lost", review.lost().len()),
                    None => format!("{acknowledged} acknowledged, and no list at the end"),
                }
            }
            Promise::NoCrashLoop => {
                let costs = review.costs.iter();
                let restarts =
                    costs.flat_map(|cost| Part::ALL.map(|part| review.restarts(part, &cost.span)));
                let most = restarts.max().unwrap_or_default();
                format!("most restarts after a fault: {most}")
            }
            Promise::OneAlert => {
                let costs = review.costs.iter();
                let alerts = costs.map(|cost| review.alerts(&cost.span).len());
                format!("alerts: {}", alerts.sum::<usize>())
            }
            Promise::Operator => String::new(),
        }
    }

    /// What is wrong with a day, a line each; none if the promise is kept.
    pub(crate) fn broken(self, review: &Review<'_>) -> Vec<String> {
        match self {
            Promise::Answered => over_budget(review),
            Promise::NoLongOutage => long_outages(review),
            Promise::NoOrderLost => lost_orders(review),
            Promise::NoCrashLoop => crash_loops(review),
            Promise::OneAlert => wrong_alerts(review),
            Promise::Operator => operator(review),
        }
    }
}

/// Whether a person must help after this fault, and the part that gives the alert.
pub(crate) fn needs_person(fault: Fault) -> Option<Part> {
    match fault {
        Fault::BadConfiguration => Some(Part::Web),
        Fault::DamagedDatabase => Some(Part::Database),
        _ => None,
    }
}

/// For how long the page was away, in all.
pub(crate) fn page_down(review: &Review<'_>) -> Duration {
    review.costs.iter().map(Cost::page_down).sum()
}

/// Whether an outage of this length is within the promise. Its length is that between two requests.
pub(crate) fn is_short(outage: Duration) -> bool {
    outage <= LONGEST + day::ORDER_EVERY
}

fn over_budget(review: &Review<'_>) -> Vec<String> {
    let down = page_down(review);
    if down <= BUDGET {
        return Vec::new();
    }
    let mut lines = vec![format!(
        "the page was away for {} s; {} s are the budget of a day",
        nearest_second(down),
        nearest_second(BUDGET)
    )];
    let costs = review.costs.iter();
    let costs = costs.filter(|cost| !cost.page_down().is_zero());
    lines.extend(costs.map(|cost| {
        let down = nearest_second(cost.page_down());
        format!("  {}: {down} s", at(review, cost))
    }));
    lines
}

fn long_outages(review: &Review<'_>) -> Vec<String> {
    let costs = review.costs.iter();
    let costs = costs.filter(|cost| !is_short(cost.longest()));
    let lines = costs.map(|cost| {
        let of = |outages: &[Duration], what: &str| {
            let longest = outages
                .iter()
                .max()
                .filter(|longest| !is_short(**longest))?;
            Some(format!("{what} for {} s", nearest_second(*longest)))
        };
        let what = [of(&cost.page, "no page"), of(&cost.orders, "no orders")];
        let what: Vec<String> = what.into_iter().flatten().collect();
        format!("{}: {}", at(review, cost), what.join(", "))
    });
    lines.collect()
}

fn lost_orders(review: &Review<'_>) -> Vec<String> {
    let Some(kept) = &review.kept else {
        return vec!["GET /orders has no answer at the end of the day".to_owned()];
    };
    let costs = review.costs.iter().filter(|cost| !cost.lost.is_empty());
    let mut lines: Vec<String> = costs
        .map(|cost| format!("{}: {}", at(review, cost), orders_gone(&cost.lost)))
        .collect();
    lines.extend(review.costs.iter().filter_map(|cost| {
        let (number, status) = cost.misled?;
        Some(format!(
            "{}: order {number} was answered with {status}",
            at(review, cost)
        ))
    }));
    let shipped = review.shipped();
    let shipped = shipped.last().map_or(0, |(_, number)| *number);
    let kept = kept.len();
    if shipped + UNSHIPPED < kept {
        lines.push(format!("the worker shipped {shipped} of {kept} orders"));
    }
    if let Some((since, gap)) = review.idle()
        && gap > SHIPS_WITHIN
    {
        let (since, gap) = (review.time(since), nearest_second(gap));
        lines.push(format!(
            "from {since} on, the worker shipped nothing for {gap} s"
        ));
    }
    lines
}

fn orders_gone(lost: &[u32]) -> String {
    let numbers: Vec<String> = lost.iter().map(u32::to_string).collect();
    match &numbers[..] {
        [one] => format!("order {one} was acknowledged and is gone"),
        all => format!("orders {} were acknowledged and are gone", all.join(", ")),
    }
}

fn crash_loops(review: &Review<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for cost in &review.costs {
        for part in Part::ALL {
            let restarts = review.restarts(part, &cost.span);
            if restarts > RESTARTS {
                lines.push(format!(
                    "{}: systemd restarted the {part} {restarts} times",
                    at(review, cost)
                ));
            }
        }
    }
    lines
}

fn wrong_alerts(review: &Review<'_>) -> Vec<String> {
    let costs = review.costs.iter();
    let lines = costs.filter_map(|cost| {
        let alerts = review.alerts(&cost.span);
        let fault = at(review, cost);
        match (needs_person(cost.planned.fault), alerts.len()) {
            (None, 0) => None,
            (Some(_), 1) if is_in_time(review, cost) => None,
            (Some(_), 0) => Some(format!("{fault}: no alert, and a person was needed")),
            (Some(_), 1) => Some(format!("{fault}: the alert came after the repair")),
            (Some(_), _) => Some(format!("{fault}: alerts for {}", alerts.join(", "))),
            (None, _) => Some(format!(
                "{fault}: an alert for {}, and nobody was needed",
                alerts.join(", ")
            )),
        }
    });
    lines.collect()
}

/// Whether the alert came while the person could still use it.
pub(crate) fn is_in_time(review: &Review<'_>, cost: &Cost) -> bool {
    let kill = match cost.planned.fault {
        Fault::BadConfiguration => BAD_FOR,
        _ => DAMAGE_FIRST,
    };
    let until = cost.span.start + (kill + PERSON_NEEDS).as_micros() as u64;
    !review.alerts(&(cost.span.start..until)).is_empty()
}

fn operator(review: &Review<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for cost in &review.costs {
        let fault = at(review, cost);
        match cost.planned.fault {
            Fault::StopAndStart => {
                for part in Part::ALL {
                    let (stopped, started) = obeys(review, cost, part);
                    if !stopped {
                        lines.push(format!("{fault}: the {part} did not stop"));
                    }
                    if !started {
                        lines.push(format!("{fault}: the {part} did not start again"));
                    }
                }
            }
            Fault::Reload => {
                let answer = review.timeline.response(RELOADED);
                let is_new = matches!(answer, Some(ResponseOutcome::Answered { status: 200, body })
                    if body.contains(NEW_GREETING));
                if !is_new {
                    lines.push(format!("{fault}: the page does not show the new greeting"));
                }
                if !cost.page.is_empty() || cost.refused > 0 {
                    lines.push(format!("{fault}: it cost requests"));
                }
            }
            Fault::BadConfiguration => match review.timeline.response(BADLY_RELOADED) {
                Some(ResponseOutcome::Answered { status: 200, body })
                    if body.contains(greeting_before(review, cost)) => {}
                Some(ResponseOutcome::Answered { status: 200, .. }) => {
                    lines.push(format!("{fault}: the reload changed the page"));
                }
                _ => lines.push(format!("{fault}: the reload took the page away")),
            },
            _ => {}
        }
    }
    lines
}

/// The greeting that the page had before this fault; nothing if the operator had not reloaded: then it is the service's own.
pub(crate) fn greeting_before(review: &Review<'_>, cost: &Cost) -> &'static str {
    let earlier = review.costs.iter();
    let mut earlier = earlier.take_while(|it| it.span.start < cost.span.start);
    match earlier.any(|it| it.planned.fault == Fault::Reload) {
        true => USUAL_GREETING,
        false => "",
    }
}

/// Whether a part was down when the operator had stopped the shop, and up when he had started it again. What was not up
/// before need not have obeyed.
pub(crate) fn obeys(review: &Review<'_>, cost: &Cost, part: Part) -> (bool, bool) {
    let unit = day::unit(part);
    let after = |time: Duration| cost.span.start + time.as_micros() as u64;
    let stopped = is_down(review.state(&unit, after(STOPS_WITHIN)));
    let started = review.state(&unit, after(STOPPED_FOR + STARTS_WITHIN));
    (stopped, started == "running")
}

/// Whether the day's scenario came to its end.
pub(crate) fn is_over(review: &Review<'_>) -> bool {
    let mut events = review.timeline.events().iter();
    events.any(|event| matches!(&event.kind, EventKind::Response { name, .. } if name == day::LIST))
}

/// A fault with its time: `6:30, the database is killed`.
pub(crate) fn at(review: &Review<'_>, cost: &Cost) -> String {
    format!("{}, {}", review.time(cost.span.start), cost.planned.fault)
}

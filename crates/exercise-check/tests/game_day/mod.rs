//! Days of stage 06 that are made by hand.

#![allow(dead_code, reason = "not every test needs all of them")]

use std::time::Duration;

use systemd_lab::protocol::event::{ProbeOutcome, ResponseOutcome, Source};
use systemd_lab::protocol::{Event, EventKind};

use crate::day;
use crate::plan::{self, Fault, Part, Planned};

/// The time at which a day's scenario begins, in these runs.
const BEGAN_US: u64 = 60_000_000;

pub(crate) fn event(at: Duration, unit: Option<&str>, kind: EventKind) -> Event {
    Event {
        at_us: BEGAN_US + at.as_micros() as u64,
        unit: unit.map(str::to_owned),
        source: Source::Agent,
        kind,
    }
}

/// A day with one fault, in which every order is answered like this and is in the list if `is_kept` says so.
pub(crate) fn day_of(
    fault: Fault,
    answer: impl Fn(u32) -> ResponseOutcome,
    is_kept: impl Fn(u32) -> bool,
) -> (Vec<Planned>, Vec<Event>) {
    let at = Duration::from_millis(30_500);
    let plan = vec![Planned { at, fault }];
    let name = "a day".to_owned();
    let mut events = vec![event(
        Duration::ZERO,
        None,
        EventKind::ScenarioBegan { name },
    )];
    let last = day::orders(plan::end(&plan));
    for number in 1..=last {
        let name = day::order(number);
        let outcome = answer(number);
        events.push(event(
            day::time_of_order(number) + Duration::from_millis(5),
            None,
            EventKind::Response { name, outcome },
        ));
    }
    let kept = (1..=last).filter(|number| is_kept(*number));
    let kept: Vec<String> = kept.map(|number| number.to_string()).collect();
    events.push(event(
        plan::end(&plan),
        None,
        EventKind::Response {
            name: day::LIST.to_owned(),
            outcome: answered(200, &kept.join(" ")),
        },
    ));
    (plan, events)
}

pub(crate) fn answered(status: u16, body: &str) -> ResponseOutcome {
    ResponseOutcome::Answered {
        status,
        body: body.to_owned(),
    }
}

pub(crate) fn page(at: u64, outcome: ProbeOutcome) -> Event {
    event(
        Duration::from_secs(at),
        None,
        EventKind::ProbeChanged {
            name: day::PAGE.to_owned(),
            outcome,
            attempts_before: 0,
        },
    )
}

pub(crate) const WELL: ProbeOutcome = ProbeOutcome::Answered { status: 200 };

/// The main process of a part is killed.
pub(crate) fn killed(at: Duration, part: Part) -> Event {
    exited(at, part, "killed", 9)
}

/// The main process of a part ends.
pub(crate) fn exited(at: Duration, part: Part, code: &str, status: i32) -> Event {
    let kind = EventKind::ProcessExited {
        role: "main".to_owned(),
        code: code.to_owned(),
        status,
        command: None,
        is_ignored: false,
    };
    event(at, Some(&day::unit(part)), kind)
}

/// systemd starts the alert for this unit.
pub(crate) fn alert(at: Duration, of: &str) -> Event {
    let unit = format!("solution-06-alert@{of}.service");
    event(at, Some(&unit), enters("dead", "start"))
}

pub(crate) fn enters(from: &str, to: &str) -> EventKind {
    EventKind::StateChanged {
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

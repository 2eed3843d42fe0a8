//! What the check of stage 06 says about the cause of a broken promise, where no known mistake shows it.
//!
//! The days are made by hand. Their units are in `game_day/units`, each with its flaws.

#![allow(
    dead_code,
    reason = "the check itself is built with the exercise and with the solution"
)]

#[path = "../../../exercises/06-game-day/tests"]
mod check {
    pub(crate) mod causes;
    pub(crate) mod day;
    pub(crate) mod plan;
    pub(crate) mod promises;
    pub(crate) mod review;
}
mod game_day;

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use exercise_check::Subject;
use systemd_lab::Timeline;
use systemd_lab::protocol::event::{ProbeOutcome, ResponseOutcome};
use systemd_lab::protocol::{Event, EventKind};

// The check's own files look for each other at the root of the crate.
use check::{causes, day, plan, promises, review};
use game_day::{WELL, alert, answered, day_of, enters, event, exited, killed, page};
use plan::{Fault, Part};
use promises::Promise;
use review::Review;

static SUBJECT: LazyLock<Subject> = LazyLock::new(|| {
    // Two folders below the one with `units/`, like any package.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/game_day/solutions/shop");
    Subject::new("06-game-day", "solution-06", folder, None)
});

/// When the fault of a day comes.
const FAULT: Duration = Duration::from_millis(30_500);

const WEB: &str = "solution-06.service";
const DATABASE: &str = "solution-06-database.service";
const WORKER: &str = "solution-06-worker.service";

/// Why a promise is broken on a day with this fault, on which all orders are acknowledged and kept, and these events happen.
fn why(promise: Promise, fault: Fault, more: Vec<Event>) -> Option<String> {
    why_of(
        promise,
        day_of(fault, |_| answered(201, ""), |_| true),
        more,
    )
}

fn why_of(
    promise: Promise,
    (plan, mut events): (Vec<plan::Planned>, Vec<Event>),
    more: Vec<Event>,
) -> Option<String> {
    assert_eq!(plan[0].at, FAULT);
    events.extend(more);
    let timeline = Timeline::new(events);
    let review = Review::of(&timeline, &plan);
    assert!(!promise.broken(&review).is_empty(), "it is kept");
    causes::of(promise, &review)
}

/// So long after the fault.
fn later(seconds: f64) -> Duration {
    FAULT + Duration::from_secs_f64(seconds)
}

fn restarted(at: Duration, part: Part, counter: u32) -> Event {
    let kind = EventKind::RestartScheduled { counter };
    event(at, Some(&day::unit(part)), kind)
}

/// A part has started.
fn runs(at: Duration, part: Part) -> Event {
    event(at, Some(&day::unit(part)), enters("start", "running"))
}

fn fails(at: Duration, part: Part, result: &str) -> Event {
    let result = result.to_owned();
    event(at, Some(&day::unit(part)), EventKind::Failed { result })
}

fn response(at: Duration, name: &str, outcome: ResponseOutcome) -> Event {
    let name = name.to_owned();
    event(at, None, EventKind::Response { name, outcome })
}

const START: Duration = Duration::from_secs(5);

/// Without a watchdog, a page that needs the database is away for as long as the database.
#[test]
fn a_page_that_needs_the_database() {
    let away = |outcome| {
        let pages = vec![page(5, WELL), page(31, outcome)];
        why(Promise::NoLongOutage, Fault::WedgedDatabase, pages)
    };
    assert_eq!(
        away(ProbeOutcome::Answered { status: 503 }).as_deref(),
        Some(
            "when the database is wedged, GET / was answered with 503: the page can do without the database"
        )
    );
    assert_eq!(
        away(ProbeOutcome::TimedOut).as_deref(),
        Some(
            "when the database is wedged, GET / was not answered within 3 s: it waits for the database, without a deadline or with a longer one"
        )
    );
}

/// Every 8 s the database finds the damage again, until a person has repaired it: no crash loop, and no alert either.
#[test]
fn a_database_that_is_restarted_with_its_damage() {
    let damage = Part::Database;
    let events = vec![
        runs(START, damage),
        killed(later(0.5), damage),
        restarted(later(8.5), damage, 1),
        exited(later(8.6), damage, "exited", 65),
        restarted(later(16.6), damage, 2),
        exited(later(16.7), damage, "exited", 65),
        restarted(later(24.7), damage, 3),
        runs(later(24.8), damage),
    ];
    assert_eq!(
        why(Promise::OneAlert, Fault::DamagedDatabase, events).as_deref(),
        Some(
            "when the database is damaged, systemd restarted solution-06-database.service 3 times instead of calling a person: RestartPreventExitStatus= does not have 65"
        )
    );
}

/// The restart comes after the repair, so nothing is wrong any more.
#[test]
fn a_restart_that_comes_after_the_repair() {
    let events = vec![
        runs(START, Part::Web),
        killed(later(10.0), Part::Web),
        restarted(later(35.0), Part::Web, 1),
        runs(later(37.0), Part::Web),
    ];
    assert_eq!(
        why(Promise::OneAlert, Fault::BadConfiguration, events).as_deref(),
        Some(
            "when the configuration is bad, it takes a start to find out, and systemd waited for 25 s before it restarted solution-06.service: RestartSec=25s"
        )
    );
}

/// The database starts, and does not look at its file.
#[test]
fn a_damage_that_nobody_finds() {
    let events = vec![
        runs(START, Part::Database),
        killed(later(0.5), Part::Database),
        restarted(later(8.5), Part::Database, 1),
        runs(later(8.6), Part::Database),
    ];
    assert_eq!(
        why(Promise::OneAlert, Fault::DamagedDatabase, events).as_deref(),
        Some(
            "when the database is damaged, solution-06-database.service did not fail, and systemd starts the unit of OnFailure= only after a failure"
        )
    );
}

/// The reload ends the web front end, and systemd starts what `OnFailure=` names.
#[test]
fn a_failure_that_calls_another_unit() {
    let called = serde_json::json!(["mail@solution-06.service.service"]);
    let values = BTreeMap::from([("OnFailure".to_owned(), called)]);
    let events = vec![
        runs(START, Part::Web),
        exited(later(0.1), Part::Web, "exited", 78),
        fails(later(0.1), Part::Web, "exit-code"),
        event(later(48.0), Some(WEB), EventKind::Properties { values }),
    ];
    assert_eq!(
        why(Promise::OneAlert, Fault::BadConfiguration, events).as_deref(),
        Some(
            "OnFailure= of solution-06.service names mail@solution-06.service.service, which is not an instance of solution-06-alert@.service"
        )
    );
}

/// systemd restarted the database once too often, but the alert came in time. What is wrong is something else.
#[test]
fn an_alert_in_time_is_not_the_cause() {
    let (mut plan, mut events) = day_of(Fault::DamagedDatabase, |_| answered(201, ""), |_| true);
    let next = later(48.0);
    plan.push(plan::Planned {
        at: next,
        fault: Fault::Kill(Part::Worker),
    });
    events.extend([
        restarted(later(8.5), Part::Database, 1),
        restarted(later(16.6), Part::Database, 2),
        alert(later(16.7), DATABASE),
        alert(next, "shop"),
    ]);
    assert_eq!(
        why_of(Promise::OneAlert, (plan, events), Vec::new()).as_deref(),
        Some("when the worker is killed, there was an alert for shop")
    );
}

/// The worker does not end when the operator stops the shop, so systemd kills it: that is a failure.
#[test]
fn a_stop_that_ends_in_an_alert() {
    let stop = EventKind::JobQueued {
        job: "stop".to_owned(),
    };
    let events = vec![
        runs(START, Part::Worker),
        event(later(0.0), Some(WORKER), stop),
        killed(later(8.0), Part::Worker),
        fails(later(8.0), Part::Worker, "timeout"),
        alert(later(8.0), WORKER),
    ];
    assert_eq!(
        why(Promise::OneAlert, Fault::StopAndStart, events).as_deref(),
        Some(
            "when the operator stops and starts the shop, solution-06-worker.service failed, and systemd calls the result timeout: OnFailure= acts at each failure"
        )
    );
}

#[test]
fn a_reload_that_keeps_the_old_greeting() {
    let old = answered(200, "Hello World!\n");
    let events = vec![response(later(5.0), day::RELOADED, old)];
    assert_eq!(
        why(Promise::Operator, Fault::Reload, events).as_deref(),
        Some("a reload must show the new greeting; the page after it: 200 \"Hello World!\"")
    );
}

/// The page is away from 31 s to 35 s, and the order of 33.2 s is refused.
#[test]
fn a_reload_that_costs_requests() {
    let refused = |number| match number {
        9 => ResponseOutcome::Refused,
        _ => answered(201, ""),
    };
    let new = answered(200, "Autumn sale!\n");
    let events = vec![
        page(5, WELL),
        page(31, ProbeOutcome::Refused),
        page(35, WELL),
        response(later(5.0), day::RELOADED, new),
    ];
    let day = day_of(Fault::Reload, refused, |number| number != 9);
    assert_eq!(
        why_of(Promise::Operator, day, events).as_deref(),
        Some(
            "a reload must not cost a request; after this one the page was away for 4 s, and the shop refused orders: 1"
        )
    );
}

/// All parts run from the start of the shop. The operator stops it at 30.5 s and starts it at 40.5 s; the worker does this.
fn worker_at_a_stop(worker: Vec<Event>) -> Option<String> {
    let mut events = Part::ALL.map(|part| runs(START, part)).to_vec();
    for part in [Part::Web, Part::Database] {
        let unit = day::unit(part);
        events.push(event(later(0.1), Some(&unit), enters("running", "dead")));
        events.push(runs(later(12.0), part));
    }
    events.extend(worker);
    why(Promise::Operator, Fault::StopAndStart, events)
}

#[test]
fn a_worker_that_does_not_stop() {
    let stopping = enters("running", "stop-sigterm");
    assert_eq!(
        worker_at_a_stop(vec![event(later(0.1), Some(WORKER), stopping)]).as_deref(),
        Some(
            "9 s after `systemctl stop solution-06.target`, solution-06-worker.service was still in the state stop-sigterm: it takes longer to stop, or something starts it again"
        )
    );
}

/// It sends `READY=1` only when it has seen an order, say.
#[test]
fn a_worker_that_starts_for_long() {
    let events = vec![
        event(later(0.1), Some(WORKER), enters("running", "dead")),
        event(later(10.1), Some(WORKER), enters("dead", "start")),
        runs(later(25.0), Part::Worker),
    ];
    assert_eq!(
        worker_at_a_stop(events).as_deref(),
        Some(
            "10 s after `systemctl start solution-06.target`, solution-06-worker.service was in the state start"
        )
    );
}

#[test]
fn no_list_at_the_end_of_a_day() {
    let list = |outcome: Option<ResponseOutcome>| {
        let (plan, mut events) = day_of(Fault::WedgedDatabase, |_| answered(201, ""), |_| true);
        events.retain(
            |event| !matches!(&event.kind, EventKind::Response { name, .. } if name == day::LIST),
        );
        events.extend(outcome.map(|outcome| response(plan::end(&plan), day::LIST, outcome)));
        let running = Part::ALL.map(|part| runs(START, part)).to_vec();
        why_of(Promise::NoOrderLost, (plan, events), running)
    };
    assert_eq!(
        list(Some(answered(503, "no answer"))).as_deref(),
        Some(
            "GET /orders was answered with 503 at the end of the day: solution-06.service was running, solution-06-database.service was running"
        )
    );
    assert_eq!(
        list(Some(ResponseOutcome::TimedOut)).as_deref(),
        Some(
            "GET /orders was not answered at the end of the day: solution-06.service was running, solution-06-database.service was running"
        )
    );
}

/// The database never ended, so the order was never in the file.
#[test]
fn an_order_that_was_never_written() {
    let day = day_of(
        Fault::Kill(Part::Web),
        |_| answered(201, ""),
        |number| number != 15,
    );
    assert_eq!(
        why_of(Promise::NoOrderLost, day, Vec::new()).as_deref(),
        Some(
            "order 15 was acknowledged with 201 and is gone at the end of the day: Store::write was not called for it, or its error was not looked at"
        )
    );
}

#[test]
fn a_worker_that_says_nothing() {
    let events = vec![runs(START, Part::Worker)];
    assert_eq!(
        why(Promise::NoOrderLost, Fault::Kill(Part::Web), events).as_deref(),
        Some("solution-06-worker.service never said STATUS=shipped ... orders")
    );
}

/// An earlier fault ended the database, and systemd never started it again: what comes later is not to blame.
#[test]
fn a_database_that_was_down_before_the_fault() {
    let ended = event(START, Some(DATABASE), enters("running", "failed"));
    assert_eq!(
        why(
            Promise::OneAlert,
            Fault::DamagedDatabase,
            vec![ended.clone()]
        )
        .as_deref(),
        Some(
            "when the database is damaged, solution-06-database.service was already in the state failed"
        )
    );
    let (plan, mut events) = day_of(Fault::WedgedDatabase, |_| answered(201, ""), |_| true);
    events.retain(
        |event| !matches!(&event.kind, EventKind::Response { name, .. } if name == day::LIST),
    );
    assert_eq!(
        why_of(Promise::NoOrderLost, (plan, events), vec![ended]).as_deref(),
        Some(
            "when the database is wedged, solution-06-database.service was already in the state failed"
        )
    );
}

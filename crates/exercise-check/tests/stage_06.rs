//! The plans of stage 06, and how a day is read. That the whole check judges shops rightly is proved by its solution, its variants
//! and its mistakes.

#![allow(
    dead_code,
    reason = "the check itself is built with the exercise and with the solution"
)]

#[path = "../../../exercises/06-game-day/tests/day.rs"]
mod day;
#[path = "../../../exercises/06-game-day/tests/plan.rs"]
mod plan;
#[path = "../../../exercises/06-game-day/tests/promises.rs"]
mod promises;
#[path = "../../../exercises/06-game-day/tests/review.rs"]
mod review;
mod support;

use std::mem::discriminant;
use std::sync::LazyLock;
use std::time::Duration;

use exercise_check::Subject;
use systemd_lab::Timeline;
use systemd_lab::protocol::event::{ProbeOutcome, ResponseOutcome, Source};
use systemd_lab::protocol::{Event, EventKind};

use plan::{Fault, Part, Planned};
use promises::Promise;
use review::Review;

static SUBJECT: LazyLock<Subject> = LazyLock::new(|| {
    Subject::new(
        "06-game-day",
        "solution-06",
        env!("CARGO_MANIFEST_DIR"),
        None,
    )
});

/// `0:30 the web front end is killed`
fn words(planned: &Planned) -> String {
    let seconds = planned.at.as_secs();
    format!("{}:{:02} {}", seconds / 60, seconds % 60, planned.fault)
}

/// People write seeds down, so a seed must mean the same day forever.
#[test]
fn a_seed_is_the_same_day_everywhere() {
    let day: Vec<String> = plan::of_seed(6).iter().map(words).collect();
    insta::assert_snapshot!(day.join("\n"), @r"
    0:33 the worker is frozen
    1:21 the database is damaged
    2:09 the operator reloads
    2:57 the database is killed
    3:48 the configuration is bad
    4:33 the database is slow
    5:21 the operator stops and starts the shop
    6:06 the worker is out of memory
    7:00 the worker is killed
    7:48 the disk is full
    8:30 the web front end is killed
    9:24 the database is wedged
    ");
}

#[test]
fn every_day_has_every_kind_of_fault_and_time_between_them() {
    /// The longest repair, 33.5 s, must be over.
    const APART: Duration = Duration::from_secs(40);
    for seed in 0..500 {
        let day = plan::of_seed(seed);
        assert_eq!(day.len(), 12, "seed {seed}");
        for wanted in plan::of_day(1) {
            let kind = discriminant(&wanted.fault);
            let is_there = day.iter().any(|it| discriminant(&it.fault) == kind);
            assert!(is_there, "seed {seed} lacks: {}", wanted.fault);
        }
        for part in Part::ALL {
            assert!(
                day.iter().any(|it| it.fault == Fault::Kill(part)),
                "seed {seed}"
            );
        }
        for pair in day.windows(2) {
            assert!(pair[1].at - pair[0].at >= APART, "seed {seed}");
        }
    }
}

#[test]
fn seeds_hit_each_service_with_each_fault() {
    for part in Part::ALL {
        for fault in [Fault::Freeze(part), Fault::OutOfMemory(part)] {
            let is_there = |seed| plan::of_seed(seed).iter().any(|it| it.fault == fault);
            assert!((0..50).any(is_there), "no seed for: {fault}");
        }
    }
}

/// The task shows both days: what it says must be what is played.
#[test]
fn the_task_shows_the_plans() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../exercises/06-game-day/src/main.rs"
    );
    let task = std::fs::read_to_string(path).expect("it is there");
    let days = plan::of_day(1).into_iter().zip(plan::of_day(2));
    for (first, second) in days {
        let first = words(&first).replacen(' ', " | ", 1);
        let row = format!("//! | {first} | {} |", second.fault);
        assert!(task.contains(&row), "the task lacks: {row}");
    }
}

/// The time at which a day's scenario begins, in these runs.
const BEGAN_US: u64 = 60_000_000;

fn event(at: Duration, unit: Option<&str>, kind: EventKind) -> Event {
    Event {
        at_us: BEGAN_US + at.as_micros() as u64,
        unit: unit.map(str::to_owned),
        source: Source::Agent,
        kind,
    }
}

/// A day with one fault, in which every order is answered like this and is in the list if `is_kept` says so.
fn day_of(
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

fn answered(status: u16, body: &str) -> ResponseOutcome {
    ResponseOutcome::Answered {
        status,
        body: body.to_owned(),
    }
}

fn page(at: u64, outcome: ProbeOutcome) -> Event {
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

const WELL: ProbeOutcome = ProbeOutcome::Answered { status: 200 };

#[test]
fn an_order_that_was_only_in_memory_goes_to_the_account_of_the_end() {
    // Order 8 comes at 30.2 s, the database is killed at 30.5 s.
    let killed = Fault::Kill(Part::Database);
    let (plan, mut events) = day_of(killed, |_| answered(201, ""), |number| number != 8);
    events.push(event(
        plan[0].at,
        Some("solution-06-database.service"),
        EventKind::ProcessExited {
            role: "main".to_owned(),
            code: "killed".to_owned(),
            status: 9,
            command: None,
            is_ignored: false,
        },
    ));
    let timeline = Timeline::new(events);
    let review = Review::of(&timeline, &plan);
    assert_eq!(review.costs[0].lost, [8]);
    assert_eq!(
        Promise::NoOrderLost.broken(&review),
        [
            "0:30, the database is killed: order 8 was acknowledged and is gone",
            "the worker shipped 0 of 21 orders"
        ]
    );
}

/// What was refused need not be in the list, and what was not acknowledged may be.
#[test]
fn only_what_was_acknowledged_can_be_lost() {
    let answer = |number| match number % 2 {
        0 => answered(507, ""),
        _ => answered(201, ""),
    };
    let (plan, events) = day_of(Fault::FullDisk, answer, |number| number % 2 == 1);
    let timeline = Timeline::new(events);
    let review = Review::of(&timeline, &plan);
    assert!(review.lost().is_empty());
    let (plan, events) = day_of(Fault::FullDisk, answer, |_| true);
    let timeline = Timeline::new(events);
    assert!(Review::of(&timeline, &plan).lost().is_empty());
}

#[test]
fn what_the_operator_stopped_does_not_count() {
    let (plan, mut events) = day_of(Fault::StopAndStart, |_| answered(201, ""), |_| true);
    // From 30.5 s to 40.5 s it is stopped, and 5 s more are for the start.
    events.extend([
        page(5, WELL),
        page(31, ProbeOutcome::Refused),
        page(44, WELL),
    ]);
    let timeline = Timeline::new(events.clone());
    assert!(Review::of(&timeline, &plan).costs[0].page.is_empty());
    events.extend([page(45, ProbeOutcome::Refused), page(55, WELL)]);
    let timeline = Timeline::new(events);
    let review = Review::of(&timeline, &plan);
    assert_eq!(review.costs[0].page, [Duration::from_millis(9_500)]);
}

#[test]
fn a_budget_is_spent_fault_by_fault() {
    let (plan, mut events) = day_of(Fault::Kill(Part::Web), |_| answered(201, ""), |_| true);
    events.extend([
        page(5, ProbeOutcome::Refused),
        page(6, WELL),
        page(31, ProbeOutcome::TimedOut),
        page(50, ProbeOutcome::Answered { status: 503 }),
    ]);
    let timeline = Timeline::new(events);
    let review = Review::of(&timeline, &plan);
    // It never came back: 30.5 s and 48 s are the end of the day. What came before the first answer is the first start.
    assert_eq!(
        review.costs[0].page_down(),
        Duration::from_millis(78_500 - 31_000)
    );
    assert!(Promise::Answered.broken(&review).is_empty());
    assert_eq!(
        Promise::NoLongOutage.broken(&review),
        ["0:30, the web front end is killed: no page for 48 s"]
    );
}

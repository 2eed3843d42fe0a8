//! The plans of stage 06, and how a day is read. `stage_06_causes` tests what the check says about a broken promise. That the
//! whole check judges shops rightly is proved by its solution, its variants and its mistakes.

#![allow(
    dead_code,
    reason = "the check itself is built with the exercise and with the solution"
)]

#[path = "../../../exercises/06-game-day/tests"]
mod check {
    pub(crate) mod causes;
    pub(crate) mod day;
    pub(crate) mod incident;
    pub(crate) mod plan;
    pub(crate) mod promises;
    pub(crate) mod review;
    pub(crate) mod scenarios;
}
mod game_day;

use std::mem::discriminant;
use std::sync::LazyLock;
use std::time::Duration;

use exercise_check::Subject;
use systemd_lab::Timeline;
use systemd_lab::protocol::event::ProbeOutcome;
use systemd_lab::protocol::scenario::first_attempt;

// The check's own files look for each other at the root of the crate.
use check::{causes, day, incident, plan, promises, review, scenarios};
use game_day::{WELL, alert, answered, day_of, killed, page};
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
    let text = task.replace("\n//! ", " ");
    for (before, time, after) in [
        ("slow is SIGSTOP for ", plan::SLOW_FOR, ""),
        ("The disk is full for ", plan::FULL_FOR, ""),
        ("the web front end is killed ", plan::BAD_FOR, " later"),
        ("repaired the cause ", plan::PERSON_NEEDS, " after the kill"),
        ("stops the shop for ", plan::STOPPED_FOR, ""),
    ] {
        let said = format!("{before}{} s{after}", time.as_secs());
        assert!(text.contains(&said), "the task lacks: {said}");
    }
}

/// What comes at one moment has no order, and then a few milliseconds decide how long an outage was.
#[test]
fn faults_orders_and_looks_at_the_page_keep_apart() {
    let apart = Duration::from_millis(100);
    let look = day::FIRST_CUSTOMER + first_attempt(day::PAGE_EVERY);
    let plans = [1, 2].map(plan::of_day).into_iter();
    for fault in plans.chain((0..100).map(plan::of_seed)).flatten() {
        for (first, every) in [
            (look, day::PAGE_EVERY),
            (day::FIRST_ORDER, day::ORDER_EVERY),
        ] {
            let since = (fault.at - first).as_millis() % every.as_millis();
            let until = every.as_millis() - since;
            assert!(since.min(until) >= apart.as_millis(), "{fault:?}");
        }
    }
    for number in 1..=6 {
        let since = (day::time_of_order(number) - look).as_millis() % day::PAGE_EVERY.as_millis();
        let until = day::PAGE_EVERY.as_millis() - since;
        assert!(since.min(until) >= apart.as_millis(), "order {number}");
    }
}

#[test]
fn an_order_that_was_only_in_memory_goes_to_the_account_of_the_end() {
    // Order 8 comes at 30.2 s, the database is killed at 30.5 s.
    let fault = Fault::Kill(Part::Database);
    let (plan, mut events) = day_of(fault, |_| answered(201, ""), |number| number != 8);
    events.push(killed(plan[0].at, Part::Database));
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

/// A refusal says why: the disk is full, or the database does not answer.
#[test]
fn a_customer_is_told_why_an_order_is_refused() {
    let broken = |fault, second: u16| {
        let answer = move |number| match number {
            2 => answered(second, ""),
            _ => answered(201, ""),
        };
        let (plan, events) = day_of(fault, answer, |_| true);
        let timeline = Timeline::new(events);
        let lines = Promise::NoOrderLost.broken(&Review::of(&timeline, &plan));
        lines.into_iter().find(|line| line.contains(" answered "))
    };
    let (full, killed) = (Fault::FullDisk, Fault::Kill(Part::Database));
    assert_eq!(broken(full, 507), None);
    assert_eq!(broken(killed, 503), None);
    for (fault, status, line) in [
        (
            full,
            503,
            "0:30, the disk is full: order 2 was answered with 503",
        ),
        (
            killed,
            500,
            "0:30, the database is killed: order 2 was answered with 500",
        ),
        (
            killed,
            200,
            "0:30, the database is killed: order 2 was answered with 200",
        ),
    ] {
        assert_eq!(broken(fault, status).as_deref(), Some(line));
    }
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

/// What promise 5 says about a day with this fault and these alerts: how long after the fault, and for which unit.
fn alerts(fault: Fault, alerts: &[(Duration, &str)]) -> Vec<String> {
    let (plan, mut events) = day_of(fault, |_| answered(201, ""), |_| true);
    let times = alerts.iter();
    events.extend(times.map(|(after, unit)| alert(plan[0].at + *after, unit)));
    let timeline = Timeline::new(events);
    Promise::OneAlert.broken(&Review::of(&timeline, &plan))
}

const DATABASE: &str = "solution-06-database.service";
const WEB: &str = "solution-06.service";

#[test]
fn one_alert_comes_before_the_repair() {
    let nothing: [&str; 0] = [];
    let soon = Duration::from_secs(3);
    // The database is killed half a second after the damage, the web front end seven seconds after the bad reload. The
    // person has repaired either 20 s later.
    let damaged = Fault::DamagedDatabase;
    let before = Duration::from_millis(20_400);
    let after = Duration::from_millis(20_600);
    assert_eq!(alerts(damaged, &[(soon, DATABASE)]), nothing);
    assert_eq!(alerts(damaged, &[(before, DATABASE)]), nothing);
    assert_eq!(
        alerts(damaged, &[(after, DATABASE)]),
        ["0:30, the database is damaged: the alert came after the repair"]
    );
    let bad = Fault::BadConfiguration;
    assert_eq!(alerts(bad, &[(Duration::from_secs(26), WEB)]), nothing);
    assert_eq!(
        alerts(bad, &[(Duration::from_secs(28), WEB)]),
        ["0:30, the configuration is bad: the alert came after the repair"]
    );
    assert_eq!(
        alerts(damaged, &[]),
        ["0:30, the database is damaged: no alert, and a person was needed"]
    );
    assert_eq!(
        alerts(damaged, &[(soon, DATABASE), (soon, WEB)]),
        ["0:30, the database is damaged: alerts for solution-06-database, solution-06"]
    );
}

#[test]
fn no_alert_comes_without_need() {
    let killed = Fault::Kill(Part::Database);
    assert!(alerts(killed, &[]).is_empty());
    assert_eq!(
        alerts(killed, &[(Duration::from_secs(3), DATABASE)]),
        ["0:30, the database is killed: an alert for solution-06-database, and nobody was needed"]
    );
}

#[test]
fn a_seed_is_a_number() {
    assert_eq!(scenarios::number("7"), Ok(7));
    assert_eq!(scenarios::number(" 7\n"), Ok(7));
    assert_eq!(
        scenarios::number("seven").as_ref().map_err(String::as_str),
        Err("GAME_DAY_SEED=seven is not a number; set it to one, e.g. GAME_DAY_SEED=7")
    );
    for text in ["", "-1", "7.5", "18446744073709551616"] {
        assert!(scenarios::number(text).is_err(), "{text}");
    }
}

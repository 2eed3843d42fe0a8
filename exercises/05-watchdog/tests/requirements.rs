//! The requirements of stage 05: what each one checks, and which causes of failure it knows.

use std::sync::LazyLock;
use std::time::Duration;

use exercise_check::{Look, Observed, Requirement, Run};
use systemd_lab::diagnosis::watchdog::{HUNG, Promise};
use systemd_lab::diagnosis::{
    Case, Rule, diagnose, readiness, restart, serving, setup, stopping, unit_file, watchdog,
};
use systemd_lab::protocol::EventKind;
use systemd_lab::protocol::event::ResponseOutcome;
use systemd_lab::{Timeline, View, describe};

use crate::SUBJECT;
use crate::recovery::{BACK_WITHIN, LONGEST_TEST, Recovery};
use crate::scenarios::{self, DURING_FAULT, IN_FLIGHT, REPORT, UNWATCHED};

/// Rules that come first everywhere: without a start there is no watchdog.
const START: &[&[Rule]] = &[
    &[
        unit_file::refused,
        unit_file::unknown_setting,
        database_is_broken,
    ],
    unit_file::RULES,
    &[
        setup::ends_the_machine,
        readiness::joined_by_spaces,
        readiness::type_without_readiness,
        readiness::refused_notification,
        readiness::ready_never_sent,
        readiness::ready_before_listening,
        watchdog::not_set,
    ],
];

/// The `WatchdogSec=` that the exercise asks for.
const LIMIT: Duration = Duration::from_secs(10);

/// The longest drain that the exercise allows.
const LONGEST_DRAIN: Duration = Duration::from_secs(5);

/// The `StartLimitBurst=` that the exercise asks for.
const BURST: u64 = 4;

/// The `StartLimitIntervalSec=` that the exercise asks for.
const INTERVAL: Duration = Duration::from_secs(5 * 60);

pub(crate) const HEALTHY: Requirement = Requirement {
    title: "the watchdog leaves a healthy service alone",
    snapshot: "healthy",
    look: || {
        let timeline = scenarios::HEALTHY.seen.clone()?;
        let view = View::of(&[SUBJECT.service()])
            .activity()
            .main_exits()
            .results()
            .deadlines()
            .since("active")
            .without_distances();
        let shown = format!(
            "{}{}\n{}\n{}\n{}\n",
            view.render(&timeline),
            pings(&timeline),
            reports(&timeline),
            in_flight(&timeline),
            drain(&timeline)
        );
        let rules = [watchdog::WHILE_HEALTHY, stopping::RULES];
        let mut observed = observed(&timeline, shown, &rules);
        observed.diagnosis = observed
            .diagnosis
            .or_else(|| serving::drains_too_long(&SUBJECT.case(&timeline), LONGEST_DRAIN));
        // A watchdog that is too short for honest work causes everything that follows.
        let other = watchdog::other_limit(&SUBJECT.case(&timeline), LIMIT);
        let is_noticed = observed.shown.contains("Watchdog");
        if let Some(other) = other.filter(|_| is_noticed) {
            observed.diagnosis = Some(other);
        }
        Ok(observed)
    },
};

pub(crate) const DEADLOCK: Requirement = Requirement {
    title: "the self-test notices a deadlock",
    snapshot: "deadlock",
    look: || {
        let mut observed = hang(
            &scenarios::DEADLOCK,
            HUNG,
            scenarios::DEADLOCK_COMES,
            None,
            SelfTest::Runs,
        )?;
        if observed.shown.contains("never noticed") {
            // The other run shows who sends the pings.
            observed.diagnosis = pinged_by_a_thread().or(observed.diagnosis);
        }
        let (closed, next) = (scenarios::DOOR_CLOSES, Some(scenarios::DATABASE_STOPS));
        let fault = "nobody could connect to the service";
        let mut door = hang(&scenarios::NOT_WELL, fault, closed, next, SelfTest::Runs)?;
        let not_well = scenarios::NOT_WELL.seen.clone()?;
        if let Some(why) = reload(&not_well) {
            door.shown
                .insert_str(0, "a reload does more than it should\n");
            door.diagnosis = Some(why);
        }
        let timeline = scenarios::DEADLOCK.seen.clone()?;
        // In that run, no self-test can succeed.
        let hopeless = scenarios::KEEPS_HANGING.seen.clone()?;
        let untested = watchdog::pinged_untested(&SUBJECT.case(&hopeless));
        let hopeless = match untested {
            Some(_) => "WATCHDOG=1 arrives without a self-test that succeeded\n",
            None => "",
        };
        let shown = format!(
            "{}{}nobody can connect\n{}{hopeless}",
            limit(&timeline),
            observed.shown,
            door.shown
        );
        let mut both = both(observed, door, shown);
        both.diagnosis = both.diagnosis.or(untested);
        Ok(both)
    },
};

pub(crate) const BLOCKED: Requirement = Requirement {
    title: "systemd notices a blocked executor",
    snapshot: "blocked",
    look: || {
        let mut observed = hang(
            &scenarios::FROZEN,
            HUNG,
            scenarios::BLOCK_COMES,
            Some(scenarios::STOPPED),
            SelfTest::StandsStill,
        )?;
        let timeline = scenarios::FROZEN.seen.clone()?;
        let threads = scenarios::runtime_threads(&timeline);
        let has_several = threads >= scenarios::WORKERS;
        observed.shown.insert_str(
            0,
            match has_several {
                true => "the runtime has several threads\n",
                false => "the runtime has one thread\n",
            },
        );
        if has_several {
            observed.diagnosis = Some(format!(
                "the runtime has {threads} threads (TOKIO_WORKER_THREADS= in this run asks for so many): one of several that is blocked is not a hang, and may go unnoticed; current_thread has one"
            ));
        } else if let Some(why) = answered_all_the_same(&timeline) {
            observed.diagnosis = Some(why);
        }
        Ok(observed)
    },
};

/// A handler blocked its thread, but other threads carried on.
pub(crate) fn answered_all_the_same(timeline: &Timeline) -> Option<String> {
    match timeline.response(DURING_FAULT)? {
        ResponseOutcome::Answered { status, .. } => Some(format!(
            "a handler blocked its thread, and GET / was answered with status {status} all the same: the runtime has other threads, so that this is not a hang"
        )),
        _ => None,
    }
}

pub(crate) const STOPPED: Requirement = Requirement {
    title: "systemd notices a stopped process",
    snapshot: "stopped",
    look: || {
        hang(
            &scenarios::FROZEN,
            HUNG,
            scenarios::STOPPED,
            None,
            SelfTest::StandsStill,
        )
    },
};

pub(crate) const WEDGE: Requirement = Requirement {
    title: "the self-test notices a stuck dependency",
    snapshot: "wedge",
    look: || {
        let wedged = hang(
            &scenarios::WEDGE,
            HUNG,
            scenarios::STOPPED,
            None,
            SelfTest::Runs,
        )?;
        let fault = "GET / was answered with 503";
        let gone = hang(
            &scenarios::NOT_WELL,
            fault,
            scenarios::DATABASE_STOPS,
            None,
            SelfTest::Runs,
        )?;
        let shown = format!(
            "{}the database is gone: GET / is answered with 503\n{}",
            wedged.shown, gone.shown
        );
        Ok(both(wedged, gone, shown))
    },
};

pub(crate) const KEEPS_HANGING: Requirement = Requirement {
    title: "systemd gives up on a service that keeps hanging",
    snapshot: "keeps-hanging",
    look: || {
        let timeline = scenarios::KEEPS_HANGING.seen.clone()?;
        let view = View::of(&[SUBJECT.service()]).results().without_distances();
        let interval = match timeline.duration_property(SUBJECT.service(), "StartLimitIntervalUSec")
        {
            Some(interval) => format!("StartLimitIntervalSec={interval:?}"),
            None => "StartLimitIntervalSec=infinity".to_owned(),
        };
        let shown = format!(
            "{interval}\n{}{}\n",
            view.render(&timeline),
            alerts(&timeline)
        );
        let rules = [watchdog::GIVEN_UP, restart::ALERT];
        let mut observed = observed(&timeline, shown, &rules);
        observed.diagnosis = observed
            .diagnosis
            .or_else(|| restart::other_burst(&SUBJECT.case(&timeline), BURST))
            .or_else(|| restart::other_interval(&SUBJECT.case(&timeline), INTERVAL));
        Ok(observed)
    },
};

pub(crate) const UNWATCHED_UNIT: Requirement = Requirement {
    title: "without WatchdogSec= there is no self-test",
    snapshot: "unwatched",
    look: || {
        let timeline = scenarios::NOT_WELL
            .seen
            .clone()?
            .before(scenarios::SERVICE_STARTS);
        let case = SUBJECT.case_of(UNWATCHED, &timeline);
        let view = View::of(&[UNWATCHED])
            .activity()
            .main_exits()
            .results()
            .deadlines()
            .notifications(&["WATCHDOG="])
            .since("active")
            .without_distances();
        let mut observed = SUBJECT.observed(&timeline, view.render(&timeline), &[]);
        observed.diagnosis = watchdog::tested_without_a_limit(&case)
            .or_else(|| diagnose(&case, &[unit_file::died_at_start, serving::ended_by_itself]));
        Ok(observed)
    },
};

/// The results of a second fault, after the first.
fn both(first: Observed, second: Observed, shown: String) -> Observed {
    Observed {
        shown,
        diagnosis: first.diagnosis.or(second.diagnosis),
        ..second
    }
}

/// How long systemd waits for a ping.
fn limit(timeline: &Timeline) -> String {
    match timeline.duration_property(SUBJECT.service(), "WatchdogUSec") {
        Some(limit) if !limit.is_zero() => format!("WatchdogSec={limit:?}\n"),
        _ => "WatchdogSec= is not set\n".to_owned(),
    }
}

/// The answer to the request that was in flight when the stop began.
fn in_flight(timeline: &Timeline) -> &'static str {
    match timeline.response(IN_FLIGHT) {
        Some(ResponseOutcome::Answered { status: 200, .. }) => {
            "the request in flight at the stop is answered"
        }
        Some(_) => "the request in flight at the stop is not answered",
        None => "no request was in flight at the stop",
    }
}

/// Whether the service gives up in time on a request that never ends.
fn drain(timeline: &Timeline) -> String {
    match serving::overlong_drain(&SUBJECT.case(timeline), LONGEST_DRAIN) {
        Some(took) => format!("the drain takes {} s", took.as_secs()),
        None => "the drain takes no longer than it may".to_owned(),
    }
}

/// The exercise provides the database. If it does not start, the service is not to blame.
fn database_is_broken(case: &Case) -> Option<String> {
    let database = SUBJECT.unit("-database");
    let of_database = SUBJECT.case_of(&database, case.timeline);
    let why = setup::setup_failed(&of_database)
        .or_else(|| setup::command_failed(&of_database))
        .or_else(|| unit_file::died_at_start(&of_database))?;
    Some(format!(
        "{why}; that unit is given, and `git restore units/{database}` brings it back as it was"
    ))
}

/// What went wrong at a reload, if anything did. While it lasts, the database does not answer, so that no self-test can succeed.
fn reload(not_well: &Timeline) -> Option<String> {
    let timeline = not_well.between(scenarios::RELOADS, scenarios::RESUMES);
    let service = SUBJECT.service();
    let is_exit =
        |kind: &EventKind| matches!(kind, EventKind::ProcessExited { role, .. } if role == "main");
    if let Some(exit) = timeline.first(service, is_exit) {
        let how = describe(&exit.kind)?;
        return Some(format!(
            "SIGHUP, which systemctl reload sends, ended the service ({how}): it should read its configuration again, as in stage 04{}",
            SUBJECT.case(&timeline).last_words()
        ));
    }
    timeline.first_notification(service, "WATCHDOG=1")?;
    Some("WATCHDOG=1 arrived at a reload (SIGHUP), while the database did not answer, so that no self-test can have succeeded: a reload changes nothing about when it is sent".to_owned())
}

fn pinged_by_a_thread() -> Option<String> {
    let timeline = scenarios::FROZEN.seen.clone().ok()?;
    let blocked_us = began_us(&timeline, scenarios::BLOCK_COMES)?;
    watchdog::pinged_by_a_thread(&SUBJECT.case(&timeline), blocked_us..u64::MAX)
}

/// Whether the service can test itself during a fault, and so say why it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SelfTest {
    Runs,
    StandsStill,
}

/// What happened to the service after a fault, in a few words.
fn hang(
    run: &LazyLock<Run>,
    fault: &'static str,
    fault_label: &str,
    next_label: Option<&str>,
    self_test: SelfTest,
) -> Look {
    let timeline = run.seen.clone()?;
    let Some(fault_us) = began_us(&timeline, fault_label) else {
        // Something earlier went wrong, which belongs to a different requirement.
        let shown = "the run did not get as far as this fault\n".to_owned();
        let mut observed = observed(&timeline, shown, &[]);
        let case = SUBJECT.case(&timeline);
        observed.diagnosis = observed
            .diagnosis
            .or_else(|| watchdog::other_limit(&case, LIMIT))
            .or_else(|| watchdog::not_restarted(&case))
            .or_else(|| {
                let pinged = timeline.first_notification(SUBJECT.service(), "WATCHDOG=1");
                pinged
                    .is_none()
                    .then(|| watchdog::triggered_while_healthy(&case))?
            })
            .or_else(|| not_reached(&case));
        return Ok(observed);
    };
    let next_us = next_label.and_then(|label| began_us(&timeline, label));
    let recovery = Recovery::between(&timeline, fault_us, next_us);
    let shown = match self_test {
        SelfTest::Runs => recovery.lines_with_reason(),
        SelfTest::StandsStill => recovery.lines(),
    } + "\n";
    let mut observed = observed(&timeline, shown, &[]);
    // If there are several faults, the later ones come after a correct trigger, and after this step.
    let reset_us = began_us(&timeline, scenarios::RESET);
    let pinged = timeline.first_notification(SUBJECT.service(), "WATCHDOG=1");
    if pinged.is_none() || reset_us.is_none_or(|reset_us| fault_us < reset_us) {
        observed.diagnosis = observed
            .diagnosis
            .or_else(|| watchdog::triggered_before(&SUBJECT.case(&timeline), fault_us));
    }
    let (has_reason, is_logged) = recovery.is_explained();
    let promise = Promise {
        fault,
        limit: LIMIT,
        back: BACK_WITHIN,
        can_test: self_test == SelfTest::Runs,
        longest_test: LONGEST_TEST,
        has_reason,
        is_logged,
    };
    observed.diagnosis = observed
        .diagnosis
        .or_else(|| watchdog::after_fault(&SUBJECT.case(&timeline), recovery.span(), promise));
    Ok(observed)
}

/// Why a run never reached a fault, if no rule says more.
pub(crate) fn not_reached(case: &Case) -> Option<String> {
    let is_noticed = |kind: &EventKind| matches!(kind, EventKind::WatchdogTimeout { .. });
    let why = match case.timeline.first(case.unit, is_noticed) {
        Some(_) => "the service did not recover from the fault before",
        None => "what comes before it must work first",
    };
    Some(format!("the run ended before it came to this: {why}"))
}

fn observed(timeline: &Timeline, shown: String, rules: &[&[Rule]]) -> Observed {
    SUBJECT.observed(timeline, shown, &[START, rules].concat())
}

/// Whether the watchdog gets any pings. How often is up to the service, as long as it is often enough.
fn pings(timeline: &Timeline) -> &'static str {
    match timeline.first_notification(SUBJECT.service(), "WATCHDOG=1") {
        Some(_) => "WATCHDOG=1 arrives",
        None => "WATCHDOG=1 never arrives",
    }
}

/// Whether the service handled the load.
fn reports(timeline: &Timeline) -> String {
    let outcomes = timeline
        .events()
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Response { name, outcome } if name == REPORT => Some(outcome),
            _ => None,
        });
    let failed = outcomes
        .filter(|outcome| !matches!(outcome, ResponseOutcome::Answered { status: 200, .. }))
        .count();
    match failed {
        0 => "every report is answered".to_owned(),
        _ => format!("{failed} reports are not answered"),
    }
}

fn alerts(timeline: &Timeline) -> String {
    let prefix = format!("{}-alert@", SUBJECT.package());
    let is_down = |state: &str| {
        let down = ["dead", "failed", "auto-restart"];
        down.iter().any(|it| state.starts_with(it))
    };
    let starts = timeline.events().iter().filter(|event| {
        event
            .unit
            .as_ref()
            .is_some_and(|unit| unit.starts_with(&prefix))
            && matches!(&event.kind, EventKind::StateChanged { from, to } if is_down(from) && !is_down(to))
    });
    format!("alerts: {}", starts.count())
}

/// When the first step with this label began, in the guest's time; `None` when the run never came to it.
fn began_us(timeline: &Timeline, label: &str) -> Option<u64> {
    let began = timeline.began_with(label).next()?;
    Some(began.at_us)
}

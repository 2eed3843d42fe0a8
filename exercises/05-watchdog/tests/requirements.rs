//! The requirements of stage 05: what each looks at, and which causes it knows.

use std::sync::LazyLock;

use exercise_check::{Look, Requirement};
use systemd_lab::check::Observed;
use systemd_lab::diagnosis::{Rule, readiness, stopping, unit_file, watchdog};
use systemd_lab::protocol::event::ResponseOutcome;
use systemd_lab::protocol::{EventKind, Step};
use systemd_lab::{Timeline, View};

use crate::SUBJECT;
use crate::recovery::Recovery;
use crate::scenarios::{self, DURING_FAULT, REPORT, Run, SIGSTOP};

/// Rules that come first everywhere: without a start there is no watchdog.
const START: &[&[Rule]] = &[
    unit_file::RULES,
    &[
        readiness::type_without_readiness,
        readiness::refused_notification,
        readiness::ready_never_sent,
        readiness::ready_before_listening,
        watchdog::not_set,
    ],
];

pub(crate) const HEALTHY: Requirement = Requirement {
    title: "a service that works is left alone",
    snapshot: "healthy",
    look: || {
        let timeline = scenarios::HEALTHY.seen.clone()?;
        let view = View::of(&[SUBJECT.service()])
            .states()
            .exits()
            .results()
            .deadlines()
            .since("running")
            .without_distances();
        let shown = format!(
            "{}{}\n{}\n",
            view.render(&timeline),
            pings(&timeline),
            reports(&timeline)
        );
        let rules = [watchdog::WHILE_HEALTHY, stopping::RULES];
        Ok(observed(&timeline, shown, &rules))
    },
};

pub(crate) const DEADLOCK: Requirement = Requirement {
    title: "a deadlock is noticed by the self-test",
    snapshot: "deadlock",
    look: || {
        let is_fault = |step: &Step| is_request(step, "fault deadlock");
        let mut observed = hang(&scenarios::DEADLOCK, is_fault, is_nothing, |recovery| {
            recovery.lines_with_reason()
        })?;
        if observed.shown.contains("never noticed") {
            // The other run tells who sends the pings.
            observed.diagnosis = pinged_by_a_thread().or(observed.diagnosis);
        }
        Ok(observed)
    },
};

pub(crate) const BLOCKED: Requirement = Requirement {
    title: "a blocked executor is noticed",
    snapshot: "blocked",
    look: || {
        let is_fault = |step: &Step| is_request(step, "fault block");
        let mut observed = hang(&scenarios::FROZEN, is_fault, is_sigstop, |recovery| {
            recovery.lines()
        })?;
        let timeline = scenarios::FROZEN.seen.clone()?;
        if let Some(ResponseOutcome::Answered { status, .. }) = timeline.response(DURING_FAULT) {
            observed.diagnosis = Some(format!(
                "a handler blocked its thread, and GET / was answered with status {status} all the same: the runtime has other threads, so that this is no hang"
            ));
        }
        Ok(observed)
    },
};

pub(crate) const STOPPED: Requirement = Requirement {
    title: "a stopped process is noticed",
    snapshot: "stopped",
    look: || {
        hang(&scenarios::FROZEN, is_sigstop, is_nothing, |recovery| {
            recovery.lines()
        })
    },
};

pub(crate) const WEDGE: Requirement = Requirement {
    title: "a wedged dependency is noticed by the self-test",
    snapshot: "wedge",
    look: || {
        hang(&scenarios::WEDGE, is_sigstop, is_nothing, |recovery| {
            recovery.lines_with_reason()
        })
    },
};

pub(crate) const KEEPS_HANGING: Requirement = Requirement {
    title: "a service that keeps hanging is given up",
    snapshot: "keeps-hanging",
    look: || {
        let timeline = scenarios::KEEPS_HANGING.seen.clone()?;
        let view = View::of(&[SUBJECT.service()]).results().without_distances();
        let shown = format!("{}{}\n", view.render(&timeline), alerts(&timeline));
        Ok(observed(&timeline, shown, &[watchdog::GIVEN_UP]))
    },
};

fn pinged_by_a_thread() -> Option<String> {
    let timeline = scenarios::FROZEN.seen.clone().ok()?;
    let is_block = |step: &Step| is_request(step, "fault block");
    let blocked_us = scenarios::FROZEN.began_us(&timeline, is_block)?;
    watchdog::pinged_by_a_thread(&SUBJECT.case(&timeline), blocked_us..u64::MAX)
}

/// What became of the service after a fault.
fn hang(
    run: &LazyLock<Run>,
    is_fault: impl Fn(&Step) -> bool,
    is_next: impl Fn(&Step) -> bool,
    lines: impl Fn(&Recovery) -> String,
) -> Look {
    let timeline = run.seen.clone()?;
    let Some(fault_us) = run.began_us(&timeline, is_fault) else {
        // What came before it went wrong, and is another requirement's affair.
        let shown = "the run did not get as far as this fault\n".to_owned();
        let mut observed = observed(&timeline, shown, &[]);
        observed.diagnosis = observed.diagnosis.or(Some(
            "the service did not recover from what came before: see the requirement before this one".to_owned(),
        ));
        return Ok(observed);
    };
    let next_us = run.began_us(&timeline, is_next);
    let recovery = Recovery::between(&timeline, fault_us, next_us);
    let shown = lines(&recovery) + "\n";
    let mut observed = observed(&timeline, shown, &[]);
    observed.diagnosis = observed
        .diagnosis
        .or_else(|| watchdog::after_fault(&SUBJECT.case(&timeline), recovery.span()));
    Ok(observed)
}

fn observed(timeline: &Timeline, shown: String, rules: &[&[Rule]]) -> Observed {
    SUBJECT.observed(timeline, shown, &[START, rules].concat())
}

/// Whether the watchdog is alive at all. How often it is pinged is the service's own affair, as long as it is often
/// enough.
fn pings(timeline: &Timeline) -> &'static str {
    match timeline.first_notification(SUBJECT.service(), "WATCHDOG=1") {
        Some(_) => "WATCHDOG=1 arrives",
        None => "WATCHDOG=1 never arrives",
    }
}

/// Whether the load was served.
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
    let alerts = timeline.events().iter().filter(|event| {
        event
            .unit
            .as_ref()
            .is_some_and(|unit| unit.starts_with(&prefix))
            && matches!(event.kind, EventKind::ProcessExited { .. })
    });
    format!("alerts: {}", alerts.count())
}

fn is_request(step: &Step, wanted: &str) -> bool {
    matches!(step, Step::Request { name, .. } if name == wanted)
}

fn is_sigstop(step: &Step) -> bool {
    matches!(step, Step::Signal { signal, .. } if *signal == SIGSTOP)
}

fn is_nothing(_: &Step) -> bool {
    false
}

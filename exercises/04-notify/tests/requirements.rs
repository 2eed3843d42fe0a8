//! The requirements of stage 04: what each one checks, and which causes of failure it knows.

use std::time::Duration;

use exercise_check::Requirement;
use systemd_lab::diagnosis::{
    Case, Rule, diagnose, readiness, reloading, serving, setup, stopping, unit_file, watchdog,
};
use systemd_lab::protocol::EventKind;
use systemd_lab::protocol::event::ResponseOutcome;
use systemd_lab::{Timeline, View, describe};

use crate::{SUBJECT, scenarios, shown};

/// The longest drain that the exercise allows.
const LONGEST_DRAIN: Duration = Duration::from_secs(5);

/// The `TimeoutStartSec=` that the exercise asks for.
const LONGEST_START: Duration = Duration::from_secs(10);

/// These come first everywhere: without a unit that systemd understands, there is nothing to check.
const UNIT: &[&[Rule]] = &[
    unit_file::RULES,
    &[setup::ends_the_machine, readiness::joined_by_spaces],
];

pub(crate) const READY: Requirement = Requirement {
    title: "READY=1 means that it answers",
    snapshot: "ready",
    look: || {
        let timeline = scenarios::START_AND_STOP.seen.clone()?;
        let left_alone = scenarios::BY_HAND.seen.clone()?.before(scenarios::CTRL_C);
        let (service, client) = (SUBJECT.service(), SUBJECT.unit("-client"));
        let view = View::of(&[service, &client])
            .jobs()
            .activity()
            .notifications(&["READY=1"])
            .main_exits()
            .logs_of(&client);
        let shown = view.until("deactivating").render(&timeline) + &shown::later(&left_alone);
        let rules = [UNIT, &[readiness::START]].concat();
        let mut observed = SUBJECT.observed(&timeline, shown, &rules);
        observed.diagnosis = observed
            .diagnosis
            .or_else(|| client_is_broken(&timeline, &client))
            .or_else(|| diagnose(&SUBJECT.case(&left_alone), LEFT_ALONE));
        Ok(observed)
    },
};

/// For a service that nothing stops.
const LEFT_ALONE: &[Rule] = &[watchdog::never_pinged, serving::ended_by_itself];

/// The exercise provides the client. If it does not work, the service is not to blame.
fn client_is_broken(timeline: &Timeline, client: &str) -> Option<String> {
    let case = SUBJECT.case_of(client, timeline);
    let why = diagnose(
        &case,
        &[
            unit_file::refused,
            setup::setup_failed,
            setup::command_failed,
        ],
    )
    .or_else(|| unit_file::ended_with_failure(&case))?;
    let file = format!("units/{client}");
    Some(format!(
        "{why}; that unit is given, and `git restore {file}` brings it back as it was"
    ))
}

pub(crate) const STATUS: Requirement = Requirement {
    title: "STATUS= says what it does",
    snapshot: "status",
    look: || {
        let timeline = scenarios::START_AND_STOP.seen.clone()?;
        let shown = shown::statuses(&timeline);
        let rules: &[&[Rule]] = &[
            readiness::START,
            &[stopping::no_signal_handler, readiness::status_missing],
        ];
        Ok(SUBJECT.observed(&timeline, shown, &[UNIT, rules].concat()))
    },
};

pub(crate) const STOP: Requirement = Requirement {
    title: "it announces a stop, answers requests in flight, and stops in time",
    snapshot: "stop",
    look: || {
        let timeline = scenarios::START_AND_STOP.seen.clone()?;
        let by_hand = scenarios::BY_HAND.seen.clone()?;
        let by_hand = by_hand.between(scenarios::CTRL_C, scenarios::BY_HAND_START);
        let view = View::of(&[SUBJECT.service()])
            .activity()
            .notifications(&["STOPPING=1"])
            .main_exits()
            .results();
        // Any time below TimeoutStopSec= is fine: how the process ended shows whether it was kept.
        let view = view
            .deadlines()
            .jobs()
            .since("deactivating")
            .without_distances();
        let shown = view.render(&timeline)
            + &shown::announcement(&SUBJECT.case(&timeline))
            + &shown::drain(&SUBJECT.case(&timeline), LONGEST_DRAIN)
            + &shown::response(&timeline, scenarios::IN_FLIGHT)
            + &shown::new_connection(&timeline)
            + &shown::ctrl_c(&by_hand)
            + &shown::announcement(&SUBJECT.case(&by_hand));
        let rules = [UNIT, &[stopping::RULES]].concat();
        let mut observed = SUBJECT.observed(&timeline, shown, &rules);
        observed.diagnosis = observed
            .diagnosis
            .or_else(|| stopping::new_connection_taken(&SUBJECT.case(&timeline), scenarios::NEW))
            .or_else(|| stopping::announced_late(&SUBJECT.case(&timeline), "SIGTERM"))
            .or_else(|| serving::drains_too_long(&SUBJECT.case(&timeline), LONGEST_DRAIN))
            .or_else(|| diagnose(&SUBJECT.case(&by_hand), stopping::CTRL_C))
            .or_else(|| stopping::announced_late(&SUBJECT.case(&by_hand), "Ctrl-C (SIGINT)"))
            .or_else(|| stopping::not_announced(&SUBJECT.case(&by_hand), "Ctrl-C (SIGINT)"));
        Ok(observed)
    },
};

pub(crate) const HANGING_START: Requirement = Requirement {
    title: "systemd ends a hanging start after 10 s",
    snapshot: "hanging-start",
    look: || {
        let timeline = scenarios::HANGING_START.seen.clone()?;
        let view = View::of(&[SUBJECT.service()])
            .activity()
            .main_exits()
            .results()
            .deadlines()
            .jobs();
        let rules: &[&[Rule]] = &[
            &[
                readiness::type_without_readiness,
                readiness::refused_notification,
                readiness::ready_although_stalled,
            ],
            readiness::GIVEN_UP,
        ];
        // What comes after that depends on Restart=, the topic of stage 03.
        let shown = shown::ended_by_systemd(&timeline, view.render(&timeline));
        let end = shown
            .find("failed: timeout\n")
            .map_or(shown.len(), |at| at + "failed: timeout\n".len());
        let shown = shown[..end].to_owned();
        let mut observed = SUBJECT.observed(&timeline, shown, &[UNIT, rules].concat());
        observed.diagnosis = observed
            .diagnosis
            .or_else(|| readiness::extended_past_the_end(&SUBJECT.case(&timeline)))
            .or_else(|| readiness::other_start_timeout(&SUBJECT.case(&timeline), LONGEST_START));
        Ok(observed)
    },
};

pub(crate) const LONG_WARM_UP: Requirement = Requirement {
    title: "a warm-up of 30 s succeeds",
    snapshot: "long-warm-up",
    look: || {
        let timeline = scenarios::LONG_WARM_UP.seen.clone()?;
        let view = View::of(&[SUBJECT.service()])
            .activity()
            .main_exits()
            .deadlines()
            .jobs()
            .notifications(&["READY=1"]);
        let rules: &[&[Rule]] = &[
            &[readiness::type_without_readiness],
            readiness::KEPT_ALIVE,
            readiness::START,
        ];
        let shown = view.until("deactivating").render(&timeline) + &shown::extensions(&timeline);
        let mut observed = SUBJECT.observed(&timeline, shown, &[UNIT, rules].concat());
        observed.diagnosis = observed
            .diagnosis
            .or_else(|| readiness::extended_too_seldom(&SUBJECT.case(&timeline), shown::EACH_PART));
        Ok(observed)
    },
};

pub(crate) const RELOAD: Requirement = Requirement {
    title: "it announces a reload, and drops nothing",
    snapshot: "reload",
    look: || {
        let timeline = scenarios::RELOAD.seen.clone()?;
        let before = timeline.before(scenarios::FEEDING);
        let after = timeline.since(scenarios::FEEDING);
        let view = View::of(&[SUBJECT.service()])
            .activity()
            .main_exits()
            .notifications(&["RELOADING=1", "READY=1"])
            .deadlines()
            .responses()
            .listeners()
            .jobs()
            .without_distances();
        let shown = format!(
            "{}the configuration can be read\n{}",
            view.clone().since("active").render(&before),
            view.render(&after)
        );
        // A request that began before the reload may be answered with the earlier configuration.
        let shown = shown.replace(
            "\"in flight\": 200 \"Hello World!\"",
            "\"in flight\": 200 \"Hello again!\"",
        );
        let shown = shown + &shown::reload_statuses(&timeline);
        let rules: [&[Rule]; 5] = [
            &[readiness::joined_by_spaces],
            reloading::RULES,
            unit_file::RULES,
            &[readiness::type_without_readiness],
            readiness::START,
        ];
        let mut observed = SUBJECT.observed(&timeline, shown, &rules);
        let case = SUBJECT.case(&timeline);
        observed.diagnosis = observed
            .diagnosis
            .or_else(|| reloading::out_of_order(&SUBJECT.case(&before), &SUBJECT.case(&after)))
            .or_else(|| diagnose(&case, reloading::AS_ASKED))
            .or_else(|| configuration_not_read(&case))
            .or_else(|| reloading::status_missing(&case))
            .or_else(|| bad_configuration_not_told(&timeline));
        Ok(observed)
    },
};

/// The reload was announced and ended, but the answers did not change; or the answers changed with a configuration that cannot be read.
fn configuration_not_read(case: &Case) -> Option<String> {
    let last =
        body(case.timeline.response("after a bad configuration")).filter(|it| *it != GOOD)?;
    let was_read = body(case.timeline.response(scenarios::IN_FLIGHT)) == Some(GOOD);
    Some(match was_read {
        true => format!(
            "the reload with a configuration that cannot be read changed the answer from {GOOD:?} to {last:?}: the configuration of before must hold"
        ),
        false => format!(
            "the reload was reported as done, and the answer is still {last:?}: the configuration of before holds"
        ),
    })
}

fn body(answer: Option<&ResponseOutcome>) -> Option<&str> {
    match answer? {
        ResponseOutcome::Answered { body, .. } => Some(body.trim_end()),
        _ => None,
    }
}

/// The answer with the good configuration.
const GOOD: &str = "Hello again!";

/// People see the same text after both reloads.
fn bad_configuration_not_told(timeline: &Timeline) -> Option<String> {
    (!shown::bad_configuration_is_told(timeline)).then(|| {
        "STATUS= says the same after a configuration that cannot be read as when all is well: a person who reloads does not learn that the old one stays".to_owned()
    })
}

pub(crate) const PROTOCOL: Requirement = Requirement {
    title: "it speaks the notification protocol, in order",
    snapshot: "protocol",
    look: || {
        let started = scenarios::START_AND_STOP.seen.clone()?;
        let warm_up = scenarios::WARM_UP.seen.clone()?;
        let stopped = warm_up.before(scenarios::SECOND_START);
        let interrupted = warm_up.between(scenarios::CTRL_C, scenarios::SECOND_STOP);
        let port_taken = warm_up.since(scenarios::PORT_TAKEN);
        let shown = shown::protocol(&started, &stopped, &interrupted, &port_taken);
        let rules: &[&[Rule]] = &[
            &[
                readiness::type_without_readiness,
                readiness::refused_notification,
            ],
            &[readiness::other_extension],
        ];
        let mut observed = SUBJECT.observed(&started, shown, &[UNIT, rules].concat());
        let (stopped, interrupted) = (SUBJECT.case(&stopped), SUBJECT.case(&interrupted));
        observed.diagnosis = observed
            .diagnosis
            .or_else(|| stopping::in_warm_up(&stopped, "SIGTERM"))
            .or_else(|| stopping::in_warm_up(&interrupted, "Ctrl-C (SIGINT)"))
            .or_else(|| readiness::ready_without_port(&SUBJECT.case(&port_taken)))
            .or_else(|| diagnose(&SUBJECT.case(&started), &[readiness::status_missing]));
        Ok(observed)
    },
};

pub(crate) const BY_HAND: Requirement = Requirement {
    title: "it runs in a terminal, without systemd",
    snapshot: "by-hand",
    look: || {
        let whole = scenarios::BY_HAND.seen.clone()?;
        let timeline = whole.since(scenarios::BY_HAND_START);
        let interrupted = whole.since(scenarios::BY_HAND_CTRL_C);
        let case = SUBJECT.case_of(scenarios::BY_HAND_UNIT, &timeline);
        let mut observed = SUBJECT.observed(&timeline, shown::by_hand(&timeline), &[]);
        observed.diagnosis = without_socket(&case)
            .or_else(|| not_reloaded_by_hand(&whole))
            .or_else(|| {
                diagnose(
                    &SUBJECT.case_of(scenarios::BY_HAND_UNIT, &interrupted),
                    stopping::CTRL_C,
                )
            });
        Ok(observed)
    },
};

/// The program serves only if something receives its notifications.
pub(crate) fn without_socket(case: &Case) -> Option<String> {
    if let Some(ResponseOutcome::Answered { status: 200, .. }) =
        case.timeline.response(scenarios::BY_HAND_FIRST)
    {
        return None;
    }
    let was_started = case
        .timeline
        .of(case.unit)
        .any(|event| matches!(event.kind, EventKind::StateChanged { .. }));
    Some(match was_started {
        true => format!(
            "without NOTIFY_SOCKET the service does not serve: a missing socket is not an error, there is simply nobody to tell{}",
            case.last_words()
        ),
        false => "the run ended before the program was started by hand: what comes before that must work first".to_owned(),
    })
}

/// What SIGHUP did to the program that was started by hand, if not what it does under systemd.
fn not_reloaded_by_hand(whole: &Timeline) -> Option<String> {
    let unit = scenarios::BY_HAND_UNIT;
    let timeline = whole.between(scenarios::BY_HAND_HANGUP, scenarios::BY_HAND_CTRL_C);
    let is_exit =
        |kind: &EventKind| matches!(kind, EventKind::ProcessExited { role, .. } if role == "main");
    if let Some(exit) = timeline.first(unit, is_exit) {
        let how = describe(&exit.kind)?;
        let last_words = SUBJECT.case_of(unit, &timeline).last_words();
        return Some(format!(
            "without NOTIFY_SOCKET, SIGHUP ends the service ({how}): it should read its configuration again, and there is nobody to tell{last_words}"
        ));
    }
    let is_read = matches!(timeline.response(scenarios::BY_HAND_RELOADED), Some(ResponseOutcome::Answered { body, .. }) if body.trim_end() == scenarios::BY_HAND_GREETING);
    (!is_read).then(|| {
        "without NOTIFY_SOCKET, the service does not read its configuration again at SIGHUP: only the messages depend on the socket".to_owned()
    })
}

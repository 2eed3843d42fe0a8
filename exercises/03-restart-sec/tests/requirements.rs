//! The requirements of stage 03: what each one checks, and which causes of failure it knows.

use std::time::Duration;

use exercise_check::{ADDRESS, Observed, Requirement};
use systemd_lab::diagnosis::{Case, Rule, diagnose, restart, setup, unit_file};
use systemd_lab::protocol::{Event, EventKind};
use systemd_lab::{Timeline, View};

use crate::scenarios::{self, DATABASE_STARTS, RESET, START_BY_HAND, STOP_BY_HAND};
use crate::{SUBJECT, shown};

/// The delays that the exercise asks for: `RestartSec=`, twice as long each time, up to the longest.
const DELAYS: [Duration; 4] = [
    Duration::from_secs(20),
    Duration::from_secs(40),
    Duration::from_secs(80),
    Duration::from_secs(80),
];

/// A unit that another one pulls in starts together with it; a person's steps are further apart.
const TOGETHER: Duration = Duration::from_secs(1);

/// The `StartLimitBurst=` that the exercise asks for.
const BURST: u64 = 4;

/// The `StartLimitIntervalSec=` that the exercise asks for.
const INTERVAL: Duration = Duration::from_secs(5 * 60);

pub(crate) const SURVIVES: Requirement = Requirement {
    title: "the service survives an outage of two minutes",
    snapshot: "survives",
    look: || {
        let timeline = scenarios::OUTAGE_ENDS.clone()?;
        // For the service itself, only systemd's messages about its unit file: the number of its starts does not
        // matter.
        let view = View::of(&[SUBJECT.service()])
            .responses()
            .without_distances();
        let mut observed = SUBJECT.observed(
            &timeline,
            view.render(&timeline),
            &[
                unit_file::RULES,
                &[restart::start_cut_short, never_was_an_outage],
                restart::NOT_BACK,
            ],
        );
        if let Some(why) = database_not_started(&timeline) {
            observed.diagnosis = Some(why);
        }
        let case = SUBJECT.case(&timeline);
        explain(&mut observed, || {
            restart::given_up_within(&case, scenarios::OUTAGE)
                .or_else(|| ended_all_the_same(&timeline))
                .or_else(|| restart::still_waiting(&case))
                .or_else(|| not_listening(&timeline))
        });
        Ok(observed)
    },
};

pub(crate) const DELAY: Requirement = Requirement {
    title: "the delays are 20 s, 40 s and 80 s",
    snapshot: "delays",
    look: || {
        let timeline = scenarios::OUTAGE_ENDS.clone()?;
        let rules: &[&[Rule]] = &[
            unit_file::RULES,
            &[restart::start_cut_short, never_was_an_outage],
            restart::NOT_BACK,
        ];
        let mut observed = SUBJECT.observed(&timeline, shown::delays(&timeline), rules);
        let case = SUBJECT.case(&timeline);
        explain(&mut observed, || {
            let Some(delays) = restart::other_delays(&case, &DELAYS) else {
                return why_limit(&timeline);
            };
            // Attendees who have already set the interval should learn at once that these delays do not fit into it.
            let is_set =
                timeline.duration_property(case.unit, shown::INTERVAL_PROPERTY) == Some(INTERVAL);
            let limit = restart::limit_out_of_reach(&case).filter(|_| is_set);
            Some(limit.map_or(delays.clone(), |limit| format!("{delays}; and {limit}")))
        });
        Ok(observed)
    },
};

pub(crate) const GIVES_UP: Requirement = Requirement {
    title: "systemd gives up after four starts in five minutes",
    snapshot: "gives-up",
    look: || {
        let timeline = scenarios::CRASH_LOOP.clone()?;
        let view = View::of(&[SUBJECT.service()]).main_exits().results();
        let shown = view.render(&timeline.before(START_BY_HAND)) + &shown::machine(&timeline);
        let mut observed = SUBJECT.observed(&timeline, shown, &LIMIT_RULES);
        explain(&mut observed, || why_limit(&timeline));
        Ok(observed)
    },
};

pub(crate) const ALERT: Requirement = Requirement {
    title: "then one alert says what has failed",
    snapshot: "alert",
    look: || {
        let timeline = scenarios::CRASH_LOOP.clone()?;
        let shown = shown::alerts(&timeline.before(START_BY_HAND));
        let mut observed = SUBJECT.observed(&timeline, shown, &LIMIT_RULES);
        explain(&mut observed, || why_no_alert(&timeline));
        Ok(observed)
    },
};

pub(crate) const STOP: Requirement = Requirement {
    title: "a stop during the wait is not a failure",
    snapshot: "stop",
    look: || {
        let timeline = scenarios::CRASH_LOOP.clone()?;
        let stopped = timeline.between(STOP_BY_HAND, DATABASE_STARTS);
        let view = View::of(&[SUBJECT.service()])
            .jobs()
            .activity()
            .main_exits()
            .results();
        let shown = view.without_distances().render(&stopped) + &shown::alerts(&stopped);
        let mut observed = SUBJECT.observed(&timeline, shown, &LIMIT_RULES);
        explain(&mut observed, || {
            restart::called_after_success(&SUBJECT.case(&stopped)).or_else(|| why_limit(&timeline))
        });
        Ok(observed)
    },
};

pub(crate) const BY_HAND: Requirement = Requirement {
    title: "after reset-failed you can start it again",
    snapshot: "by-hand",
    look: || {
        let timeline = scenarios::CRASH_LOOP.clone()?;
        let view = View::of(&[SUBJECT.service()])
            .without_distances()
            .responses();
        let refused = view.clone().jobs().activity().results();
        let refused = refused.render(&timeline.between(START_BY_HAND, RESET));
        let started = view.jobs().render(&timeline.since(DATABASE_STARTS));
        let interval = shown::interval(&timeline);
        let shown =
            format!("{interval}within the five minutes\n{refused}after reset-failed\n{started}");
        let mut observed = SUBJECT.observed(&timeline, shown, &LIMIT_RULES);
        explain(&mut observed, || {
            why_limit(&timeline).or_else(|| not_listening(&timeline))
        });
        Ok(observed)
    },
};

/// For everything that comes after systemd has given up.
const LIMIT_RULES: [&[Rule]; 5] = [
    unit_file::RULES,
    &[setup::ends_the_machine],
    &[restart::start_cut_short, never_was_an_outage],
    &[restart::not_restarted],
    restart::NOT_GIVEN_UP,
];

/// Adds the result of `why` if no rule has given a diagnosis.
fn explain(observed: &mut Observed, why: impl FnOnce() -> Option<String>) {
    observed.diagnosis = observed.diagnosis.take().or_else(why);
}

fn why_limit(timeline: &Timeline) -> Option<String> {
    let case = SUBJECT.case(timeline);
    never_was_an_outage(&case)
        .or_else(|| restart::other_burst(&case, BURST))
        .or_else(|| restart::other_interval(&case, INTERVAL))
        .or_else(|| restart::growth_ignored(&case))
        .or_else(|| restart::other_delays(&case, &DELAYS))
        .or_else(|| never_ended(timeline))
        .or_else(|| ended_well(timeline))
}

fn why_no_alert(timeline: &Timeline) -> Option<String> {
    let case = SUBJECT.case(timeline);
    let template = shown::alert_template();
    // The alert's own unit file may be wrong, too.
    let of_alert = |unit: &&str| {
        let alert = SUBJECT.case_of(unit, timeline);
        diagnose(&alert, &[unit_file::unknown_setting, setup::setup_failed])
    };
    shown::alert_units(timeline)
        .iter()
        .find_map(of_alert)
        .or_else(|| diagnose(&case, restart::ALERT))
        .or_else(|| restart::other_unit_called(&case, &template))
        .or_else(|| restart::name_not_passed_on(&case, &template, SUBJECT.package()))
}

/// The exercise provides the database. If it does not start, the service is not to blame.
fn database_not_started(timeline: &Timeline) -> Option<String> {
    let database = SUBJECT.unit("-database");
    let case = SUBJECT.case_of(&database, timeline);
    let refused = timeline
        .refusal()
        .filter(|(_, message)| message.contains(&database));
    match refused {
        Some(_) => unit_file::refused(&case),
        None => setup::setup_failed(&case),
    }
}

/// Why a service does not listen although it should, if no setting of its unit is the cause.
pub(crate) fn not_listening(timeline: &Timeline) -> Option<String> {
    timeline.listening_at(ADDRESS).is_none().then_some(())?;
    let elsewhere = timeline
        .of(SUBJECT.service())
        .find_map(|event| match &event.kind {
            EventKind::ListenerOpened { address } => Some(format!(
                "the service was started and listens on {address}, and not on {ADDRESS}"
            )),
            _ => None,
        });
    elsewhere.or_else(|| never_ended(timeline)).or_else(|| {
        since_start_with_database(timeline).first()?;
        Some(format!(
            "the service was started while its database was up, and nothing listens on {ADDRESS}: that start must succeed"
        ))
    })
}

/// Everything about the service since it was first started while its database listened.
fn since_start_with_database(timeline: &Timeline) -> Vec<&Event> {
    let database = SUBJECT.unit("-database");
    let is_open = |kind: &EventKind| matches!(kind, EventKind::ListenerOpened { .. });
    let open_us = timeline
        .first(&database, is_open)
        .map_or(u64::MAX, |event| event.at_us);
    let later = timeline
        .of(SUBJECT.service())
        .filter(|event| event.at_us > open_us);
    later
        .skip_while(
            |event| !matches!(&event.kind, EventKind::StateChanged { from, to } if from != "start" && ["start", "running"].contains(&to.as_str())),
        )
        .collect()
}

/// A start while the database listened, followed by an end.
pub(crate) fn ended_all_the_same(timeline: &Timeline) -> Option<String> {
    let later = since_start_with_database(timeline);
    later.iter().find_map(|event| match &event.kind {
        EventKind::ProcessExited {
            role, code, status, ..
        } if role == "main" && code == "exited" => Some(format!(
            "the service was started while its database was up, and ended with exit code {status} all the same"
        )),
        _ => None,
    })
}

/// The database ran before anyone had started it: the service's unit pulled it in.
pub(crate) fn never_was_an_outage(case: &Case) -> Option<String> {
    let database = SUBJECT.unit("-database");
    let asked_for =
        |kind: &EventKind| matches!(kind, EventKind::JobQueued { job } if job == "start");
    let running = case.timeline.first(&database, asked_for)?;
    // The service is started first, and its database much later.
    let service = case.timeline.first(SUBJECT.service(), asked_for)?;
    let together = running.at_us.saturating_sub(service.at_us) < TOGETHER.as_micros() as u64;
    let settings = ["Requires", "Wants", "BindsTo", "Requisite", "Upholds"];
    let setting = case.units.first_of(SUBJECT.service(), &settings)?;
    together.then(|| {
        format!(
            "{setting} of {} starts its database together with it, so that there is no outage: this stage is about one that systemd cannot end",
            SUBJECT.service()
        )
    })
}

/// The exercise provides the program. If an attendee changed it, there may be nothing to restart.
pub(crate) fn never_ended(timeline: &Timeline) -> Option<String> {
    let is_exit =
        |kind: &EventKind| matches!(kind, EventKind::ProcessExited { role, .. } if role == "main");
    let is_start = |kind: &EventKind| matches!(kind, EventKind::StateChanged { .. });
    timeline.first(SUBJECT.service(), is_start)?;
    timeline.first(SUBJECT.service(), is_exit).is_none().then(|| {
        "the service did not end although its database was down: for systemd there is nothing to restart".to_owned()
    })
}

/// In that case, it may also have exited as if all were well.
pub(crate) fn ended_well(timeline: &Timeline) -> Option<String> {
    let service = SUBJECT.service();
    let is_stop = |kind: &EventKind| matches!(kind, EventKind::JobQueued { job } if job == "stop");
    let stop_us = timeline
        .first(service, is_stop)
        .map_or(u64::MAX, |event| event.at_us);
    let is_well = |kind: &EventKind| matches!(kind, EventKind::ProcessExited { role, status: 0, .. } if role == "main");
    let exit = timeline.first(service, is_well)?;
    (exit.at_us < stop_us).then(|| {
        "the service ended with exit code 0 although its database was down: for systemd that is not a failure".to_owned()
    })
}

//! The requirements of stage 01: what each one checks, and which causes of failure it knows.

use std::time::Duration;

use exercise_check::Requirement;
use systemd_lab::View;
use systemd_lab::diagnosis::{diagnose, readiness, serving, stopping, unit_file};

use crate::{SUBJECT, scenarios, shown};

/// The `Type=` that the exercise asks for.
const TYPE: &str = "exec";

/// The longest drain that the exercise allows; `TimeoutStopSec=` is twice that.
const LONGEST_DRAIN: Duration = Duration::from_secs(5);

pub(crate) const UNIT_FILE: Requirement = Requirement {
    title: "systemd and people understand the unit",
    snapshot: "unit-file",
    look: || {
        // The run that starts the unit explains best why systemd refuses it.
        let started = scenarios::START_AND_STOP.seen.clone()?;
        let verified = scenarios::BOOT.seen.clone()?;
        let shown = shown::verified(&verified) + &shown::for_people(&started);
        let mut observed = SUBJECT.observed(&started, shown, &[unit_file::RULES]);
        observed.diagnosis = observed.diagnosis.or_else(|| {
            let complaint = serving::verify_complaint(&SUBJECT.case(&verified));
            complaint.or_else(|| serving::text_for_people_missing(&SUBJECT.case(&started)))
        });
        Ok(observed)
    },
};

pub(crate) const SERVE: Requirement = Requirement {
    title: "it starts and serves",
    snapshot: "serve",
    look: || {
        let timeline = scenarios::START_AND_STOP.seen.clone()?;
        let view = View::of(&[SUBJECT.service()])
            .jobs()
            .main_exits()
            .deadlines()
            .without_distances();
        let shown = shown::start_type(&timeline)
            + &view.until("deactivating").render(&timeline)
            + &shown::listeners(&timeline)
            + &shown::response(&timeline, scenarios::FIRST);
        let rules: &[&[_]] = &[
            unit_file::RULES,
            &[readiness::ready_never_sent],
            serving::NOT_SERVING,
        ];
        let mut observed = SUBJECT.observed(&timeline, shown, rules);
        let case = SUBJECT.case(&timeline);
        observed.diagnosis = observed.diagnosis.or_else(|| {
            serving::other_answer(&case, scenarios::FIRST, shown::GREETING)
                .or_else(|| serving::other_type(&case, TYPE))
        });
        Ok(observed)
    },
};

pub(crate) const BOOT: Requirement = Requirement {
    title: "once enabled, it starts at boot",
    snapshot: "boot",
    look: || {
        let timeline = scenarios::BOOT
            .seen
            .clone()?
            .before(scenarios::SECOND_START);
        let view = View::of(&[SUBJECT.service()]).jobs().without_distances();
        let shown = shown::enablement(&timeline) + &view.until("deactivating").render(&timeline);
        let rules: &[&[_]] = &[
            unit_file::RULES,
            &[serving::not_enabled, serving::not_wanted_at_boot],
            &[readiness::ready_never_sent],
        ];
        let mut observed = SUBJECT.observed(&timeline, shown, rules);
        if observed.diagnosis.is_none() {
            // A boot skips a unit that it cannot load; a start says why.
            let started = scenarios::START_AND_STOP.seen.clone()?;
            observed.diagnosis = diagnose(&SUBJECT.case(&started), unit_file::RULES);
        }
        Ok(observed)
    },
};

pub(crate) const STOP: Requirement = Requirement {
    title: "a stop answers requests in flight, and has a limit",
    snapshot: "stop",
    look: || {
        let timeline = scenarios::START_AND_STOP.seen.clone()?;
        let boot = scenarios::BOOT.seen.clone()?;
        let patient = boot.before(scenarios::SECOND_START);
        let by_hand = boot.between(scenarios::CTRL_C, scenarios::THIRD_START);
        let hang = boot.since(scenarios::THIRD_START);
        // Any time below TimeoutStopSec= is fine: how the process ended shows whether it was kept.
        let view = View::of(&[SUBJECT.service()])
            .activity()
            .main_exits()
            .results()
            .deadlines()
            .jobs()
            .since("deactivating")
            .without_distances();
        let shown = shown::stop_timeout(&timeline)
            + &shown::response(&timeline, scenarios::IN_FLIGHT)
            + &shown::new_connection(&timeline)
            + &view.render(&timeline)
            + &shown::ctrl_c(&by_hand)
            + &shown::hang(&hang)
            + &shown::drain(&SUBJECT.case(&patient), LONGEST_DRAIN);
        let mut observed =
            SUBJECT.observed(&timeline, shown, &[unit_file::RULES, serving::NOT_SERVING]);
        let case = SUBJECT.case(&timeline);
        observed.diagnosis = observed.diagnosis.or_else(|| {
            serving::killed_before_it_ended(&case, &SUBJECT.case(&patient), LONGEST_DRAIN)
                .or_else(|| diagnose(&case, serving::STOP))
                .or_else(|| stopping::new_connection_taken(&case, scenarios::NEW))
                .or_else(|| serving::other_stop_timeout(&case, 2 * LONGEST_DRAIN))
                .or_else(|| serving::drains_too_long(&SUBJECT.case(&patient), LONGEST_DRAIN))
                // The service has to run until then.
                .or_else(|| diagnose(&SUBJECT.case(&patient), serving::NOT_SERVING))
                .or_else(|| diagnose(&SUBJECT.case(&by_hand), stopping::CTRL_C))
                // A service that systemd restarts has not ended.
                .or_else(|| serving::restarts(&case))
        });
        Ok(observed)
    },
};

pub(crate) const PORT_TAKEN: Requirement = Requirement {
    title: "a taken port is an error, and one line says so",
    snapshot: "port-taken",
    look: || {
        let timeline = scenarios::PORT_TAKEN.seen.clone()?;
        let shown = shown::port_taken(&timeline);
        let rules: &[&[_]] = &[
            unit_file::RULES,
            &[readiness::ready_never_sent],
            serving::PORT_TAKEN,
            &[serving::restarts],
        ];
        Ok(SUBJECT.observed(&timeline, shown, rules))
    },
};

pub(crate) const NO_ERRORS: Requirement = Requirement {
    title: "a healthy service logs no errors",
    snapshot: "no-errors",
    look: || {
        let timeline = scenarios::START_AND_STOP.seen.clone()?;
        let later = scenarios::BOOT
            .seen
            .clone()?
            .before(scenarios::SECOND_START);
        // A service that does not even serve logs no errors, either.
        let shown = shown::response(&timeline, scenarios::FIRST)
            + &shown::response(&later, scenarios::LATER)
            + &shown::errors_until_stop(&timeline);
        let rules: &[&[_]] = &[
            unit_file::RULES,
            &[serving::error_while_well],
            serving::NOT_SERVING,
        ];
        let mut observed = SUBJECT.observed(&timeline, shown, rules);
        let case = SUBJECT.case(&later);
        observed.diagnosis = observed.diagnosis.or_else(|| {
            diagnose(&case, serving::NOT_SERVING)
                .or_else(|| serving::other_answer(&case, scenarios::LATER, shown::GREETING))
        });
        Ok(observed)
    },
};

//! The requirements of stage 04: what each looks at, and which causes it knows.

use std::sync::Arc;

use exercise_check::Requirement;
use systemd_lab::View;
use systemd_lab::check::Observed;
use systemd_lab::diagnosis::{Case, readiness, reloading, stopping, unit_file};
use systemd_lab::protocol::event::ResponseOutcome;

use crate::protocol::Transcript;
use crate::{SUBJECT, scenarios, transcript};

pub(crate) const READY: Requirement = Requirement {
    title: "READY=1 means that it answers",
    snapshot: "ready",
    look: || {
        let timeline = scenarios::START_AND_STOP.clone()?;
        let (service, client) = (SUBJECT.service(), SUBJECT.unit("-client"));
        let view = View::of(&[service, &client])
            .jobs()
            .states()
            .notifications(&["READY=1"])
            .exits()
            .logs_of(&client);
        let shown = view.until("stop-sigterm").render(&timeline);
        Ok(SUBJECT.observed(&timeline, shown, &[unit_file::RULES, readiness::START]))
    },
};

pub(crate) const STATUS: Requirement = Requirement {
    title: "STATUS= says what it does",
    snapshot: "status",
    look: || {
        let timeline = scenarios::START_AND_STOP.clone()?;
        let shown = scenarios::statuses(&timeline);
        Ok(SUBJECT.observed(
            &timeline,
            shown,
            &[
                unit_file::RULES,
                readiness::START,
                &[stopping::no_signal_handler, readiness::status_missing],
            ],
        ))
    },
};

pub(crate) const STOP: Requirement = Requirement {
    title: "a stop is announced, answers what is in flight, and is bounded",
    snapshot: "stop",
    look: || {
        let timeline = scenarios::START_AND_STOP.clone()?;
        let view = View::of(&[SUBJECT.service()])
            .states()
            .notifications(&["STOPPING=1"])
            .exits()
            .results();
        // Any time below TimeoutStopSec= will do: whether it was kept shows in how the process ended.
        let view = view
            .deadlines()
            .responses()
            .jobs()
            .since("stop-sigterm")
            .without_distances();
        Ok(SUBJECT.observed(
            &timeline,
            view.render(&timeline),
            &[unit_file::RULES, stopping::RULES],
        ))
    },
};

pub(crate) const HANGING_START: Requirement = Requirement {
    title: "a start that hangs is ended after 10 s",
    snapshot: "hanging-start",
    look: || {
        let timeline = scenarios::HANGING_START.clone()?;
        let view = View::of(&[SUBJECT.service()])
            .states()
            .exits()
            .results()
            .deadlines()
            .jobs();
        let rules = [
            unit_file::RULES,
            &[readiness::type_without_readiness],
            readiness::GIVEN_UP,
            readiness::START,
        ];
        // What comes after that is Restart='s affair, and stage 03's.
        let shown = view.render(&timeline);
        let end = shown
            .find("failed: timeout\n")
            .map_or(shown.len(), |at| at + "failed: timeout\n".len());
        Ok(SUBJECT.observed(&timeline, shown[..end].to_owned(), &rules))
    },
};

pub(crate) const LONG_WARM_UP: Requirement = Requirement {
    title: "a warm-up of 30 s is kept alive",
    snapshot: "long-warm-up",
    look: || {
        let timeline = scenarios::LONG_WARM_UP.clone()?;
        let view = View::of(&[SUBJECT.service()])
            .states()
            .exits()
            .deadlines()
            .jobs()
            .notifications(&["READY=1"]);
        let rules = [
            unit_file::RULES,
            &[readiness::type_without_readiness],
            readiness::KEPT_ALIVE,
            readiness::START,
        ];
        Ok(SUBJECT.observed(
            &timeline,
            view.until("stop-sigterm").render(&timeline),
            &rules,
        ))
    },
};

pub(crate) const RELOAD: Requirement = Requirement {
    title: "a reload is announced, and drops nothing",
    snapshot: "reload",
    look: || {
        let timeline = scenarios::RELOAD.clone()?;
        let view = View::of(&[SUBJECT.service()])
            .states()
            .exits()
            .notifications(&["RELOADING=1", "READY=1"])
            .deadlines()
            .responses()
            .jobs()
            .since("running")
            .without_distances();
        let rules = [
            reloading::RULES,
            unit_file::RULES,
            &[readiness::type_without_readiness],
            readiness::START,
            &[configuration_not_read, reloading::status_missing],
        ];
        let shown = view.render(&timeline);
        // A request that began before the reload may be answered with the configuration from before.
        let shown = shown.replace(
            "\"in flight\": 200 \"Hello World!\"",
            "\"in flight\": 200 \"Hello again!\"",
        );
        let shown = shown + &scenarios::reload_statuses(&timeline);
        Ok(SUBJECT.observed(&timeline, shown, &rules))
    },
};

/// The reload was announced and ended, and the answers are as they were.
fn configuration_not_read(case: &Case) -> Option<String> {
    match case.timeline.response("after a bad configuration")? {
        ResponseOutcome::Answered { body, .. } if body.trim_end() != "Hello again!" => {
            Some(format!(
                "the reload was reported as done, and the answer is still {:?}: the configuration of before holds",
                body.trim_end()
            ))
        }
        _ => None,
    }
}

pub(crate) const PROTOCOL: Requirement = Requirement {
    title: "it speaks the notification protocol, in order",
    snapshot: "protocol",
    look: || {
        Ok(observed_on_host(
            scenarios::PROTOCOL.as_ref().map_err(Arc::clone)?,
        ))
    },
};

pub(crate) const BY_HAND: Requirement = Requirement {
    title: "it runs by hand, without systemd",
    snapshot: "by-hand",
    look: || {
        Ok(observed_on_host(
            scenarios::BY_HAND.as_ref().map_err(Arc::clone)?,
        ))
    },
};

fn observed_on_host(transcript: &Transcript) -> Observed {
    Observed {
        shown: transcript.lines.join("\n"),
        diagnosis: transcript::diagnose(&transcript.lines),
        witness: "the other end of the notify socket",
        scenario: None,
    }
}

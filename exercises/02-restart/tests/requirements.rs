//! The requirements of stage 02: what each one checks, and which settings may decide it.

use std::fs;
use std::sync::Arc;

use exercise_check::{Look, Observed, Requirement};
use systemd_lab::diagnosis::policy::{self, Ending, Expected};
use systemd_lab::diagnosis::{diagnose, setup, unit_file};
use systemd_lab::protocol::Condition;
use systemd_lab::{Timeline, View};

use crate::SUBJECT;
use crate::scenarios::{self, database, worker};
use crate::table;

/// signal(7), x86-64.
const SIGKILL: Ending = Ending::Signal(9);
const SIGABRT: Ending = Ending::Signal(6);

/// sysexits(3): a configuration error, and a temporary failure.
const EX_CONFIG: i32 = 78;
const EX_TEMPFAIL: i32 = 75;

/// The worker's own exit code: done, with broken items skipped.
const WITH_SKIPS: i32 = 10;

pub(crate) const PREDICTION: Requirement = Requirement {
    title: "prediction.md says what systemd does",
    snapshot: "prediction",
    look: || {
        let measured = scenarios::TABLE.as_ref().map_err(Arc::clone)?;
        let text = fs::read_to_string(SUBJECT.package_file("prediction.md"))
            .map_err(|error| format!("prediction.md cannot be read: {error}; {}", restore()));
        let (shown, diagnosis) = match text.and_then(|text| table::parse(&text, &restore())) {
            Ok(prediction) => {
                let comparison = table::compare(&prediction, measured);
                (comparison.shown, comparison.diagnosis)
            }
            Err(message) => (
                "prediction.md cannot be understood".to_owned(),
                Some(message),
            ),
        };
        Ok(Observed {
            shown,
            diagnosis,
            witness: "systemd",
            scenario: None,
        })
    },
};

/// The command that restores the prediction, for the workshop's folder.
fn restore() -> String {
    "`git restore exercises/02-restart/prediction.md` brings it back".to_owned()
}

pub(crate) const WEB: Requirement = Requirement {
    title: "systemd restarts the web front end however it ended",
    snapshot: "web",
    look: || {
        const ENDS: [Expected; 3] = [
            fails(SIGKILL, Then::ComesBack),
            fails(SIGABRT, Then::ComesBack),
            succeeds(0, Then::ComesBack),
        ];
        ends(&*scenarios::ENDS.seen.clone()?, SUBJECT.service(), &ENDS)
    },
};

pub(crate) const WORKER: Requirement = Requirement {
    title: "systemd restarts the worker until its work is done",
    snapshot: "worker",
    look: || {
        const ENDS: [Expected; 3] = [
            fails(SIGKILL, Then::ComesBack),
            succeeds(WITH_SKIPS, Then::StaysDown),
            succeeds(0, Then::StaysDown),
        ];
        ends(&*scenarios::ENDS.seen.clone()?, &worker(), &ENDS)
    },
};

pub(crate) const DATABASE: Requirement = Requirement {
    title: "the database stays down after a crash",
    snapshot: "database",
    look: || {
        const ENDS: [Expected; 3] = [
            fails(SIGABRT, Then::StaysDown),
            fails(SIGKILL, Then::StaysDown),
            fails(Ending::Code(EX_TEMPFAIL), Then::ComesBack),
        ];
        ends(&*scenarios::ENDS.seen.clone()?, &database(), &ENDS)
    },
};

pub(crate) const BAD_CONFIGURATION: Requirement = Requirement {
    title: "systemd does not retry a configuration error",
    snapshot: "bad-configuration",
    look: || {
        const ENDS: [Expected; 1] = [fails(Ending::Code(EX_CONFIG), Then::StaysDown)];
        let timeline = scenarios::BAD_CONFIGURATION.seen.clone()?;
        let units = [SUBJECT.service().to_owned(), worker(), database()];
        let mut all = Observed {
            shown: String::new(),
            diagnosis: None,
            witness: "systemd",
            scenario: Some(timeline.scenario().to_owned()),
        };
        for unit in &units {
            let one = ends(&timeline, unit, &ENDS)?;
            all.shown.push_str(&one.shown);
            all.diagnosis = all.diagnosis.or(one.diagnosis);
        }
        Ok(all)
    },
};

/// What should follow.
enum Then {
    ComesBack,
    StaysDown,
}

const fn fails(ending: Ending, then: Then) -> Expected {
    Expected {
        ending,
        succeeds: false,
        restarts: matches!(then, Then::ComesBack),
    }
}

const fn succeeds(code: i32, then: Then) -> Expected {
    Expected {
        ending: Ending::Code(code),
        succeeds: true,
        restarts: matches!(then, Then::ComesBack),
    }
}

/// How one of the units ended, each time, and how systemd reacted.
fn ends(timeline: &Timeline, unit: &str, expected: &[Expected]) -> Look {
    let view = View::of(&[unit]).main_exits().results().without_distances();
    let case = SUBJECT.case_of(unit, timeline);
    Ok(Observed {
        shown: view.render(timeline),
        diagnosis: diagnose(&case, unit_file::RULES)
            .or_else(|| policy::explain(&case, expected))
            .or_else(|| setup::ends_the_machine(&case))
            .or_else(|| not_reached(timeline)),
        witness: "systemd",
        scenario: Some(timeline.scenario().to_owned()),
    })
}

/// The run ended because a service did not do what it had to do.
pub(crate) fn not_reached(timeline: &Timeline) -> Option<String> {
    let why = match scenarios::waited_for(timeline) {
        Some(Condition::NextSubState { unit, any_of }) => {
            let does = match any_of.iter().any(|state| state == "running") {
                true => "run again",
                false => "end",
            };
            format!("{unit} did not {does} within 20 s")
        }
        Some(Condition::SubState { unit, .. } | Condition::JobEnded { unit }) => {
            format!("{unit} did not start within 2 min")
        }
        // For example, a step that found no process.
        _ => timeline.refusal()?.1.trim_end_matches('.').to_owned(),
    };
    Some(format!("the run ended before it came to this: {why}"))
}

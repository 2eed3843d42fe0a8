//! Where no rule of a check recognises why a requirement is not met, what the run shows of the units is the best explanation.

use std::sync::{Arc, Mutex, PoisonError};

use systemd_lab::findings::{self, Finding, Rule};
use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{GuestFile, Timeline, describe};

use crate::verdict::Observed;

/// What was run so far.
static RUNS: Mutex<Vec<Run>> = Mutex::new(Vec::new());

struct Run {
    scenario: Scenario,
    files: Vec<GuestFile>,
    timeline: Arc<Timeline>,
}

/// Keeps a run, in case that it has to explain something.
pub(crate) fn remember(scenario: &Scenario, files: &[GuestFile], timeline: &Arc<Timeline>) {
    let run = Run {
        scenario: scenario.clone(),
        files: files.to_vec(),
        timeline: Arc::clone(timeline),
    };
    RUNS.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(run);
}

/// Why something else was seen than was expected: what a rule said, or else what the run shows. If the run ended early, that
/// explains everything else; `ended` is what the stage itself says of a machine that ended, if it does.
pub(crate) fn of(observed: &Observed, ended: impl FnOnce() -> Option<String>) -> Option<String> {
    let by_rule = observed.diagnosis.clone();
    let runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    let name = observed.scenario.as_deref();
    let run = runs
        .iter()
        .find(|run| Some(run.scenario.name.as_str()) == name);
    let Some(run) = run else {
        return by_rule;
    };
    let found = findings::of_run(
        &run.timeline,
        &run.scenario,
        &systemd_lab::unit_texts(&run.files),
    );
    let is_early = |finding: &&Finding| {
        matches!(
            finding.rule,
            Rule::MachineEnded { .. }
                | Rule::WentBlind { .. }
                | Rule::ProcessorBusy {
                    cut_us: Some(_),
                    ..
                }
        )
    };
    match found.iter().find(is_early) {
        Some(finding) if matches!(finding.rule, Rule::MachineEnded { .. }) => {
            ended().or_else(|| Some(finding.what()))
        }
        Some(finding) => Some(finding.what()),
        None => by_rule.or_else(|| found.first().map(Finding::what)),
    }
}

/// What was seen, with a line more if the lab was blind in that run: whatever it shows then, more may have happened.
pub(crate) fn with_blindness(observed: Observed) -> Observed {
    let runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    let name = observed.scenario.as_deref();
    let mut runs = runs.iter();
    let run = runs.find(|run| Some(run.scenario.name.as_str()) == name);
    let blind = run.and_then(|run| {
        let mut kinds = run.timeline.events().iter().map(|event| &event.kind);
        let blind = kinds.find(|kind| matches!(kind, EventKind::WentBlind { .. }))?;
        describe(blind)
    });
    match blind {
        Some(blind) if !observed.shown.contains(&blind) => Observed {
            shown: format!("{}{blind}\n", observed.shown),
            ..observed
        },
        _ => observed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use systemd_lab::protocol::Event;
    use systemd_lab::protocol::event::{Blinding, Source};

    fn observed(scenario: &str, diagnosis: Option<&str>) -> Observed {
        Observed {
            shown: String::new(),
            diagnosis: diagnosis.map(str::to_owned),
            witness: "systemd",
            scenario: Some(scenario.to_owned()),
        }
    }

    #[test]
    fn a_finding_of_the_same_run_explains_what_no_rule_recognises() {
        let unit = GuestFile::text(
            "/etc/systemd/system/a.service",
            "[Unit]\nRequires=b.service\n",
        );
        let failed = Event {
            at_us: 0,
            unit: Some("a.service".to_owned()),
            source: Source::Agent,
            kind: EventKind::JobEnded {
                job: "start".to_owned(),
                result: "dependency".to_owned(),
            },
        };
        let run = |name: &str, events: Vec<Event>| {
            let timeline = Arc::new(Timeline::new(events));
            remember(&Scenario::new(name), std::slice::from_ref(&unit), &timeline);
        };
        run("all is well", Vec::new());
        run("b fails", vec![failed]);
        let explained = |name, diagnosis| of(&observed(name, diagnosis), || None);
        let said = explained("b fails", None).expect("the run shows it");
        assert!(
            said.starts_with("systemd did not start a.service"),
            "{said}"
        );
        assert_eq!(explained("b fails", Some("rule")).as_deref(), Some("rule"));
        assert_eq!(explained("all is well", None), None);
        assert_eq!(explained("another", None), None);
    }

    /// Whatever is shown, more may have happened: so it must not be what the snapshot has.
    #[test]
    fn a_run_in_which_the_lab_was_blind_is_never_as_expected() {
        let level = "notice".to_owned();
        let how = Blinding::LogLevel { level };
        let blind = Event {
            at_us: 5_000_000,
            unit: None,
            source: Source::Agent,
            kind: EventKind::WentBlind { how },
        };
        let unit = GuestFile::unit("c.service", "[Service]\n");
        for (name, events) in [("c is seen", Vec::new()), ("c blinds the lab", vec![blind])] {
            let timeline = Arc::new(Timeline::new(events));
            remember(&Scenario::new(name), std::slice::from_ref(&unit), &timeline);
        }
        assert_eq!(with_blindness(observed("c is seen", None)).shown, "");
        let seen = with_blindness(observed("c blinds the lab", Some("rule")));
        assert_eq!(
            seen.shown,
            "from here on the lab is blind: a process set systemd's log level to notice\n"
        );
        let why = of(&seen, || None).expect("it is explained");
        assert!(
            why.starts_with("the lab did not see what systemd did from "),
            "{why}"
        );
    }
}

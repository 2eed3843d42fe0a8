//! Findings of any run in the lab, not only of an experiment.

use systemd_lab_protocol::scenario::Whom;
use systemd_lab_protocol::{EventKind, Scenario, Step};

use super::{Finding, Harm, Sources, find};
use crate::names::{SIGCONT, SIGSTOP};
use crate::timeline::Timeline;
use crate::unit_texts::UnitTexts;

/// What a run shows that the author of these units should know, from the timeline of this scenario.
pub fn of_run(timeline: &Timeline, scenario: &Scenario, units: &UnitTexts) -> Vec<Finding> {
    let texts = units;
    let units = texts.iter().map(|(name, _)| name.to_owned());
    let units = units.filter(|name| !name.contains(".d/") && !name.contains("@."));
    let mut sources = Sources::new(units.collect(), texts.clone());
    for event in timeline.events() {
        let EventKind::StepBegan { index, .. } = event.kind else {
            continue;
        };
        if let Some((unit, harm)) = scenario.steps.get(index).and_then(harm) {
            sources.harms(unit, timeline.time_of(event), harm);
        }
    }
    find(timeline, &sources)
}

/// The effect of a step on a unit, and the unit.
fn harm(step: &Step) -> Option<(&str, Harm)> {
    match step {
        Step::Signal { unit, signal, whom } => {
            let harm = match (*signal, whom) {
                (SIGSTOP, Whom::All) => Harm::Freeze,
                (SIGSTOP, Whom::Main) => Harm::StopMain,
                (SIGCONT, _) => Harm::Continue,
                _ => Harm::Other,
            };
            Some((unit, harm))
        }
        Step::Stop { unit } | Step::Restart { unit } => Some((unit, Harm::Stop)),
        Step::Reload { unit } => Some((unit, Harm::Reload)),
        Step::Start { unit } => Some((unit, Harm::Start)),
        Step::Run { .. } | Step::RunInBackground { .. } => Some(("", Harm::Other)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Rule;
    use std::time::Duration;
    use systemd_lab_protocol::Event;
    use systemd_lab_protocol::event::Source;

    const UNIT: &str = "a.service";

    fn file(text: &str) -> UnitTexts {
        UnitTexts::new([(UNIT.to_owned(), text.to_owned())])
    }

    #[test]
    fn what_the_scenario_did_is_not_the_services_fault() {
        let stop = Scenario::new("stopped").start(UNIT).stop(UNIT);
        let killed = Scenario::new("killed").start(UNIT).signal(UNIT, 15);
        let unit = file("[Service]\nExecStart=/bin/a\n");
        let event = |at_ms: u64, kind| Event {
            at_us: at_ms * 1000,
            unit: Some(UNIT.to_owned()),
            source: Source::Agent,
            kind,
        };
        let changed = |from: &str, to: &str| EventKind::StateChanged {
            from: from.to_owned(),
            to: to.to_owned(),
        };
        let exited = EventKind::ProcessExited {
            role: "main".to_owned(),
            code: "exited".to_owned(),
            status: 143,
            command: None,
            is_ignored: false,
        };
        let result = "exit-code".to_owned();
        let timeline = Timeline::new(vec![
            event(
                0,
                EventKind::StepBegan {
                    index: 0,
                    label: None,
                },
            ),
            event(1, changed("dead", "running")),
            event(
                2000,
                EventKind::StepBegan {
                    index: 1,
                    label: None,
                },
            ),
            event(2001, changed("running", "stop-sigterm")),
            event(2002, exited),
            event(2003, EventKind::Failed { result }),
        ]);
        let found = of_run(&timeline, &stop, &unit);
        let [finding] = found.as_slice() else {
            panic!("{found:#?}")
        };
        assert!(matches!(&finding.rule, Rule::StopCountsAsFailure { status } if status == "143"));
        assert_eq!(
            finding.at_us,
            [Duration::from_millis(2003).as_micros() as u64]
        );
        assert_eq!(finding.place.as_ref().map(|place| place.line), Some(2));
        assert!(of_run(&timeline, &killed, &unit).is_empty());
        assert!(of_run(&timeline, &stop, &UnitTexts::default()).is_empty());
    }

    /// All memory is used up, and the kernel panics: the finding names the setting that left the
    /// kernel nothing to kill.
    #[test]
    fn a_panic_over_memory_names_what_the_kernel_may_not_end() {
        let scenario = Scenario::new("panics").start(UNIT);
        let panicked = || {
            let message = "Kernel panic - not syncing: System is deadlocked on memory";
            let how = systemd_lab_protocol::event::MachineEnd::Panicked;
            let kind = EventKind::MachineEnded {
                how,
                message: message.to_owned(),
            };
            Timeline::new(vec![Event {
                at_us: 5,
                unit: None,
                source: Source::Console,
                kind,
            }])
        };
        let found = |setting: &str| {
            let text = format!("[Service]\nExecStart=/bin/a\n{setting}\n");
            of_run(&panicked(), &scenario, &file(&text))
        };
        let [finding] = &found("OOMScoreAdjust=-1000")[..] else {
            panic!("one is found");
        };
        assert_eq!(
            finding.what(),
            "the kernel panics: System is deadlocked on memory: OOMScoreAdjust=-1000 keeps the kernel from ending the processes of a.service"
        );
        assert!(finding.change().contains("MemoryMax="));
        assert_eq!(finding.place.as_ref().map(|place| place.line), Some(3));
        let [finding] = &found("OOMScoreAdjust=-900")[..] else {
            panic!("one is found");
        };
        assert!(finding.place.is_none(), "{finding:#?}");
    }
}

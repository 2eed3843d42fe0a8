//! The results of a sweep, for people, as JSON and as JUnit XML.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;
use systemd_lab::experiment::span_text;
use systemd_lab::sweep::{Outcome, Swept, Trial};
use systemd_lab::{Experiment, visible};

use crate::counted::{all, counted};
use crate::style;
use crate::table::table;
use crate::trials::{NO_FAULT, NOT_AGAIN, broken_without_fault, failed_case, with_faults};

/// Increased when a field of the JSON is removed or changes its meaning.
const VERSION: u32 = 1;

/// The results of a sweep.
pub(super) struct Report<'a> {
    experiment: &'a Experiment,
    swept: &'a Swept,
    groups: Vec<Group<'a>>,
    violations: Vec<Violation<'a>>,
}

/// Trials of one fault in one phase that ended in the same way.
#[derive(Serialize)]
struct Group<'a> {
    fault: &'a str,
    phase: &'a str,
    how: String,
    moments: usize,
    #[serde(skip)]
    worst: &'a Trial,
    holds: bool,
}

/// Trials of one fault in one phase after which the same requirement is not met.
#[derive(Serialize)]
struct Violation<'a> {
    requirement: String,
    fault: &'a str,
    phase: &'a str,
    moments: usize,
    measured: &'a str,
    what: &'a str,
    reproduce: String,
    /// Whether the command's own run shows it as well, if that is known.
    shows_again: Option<bool>,
    #[serde(skip)]
    worst: &'a Trial,
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    unit: &'a str,
    planned: usize,
    left_out: usize,
    without_fault: &'a [systemd_lab::experiment::Verdict],
    groups: &'a [Group<'a>],
    violations: &'a [Violation<'a>],
    trials: &'a [Trial],
}

impl<'a> Report<'a> {
    /// `command` runs the same plan without the fault.
    pub(super) fn new(experiment: &'a Experiment, swept: &'a Swept, command: &str) -> Report<'a> {
        Report {
            experiment,
            swept,
            groups: groups(&swept.trials),
            violations: violations(&swept.trials, experiment, command),
        }
    }

    /// The trial of each violation, and the requirement that is not met.
    pub(super) fn violations(&self) -> impl Iterator<Item = (&'a Trial, &str)> {
        let violations = self.violations.iter();
        violations.map(|it| (it.worst, it.requirement.as_str()))
    }

    /// With what the commands' own runs showed, in the order of the violations.
    pub(super) fn shown_again(mut self, shown: Vec<Option<bool>>) -> Report<'a> {
        for (violation, shown) in self.violations.iter_mut().zip(shown) {
            violation.shows_again = shown;
        }
        self
    }

    pub(super) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&Document {
            version: VERSION,
            unit: self.experiment.main_unit(),
            planned: self.swept.planned,
            left_out: self.swept.left_out,
            without_fault: &self.swept.without_fault,
            groups: &self.groups,
            violations: &self.violations,
            trials: &self.swept.trials,
        })
    }

    /// One case for each fault and phase.
    pub(super) fn junit(&self) -> Result<String, quick_junit::SerializeError> {
        let unit = self.experiment.main_unit();
        let mut suite = TestSuite::new(unit);
        let mut cases: BTreeMap<(&str, &str), Vec<&Violation<'_>>> = BTreeMap::new();
        for group in &self.groups {
            cases.entry((group.fault, group.phase)).or_default();
        }
        for violation in &self.violations {
            let case = cases.entry((violation.fault, violation.phase));
            case.or_default().push(violation);
        }
        let mut cases: Vec<TestCase> = cases
            .into_iter()
            .map(|((fault, phase), violations)| {
                let name = format!("{fault} while {phase}");
                let messages = violations.iter().map(|violation| {
                    format!("{}: {}", violation.requirement, visible(violation.measured))
                });
                let commands = violations.iter().map(|it| it.reproduce.as_str());
                let mut trials = self.swept.trials.iter();
                let is_slow = trials.any(|it| {
                    it.fault == fault && it.phase == phase && it.outcome == Outcome::OutOfTime
                });
                let slow = is_slow.then(|| "a run took too long".to_owned());
                let messages: Vec<String> = messages.chain(slow).collect();
                match messages.is_empty() {
                    true => TestCase::new(name, TestCaseStatus::success()),
                    false => {
                        let commands: Vec<&str> = commands.collect();
                        failed_case(name, messages.join("; "), commands.join("\n"))
                    }
                }
            })
            .collect();
        let without = self.swept.without_fault.iter().filter(|it| !it.holds);
        cases.extend(without.map(|it| {
            let name = format!("{} without a fault", it.requirement);
            failed_case(name, visible(&it.measured), "")
        }));
        // Whatever is not known must not look as if it had passed.
        cases.extend(
            self.nothing_known()
                .map(|why| failed_case("what is required was judged", why, "")),
        );
        for mut case in cases {
            case.set_classname(unit);
            suite.add_test_case(case);
        }
        let mut report = quick_junit::Report::new("systemd-lab");
        report.add_test_suite(suite);
        report.to_string()
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let faults = match self.swept.faults().join(", ") {
            // Interrupted before the first run, or no moment to try.
            none if none.is_empty() => none,
            faults => format!("{faults} in "),
        };
        let mut text = format!(
            "{}: {faults}{}, at {} of {}\n",
            style::strong(self.experiment.main_unit()),
            counted(self.swept.trials.len(), "run"),
            counted(self.swept.moments.len(), "moment"),
            span_text(self.experiment.length()),
        );
        if self.swept.left_out > 0 {
            let left_out = match self.swept.left_out {
                1 => "1 more moment was".to_owned(),
                number => format!("{number} more moments were"),
            };
            text += &format!("{left_out} left out; --moments tries more\n");
        }
        text += &broken_without_fault(&self.swept.without_fault);
        text += "\n";
        text += &self.table();
        if !self.violations.is_empty() {
            text += &format!("\n{}\n", style::strong("What does not hold"));
        }
        for violation in &self.violations {
            text += &format!(
                "  ✗ {}: {} while {}: {}\n      {}\n      {}\n",
                violation.requirement,
                violation.fault,
                violation.phase,
                counted(violation.moments, "moment"),
                visible(&format!("{}, {}", violation.measured, violation.what)),
                violation.reproduce,
            );
            if violation.shows_again == Some(false) {
                text += NOT_AGAIN;
            }
        }
        let (made, judged) = (self.swept.trials.len(), self.swept.judged());
        if let Some(why) = self.nothing_known() {
            text += &format!("\n✗ {why}\n");
        } else if self.swept.holds() && !self.experiment.requirements().is_empty() {
            text += &match judged {
                _ if made < self.swept.planned => format!(
                    "\nWhat is required holds so far, in {made} of {} runs\n",
                    self.swept.planned
                ),
                judged if judged < made => {
                    format!(
                        "\n✓ What is required holds in the {judged} of {made} runs in which it counts\n"
                    )
                }
                _ => format!("\n✓ What is required holds in {}\n", all(made, "run")),
            };
        }
        text
    }

    /// Why nothing is known about what is required, if that is so.
    fn nothing_known(&self) -> Option<&'static str> {
        let swept = self.swept;
        if swept.moments.is_empty() {
            return Some(
                "Nothing happens in this time, so there is no moment for a fault: choose a longer one with --for",
            );
        }
        if swept.trials.is_empty() {
            return None;
        }
        if !swept.has_hit() {
            return Some(match swept.left_out {
                0 => NO_FAULT,
                _ => {
                    "No fault came: at these moments there was nothing to hit; --moments tries more"
                }
            });
        }
        let is_required = !self.experiment.requirements().is_empty();
        let is_slow = |trial: &Trial| trial.outcome == Outcome::OutOfTime;
        (is_required && swept.judged() == 0 && !swept.trials.iter().all(is_slow)).then_some(
            "Nothing was judged: after a stop, requirements on answers and recovery do not count",
        )
    }

    fn table(&self) -> String {
        let header = ["Fault", "While", "Moments", "What happened"].map(str::to_owned);
        let rows = self.groups.iter().map(|group| {
            let mark = if group.holds { "" } else { "✗ " };
            [
                group.fault.to_owned(),
                group.phase.to_owned(),
                group.moments.to_string(),
                format!("{mark}{}", group.how),
            ]
        });
        let rows: Vec<[String; 4]> = std::iter::once(header).chain(rows).collect();
        table(&rows, 1, Some(2))
    }
}

/// By fault, in the order of the trials; then by phase, in the order of time; then the worst first.
fn groups(trials: &[Trial]) -> Vec<Group<'_>> {
    let mut groups: Vec<(Group<'_>, Duration)> = Vec::new();
    for trial in trials {
        let kind = kind(trial);
        let recovery = trial.recovery().unwrap_or_default();
        let same = groups.iter_mut().find(|(group, _)| {
            group.fault == trial.fault
                && group.phase == trial.phase
                && kind == self::kind(group.worst)
        });
        match same {
            Some((group, worst)) => {
                group.moments += 1;
                group.holds &= trial.holds();
                if recovery > *worst {
                    (*worst, group.worst) = (recovery, trial);
                }
            }
            None => groups.push((
                Group {
                    fault: &trial.fault,
                    phase: &trial.phase,
                    how: String::new(),
                    moments: 1,
                    worst: trial,
                    holds: trial.holds(),
                },
                recovery,
            )),
        }
    }
    let mut groups: Vec<Group<'_>> = groups
        .into_iter()
        .map(|(group, worst)| Group {
            how: how(group.worst, worst, group.moments),
            ..group
        })
        .collect();
    let order = |group: &Group<'_>| {
        let trials = || trials.iter();
        let fault = trials().position(|trial| trial.fault == group.fault);
        let phase = trials().position(|trial| trial.phase == group.phase);
        (fault, phase)
    };
    groups.sort_by_key(|group| (order(group), group.holds));
    groups
}

/// What makes two trials end in the same way, apart from how long it took.
fn kind(trial: &Trial) -> (u8, &str) {
    match &trial.outcome {
        Outcome::Refused => (0, ""),
        Outcome::NeverGone => (1, ""),
        Outcome::Stopped { state } => (2, state),
        Outcome::Recovered { .. } => (3, ""),
        Outcome::Lost { state } => (4, state),
        Outcome::Unseen => (5, ""),
        Outcome::OutOfTime => (6, ""),
    }
}

fn how(trial: &Trial, worst: Duration, moments: usize) -> String {
    let at_worst = if moments > 1 { " at worst" } else { "" };
    match &trial.outcome {
        Outcome::Refused => "systemd refused the fault".to_owned(),
        Outcome::NeverGone => "never gone".to_owned(),
        Outcome::Stopped { state } => format!("stopped: {state}"),
        Outcome::Recovered { .. } => {
            format!(
                "back after {}.{:03} s{at_worst}",
                worst.as_secs(),
                worst.subsec_millis()
            )
        }
        Outcome::Lost { state } => format!("not back at the end: {state}"),
        Outcome::Unseen => "unknown: the lab did not see all that systemd did".to_owned(),
        Outcome::OutOfTime => "the run took too long".to_owned(),
    }
}

/// Each requirement that is not met, by fault and phase, with the command of the worst moment.
fn violations<'a>(
    trials: &'a [Trial],
    experiment: &Experiment,
    command: &str,
) -> Vec<Violation<'a>> {
    let mut found: Vec<Violation<'a>> = Vec::new();
    for trial in trials {
        for verdict in trial.verdicts.iter().filter(|verdict| !verdict.holds) {
            let requirement = verdict.requirement.to_string();
            let same = found.iter_mut().find(|violation| {
                violation.requirement == requirement
                    && violation.fault == trial.fault
                    && violation.phase == trial.phase
            });
            let violation = |moments| Violation {
                requirement: requirement.clone(),
                fault: &trial.fault,
                phase: &trial.phase,
                moments,
                measured: &verdict.measured,
                what: &trial.what,
                reproduce: reproduce(command, experiment, trial),
                shows_again: None,
                worst: trial,
            };
            match same {
                Some(known) => {
                    known.moments += 1;
                    if badness(trial) > badness(known.worst) {
                        *known = violation(known.moments);
                    }
                }
                None => found.push(violation(1)),
            }
        }
    }
    found
}

/// A service that does not recover is worse than one that takes long.
fn badness(trial: &Trial) -> (u8, Duration) {
    match trial.recovery() {
        Some(recovery) => (0, recovery),
        None => (1, Duration::ZERO),
    }
}

fn reproduce(command: &str, experiment: &Experiment, trial: &Trial) -> String {
    let length = experiment.length_after(trial.at);
    let fault = (trial.at, trial.fault.clone());
    format!("{command} {}", with_faults(length, [fault]))
}

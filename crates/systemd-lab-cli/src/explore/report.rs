//! The results of an exploration, for people, as JSON and as JUnit XML.

use std::collections::{BTreeMap, BTreeSet};

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;
use systemd_lab::explore::{Explored, Plan, Violation};
use systemd_lab::{Experiment, Explore, visible};

use crate::counted::{all, counted};
use crate::style;
use crate::table::table;
use crate::trials::{NOT_AGAIN, broken_without_fault, with_faults};

/// Increased when a field of the JSON is removed or changes its meaning.
const VERSION: u32 = 1;

/// For a unit that stayed in its state.
const SAME: &str = "no change";

/// The results of an exploration.
pub(super) struct Report<'a> {
    explore: &'a Explore,
    experiment: &'a Experiment,
    explored: &'a Explored,
    /// Runs the experiment without the random faults.
    command: &'a str,
    /// Whether the run of each violation's command shows it as well, if that is known.
    shown_again: Vec<Option<bool>>,
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    unit: &'a str,
    #[serde(flatten)]
    explored: &'a Explored,
    /// A command for each violation, in their order.
    reproduce: Vec<String>,
    /// Whether the command's own run shows the violation as well, if that is known; in the same order.
    shows_again: &'a [Option<bool>],
}

impl<'a> Report<'a> {
    pub(super) fn new(
        explore: &'a Explore,
        experiment: &'a Experiment,
        explored: &'a Explored,
        command: &'a str,
        shown_again: Vec<Option<bool>>,
    ) -> Report<'a> {
        Report {
            explore,
            experiment,
            explored,
            command,
            shown_again,
        }
    }

    pub(super) fn json(&self) -> serde_json::Result<String> {
        let violations = self.explored.violations.iter();
        serde_json::to_string_pretty(&Document {
            version: VERSION,
            unit: self.experiment.main_unit(),
            explored: self.explored,
            reproduce: violations.map(|it| self.reproduce(&it.plan)).collect(),
            shows_again: &self.shown_again,
        })
    }

    /// One case for each requirement.
    pub(super) fn junit(&self) -> Result<String, quick_junit::SerializeError> {
        let unit = self.experiment.main_unit();
        let mut suite = TestSuite::new(unit);
        for requirement in self.experiment.requirements() {
            let text = requirement.to_string();
            let mut violations = self.explored.violations.iter();
            let status = match violations.find(|it| it.requirement == text) {
                None => TestCaseStatus::success(),
                Some(violation) => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    let plan = self.in_words(&violation.plan);
                    let measured = visible(&violation.measured);
                    status.set_message(format!("{plan}: {measured}"));
                    status.set_description(self.reproduce(&violation.plan));
                    status
                }
            };
            let mut case = TestCase::new(text, status);
            case.set_classname(unit);
            suite.add_test_case(case);
        }
        let mut report = quick_junit::Report::new("systemd-lab");
        report.add_test_suite(suite);
        report.to_string()
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let explored = self.explored;
        let mut text = format!(
            "{}: {} with seed {}, {} of a state, a fault and what came next\n",
            style::strong(self.experiment.main_unit()),
            counted(explored.plans, "plan"),
            explored.seed,
            counted(explored.combinations.len(), "combination"),
        );
        if explored.out_of_time > 0 {
            text += &format!(
                "✗ {} took too long, without a result\n",
                counted(explored.out_of_time, "plan")
            );
        }
        text += &broken_without_fault(&explored.without_fault);
        text += "\n";
        text += &self.table();
        if !explored.violations.is_empty() {
            text += &format!("\n{}\n", style::strong("What does not hold"));
        }
        for (violation, shown) in explored.violations.iter().zip(&self.shown_again) {
            text += &self.violation(violation);
            if *shown == Some(false) {
                text += NOT_AGAIN;
            }
        }
        if explored.plans > 0 && explored.combinations.is_empty() {
            text += "\n✗ No fault came, so nothing is known: see the unit's run without one\n";
        } else if explored.plans > 0 && explored.holds() {
            text += &format!(
                "\n✓ What is required holds with {}\n",
                all(explored.plans, "plan")
            );
        }
        text
    }

    fn violation(&self, violation: &Violation) -> String {
        let plans = counted(violation.plans, "plan");
        let from = counted(violation.found.faults.len(), "fault");
        format!(
            "  ✗ {}: {plans}, first plan {} with {from}; the smallest that breaks it:\n      {}: {}\n      {}\n",
            violation.requirement,
            violation.number,
            self.in_words(&violation.plan),
            visible(&violation.measured),
            self.reproduce(&violation.plan),
        )
    }

    /// The states in which faults met the units, and what came next.
    fn table(&self) -> String {
        let mut rows: BTreeMap<[&str; 3], BTreeSet<&str>> = BTreeMap::new();
        for it in &self.explored.combinations {
            let next = it.next.as_deref().unwrap_or(SAME);
            let row = rows.entry([&it.unit, &it.fault, &it.state]).or_default();
            row.insert(next);
        }
        let header = ["Unit", "Fault", "In state", "Next state"].map(str::to_owned);
        let rows = rows.into_iter().map(|([unit, fault, state], next)| {
            let next: Vec<&str> = next.into_iter().collect();
            [
                unit.to_owned(),
                fault.to_owned(),
                state.to_owned(),
                next.join(", "),
            ]
        });
        let rows: Vec<[String; 4]> = std::iter::once(header).chain(rows).collect();
        table(&rows, 2, None)
    }

    /// `kill=SIGKILL at 2s, freeze@db.service at 5s`
    fn in_words(&self, plan: &Plan) -> String {
        let experiment = self.explore.experiment(plan);
        let faults = plan
            .faults
            .iter()
            .map(|planned| format!("{} at {}", experiment.fault_text(planned), planned.when));
        faults.collect::<Vec<_>>().join(", ")
    }

    fn reproduce(&self, plan: &Plan) -> String {
        let experiment = self.explore.experiment(plan);
        let faults = plan
            .faults
            .iter()
            .filter_map(|planned| Some((planned.when.time()?, experiment.fault_text(planned))));
        format!(
            "{} {}",
            self.command,
            with_faults(experiment.length(), faults)
        )
    }
}

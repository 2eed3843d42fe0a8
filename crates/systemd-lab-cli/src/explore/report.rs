//! The results of an exploration, for people, as JSON and as JUnit XML.

use std::collections::{BTreeMap, BTreeSet};

use quick_junit::{TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;
use systemd_lab::explore::{Explored, Plan, Violation};
use systemd_lab::{Experiment, Explore, visible};

use crate::counted::{all, counted};
use crate::style;
use crate::table::table;
use crate::trials::{NO_FAULT, NOT_AGAIN, broken_without_fault, failed_case, with_faults};

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
    interrupted: bool,
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
        interrupted: bool,
        shown_again: Vec<Option<bool>>,
    ) -> Report<'a> {
        Report {
            interrupted,
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
            let mut without = self.explored.without_fault.iter();
            let without = without
                .find(|it| !it.holds && it.requirement.to_string() == requirement.to_string());
            let mut case = match (violations.find(|it| it.requirement == text), without) {
                (Some(violation), _) => {
                    let plan = self.in_words(&violation.plan);
                    let measured = visible(&violation.measured);
                    let message = format!("{plan}: {measured}");
                    failed_case(text, message, self.reproduce(&violation.plan))
                }
                (None, Some(verdict)) => {
                    let message = format!("without a fault: {}", visible(&verdict.measured));
                    failed_case(text, message, "")
                }
                (None, None) => TestCase::new(text, TestCaseStatus::success()),
            };
            case.set_classname(unit);
            suite.add_test_case(case);
        }
        // Whatever is not known must not look as if it had passed.
        for why in self.unknown() {
            let mut case = failed_case("what is required was judged", why, "");
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
        text += &self
            .slow()
            .map_or(String::new(), |why| format!("✗ {why}\n"));
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
        if self.is_unhit() {
            text += &format!("\n✗ {NO_FAULT}\n");
        } else if explored.plans > 0 && explored.holds() {
            let plans = all(explored.plans, "plan");
            text += &match self.interrupted {
                true => format!("\nWhat is required holds so far, with {plans}\n"),
                false => format!("\n✓ What is required holds with {plans}\n"),
            };
        }
        text
    }

    /// Whether systemd refused all faults of all plans.
    fn is_unhit(&self) -> bool {
        self.explored.plans > 0 && self.explored.combinations.is_empty()
    }

    fn slow(&self) -> Option<String> {
        let slow = self.explored.out_of_time;
        (slow > 0).then(|| format!("{} took too long, without a result", counted(slow, "plan")))
    }

    /// Why some of what is required is not known.
    fn unknown(&self) -> impl Iterator<Item = String> {
        let unhit = self.is_unhit().then(|| NO_FAULT.to_owned());
        self.slow().into_iter().chain(unhit)
    }

    fn violation(&self, violation: &Violation) -> String {
        let plans = counted(violation.plans, "plan");
        let from = counted(violation.found.faults.len(), "fault");
        let smallest = match violation.is_smallest {
            true => "; the smallest that breaks it",
            false => ", not made smaller",
        };
        format!(
            "  ✗ {}: {plans}, first plan {} with {from}{smallest}:\n      {}: {}\n      {}\n",
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

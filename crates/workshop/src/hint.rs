//! `hint`: each call shows one more step of a ladder. Each requirement has its own ladder; the one for the first open
//! requirement of the last check counts.

use std::fs;

use exercise_check::report::Report;

use crate::check;
use crate::progress::Progress;
use crate::voice;
use exercise_check::stage::{Hints, Stage};
use stages::exercises::Workshop;
use systemd_lab_cli::WrongUsage;
use systemd_lab_cli::say;
use systemd_lab_cli::style;

/// Shows the next hint, or all of them if there is none left.
pub(crate) fn run(workshop: &Workshop, exercise: &Stage, asked: Option<u32>) -> anyhow::Result<()> {
    let hints = exercise.hints(&workshop.root)?;
    let report = last_report(workshop, exercise);
    let open = report.as_ref().and_then(check::first_open);
    let open = open.map(|verdict| verdict.number);
    let known = Progress::read(&workshop.root)?.unwrap_or_default();
    if asked.is_none() && open.is_none() && known.has_passed(exercise) {
        say!(
            "Exercise {} has passed: no requirement is open.\nThe solution: {}",
            exercise.number,
            voice::step(&format!("diff {}", exercise.number), 'd')
        );
        return Ok(());
    }
    let requirement = asked.or(open).unwrap_or(1);
    let ladder = ladder(&hints, exercise, requirement)?;
    let mut before = 0;
    Progress::update(&workshop.root, |progress| {
        let known = progress.of_mut(exercise);
        if known.hints_for != requirement {
            known.hints_for = requirement;
            known.hints = 0;
        }
        before = known.hints.min(ladder.len());
        known.hints = (before + 1).min(ladder.len());
    })?;
    let title = report
        .as_ref()
        .and_then(|report| report.plan.iter().find(|it| it.number == requirement))
        .map_or(String::new(), |planned| format!(": {}", planned.title));
    say!(
        "{}\n",
        style::strong(format!(
            "Exercise {}, requirement {requirement}{title}",
            exercise.number
        ))
    );
    let shown = match before == ladder.len() {
        true => 0..ladder.len(),
        false => before..before + 1,
    };
    for index in shown {
        let title = format!("Hint {} of {}", index + 1, ladder.len());
        say!("{}\n{}\n", style::strong(title), wrapped(&ladder[index]));
    }
    if before + 1 < ladder.len() {
        say!(
            "Another one, when you have tried: {}",
            voice::step(&format!("hint {}", exercise.number), 'h')
        );
    } else {
        let spoil = style::strong(format!("cargo workshop diff {} --spoil", exercise.number));
        say!("That is all. The solution: {spoil}");
    }
    Ok(())
}

/// The result of the last check, if there was one and its report is readable.
fn last_report(workshop: &Workshop, exercise: &Stage) -> Option<Report> {
    let text = fs::read_to_string(workshop.report(exercise)).ok()?;
    Report::parse(&text).ok()
}

fn ladder<'a>(
    hints: &'a Hints,
    exercise: &Stage,
    requirement: u32,
) -> Result<&'a Vec<String>, WrongUsage> {
    hints.of(requirement).ok_or_else(|| {
        WrongUsage(format!(
            "exercise {} has no hints for a requirement {requirement}; it has for {}",
            exercise.number,
            hints.requirements()
        ))
    })
}

/// Wrapped for the terminal.
fn wrapped(hint: &str) -> String {
    style::wrapped(hint.trim()).join("\n")
}

//! `hint`: one rung more of the ladder at each call.

use crate::exercises::{Exercise, Workshop};
use crate::output::say;
use crate::progress::Progress;
use crate::style;

/// Shows the next hint; all of them once there is none left, or the exercise has passed.
pub(crate) fn run(workshop: &Workshop, exercise: &Exercise) -> anyhow::Result<()> {
    let hints = exercise.settings(&workshop.root)?.hints;
    let mut before = 0;
    let progress = Progress::update(&workshop.root, |progress| {
        let known = progress.of_mut(exercise);
        before = known.hints.min(hints.len());
        known.hints = (before + 1).min(hints.len());
    })?;
    let is_all = before == hints.len() || progress.has_passed(exercise);
    let shown = match is_all {
        true => 0..hints.len(),
        false => before..before + 1,
    };
    for index in shown {
        let title = format!(
            "Hint {} of {} for exercise {}",
            index + 1,
            hints.len(),
            exercise.number
        );
        say!("{}\n{}\n", style::strong(title), hints[index].trim());
    }
    if !is_all && before + 1 < hints.len() {
        say!(
            "Another one, when you have tried: {}",
            style::strong("cargo workshop hint")
        );
    } else {
        let spoil = match progress.has_passed(exercise) {
            true => "",
            false => " --spoil",
        };
        let command = format!("cargo workshop diff {}{spoil}", exercise.number);
        say!("That is all. The solution: {}", style::strong(command));
    }
    Ok(())
}

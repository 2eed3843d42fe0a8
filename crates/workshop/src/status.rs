//! The attendee's progress: `cargo workshop`, `list` and `next`.

use exercise_check::Outcome;

use crate::outcome;
use crate::progress::{Known, Progress};
use crate::voice;
use exercise_check::stage::Stage;
use stages::exercises::Workshop;
use systemd_lab_cli::say;
use systemd_lab_cli::style;

/// The margin of lines that belong to a title.
const MARGIN: &str = "  ";

/// `cargo workshop`: all exercises, the task of the current one, the result of its last check, and what to do
/// next.
pub(crate) fn overview(workshop: &Workshop, progress: &Progress) -> anyhow::Result<()> {
    say!("{}\n", style::strong("Service Resilience with systemd"));
    list(workshop, progress)?;
    let Some(current) = progress.current(workshop) else {
        say!();
        done();
        return Ok(());
    };
    say!();
    task(workshop, current)?;
    last_check(progress, current);
    say!(
        "Edit, then: {}   or, at each save: {}",
        command("check"),
        command("watch")
    );
    say!("Stuck: {}", command("hint"));
    Ok(())
}

/// `list`: a line for each exercise.
pub(crate) fn list(workshop: &Workshop, progress: &Progress) -> anyhow::Result<()> {
    for line in lines(workshop, progress)? {
        say!("{MARGIN}{line}");
    }
    Ok(())
}

/// The same, without the margin.
pub(crate) fn lines(workshop: &Workshop, progress: &Progress) -> anyhow::Result<Vec<String>> {
    let current = progress.current(workshop).map(|it| it.number.as_str());
    let topics = workshop.exercises.iter().map(|it| it.topic.chars().count());
    let width = topics.max().unwrap_or(0);
    let mut lines = Vec::new();
    for exercise in &workshop.exercises {
        let settings = exercise.settings(&workshop.root)?;
        let known = progress.of(exercise);
        let is_current = current == Some(exercise.number.as_str());
        let line = format!(
            "{} {} {:width$}  {:>3} min  {}",
            mark(&known, is_current),
            exercise.number,
            exercise.topic,
            settings.minutes,
            state(&known, is_current),
        );
        lines.push(line.trim_end().to_owned());
    }
    Ok(lines)
}

fn mark(known: &Known, is_current: bool) -> String {
    match (known.passed, is_current) {
        (true, _) => outcome::mark(Outcome::Passed),
        (false, true) => style::strong("▶"),
        (false, false) => " ".to_owned(),
    }
}

fn state(known: &Known, is_current: bool) -> String {
    match known.last {
        _ if known.passed => match known.last {
            Some(last) if last != Outcome::Passed => {
                format!("passed; last check: {}", last)
            }
            _ => "passed".to_owned(),
        },
        Some(last) => last.to_string(),
        None if is_current => "next".to_owned(),
        None => String::new(),
    }
}

/// `next`: the task of the first exercise that has not passed.
pub(crate) fn next(workshop: &Workshop, progress: &Progress) -> anyhow::Result<()> {
    let Some(current) = progress.current(workshop) else {
        done();
        return Ok(());
    };
    task(workshop, current)?;
    match voice::names_keys() {
        true => say!("Edit, and save."),
        false => say!("Edit, then: {}", command("check")),
    }
    Ok(())
}

/// The result of the last check, if there was one.
pub(crate) fn last_check(progress: &Progress, exercise: &Stage) {
    let known = progress.of(exercise);
    if let Some(last) = known.last {
        let words = outcome::coloured(last, last);
        let finding = known.finding.map_or(String::new(), |it| format!(", {it}"));
        let line = format!("Last check: {words}{finding}");
        say!("{}\n", style::wrapped(&line).join("\n"));
    }
}

/// The task, in a few lines.
pub(crate) fn task(workshop: &Workshop, exercise: &Stage) -> anyhow::Result<()> {
    let settings = exercise.settings(&workshop.root)?;
    let title = format!(
        "Exercise {}: {} ({} minutes)",
        exercise.number, exercise.topic, settings.minutes
    );
    say!("{}", style::strong(title));
    // The file's line breaks do not fit the terminal.
    let task: Vec<&str> = settings.task.split_whitespace().collect();
    for line in style::wrapped_within(&task.join(" "), MARGIN) {
        say!("{MARGIN}{line}");
    }
    say!(
        "{MARGIN}All of it: the top of exercises/{}/src/main.rs",
        exercise.folder()
    );
    say!(
        "{MARGIN}Guide: {}\n",
        voice::step(&format!("guide {}", exercise.number), 'g')
    );
    Ok(())
}

fn done() {
    say!("All exercises are solved.");
    say!("Compare with the solution: {}", command("diff NN"));
    say!(
        "Break one, and see what systemd does: {}",
        command("shell NN")
    );
}

fn command(text: &str) -> String {
    style::strong(format!("cargo workshop {text}"))
}

//! Writes the measured choices: data for the page, and a list for readers without JavaScript, or on paper.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::Outcomes;
use super::choices::{CAUSE, DELAY, LIMIT, QUESTIONS, RESTART};

/// The data of the page as JSON.
pub(super) fn json(measured: &Outcomes) -> Value {
    // Many choices have the same outcome; most of all, that the service stays down.
    let mut outcomes = Vec::new();
    let mut choices = Map::new();
    for (choice, outcome) in &measured.of {
        let found = outcomes.iter().position(|one| *one == outcome);
        let index = found.unwrap_or_else(|| {
            outcomes.push(outcome);
            outcomes.len() - 1
        });
        choices.insert(choice.key(), json!(index));
    }
    json!({
        "systemd": measured.systemd,
        "questions": QUESTIONS,
        "choices": choices,
        "outcomes": outcomes,
    })
}

/// The same with each choice's outcome instead of its number. Two outcomes may differ only in a rounded time: then they share a number
/// in one guest, but not in another.
pub(super) fn with_outcomes(document: &Value) -> Value {
    let mut document = document.clone();
    let outcomes = document["outcomes"].take();
    for index in document["choices"]
        .as_object_mut()
        .into_iter()
        .flat_map(Map::values_mut)
    {
        let outcome = index.as_u64().and_then(|it| usize::try_from(it).ok());
        *index = outcome
            .and_then(|it| outcomes.get(it).cloned())
            .unwrap_or_default();
    }
    document
}

/// The outcome of every setting of `Restart=` and every cause, with the default delay and limit, as a Markdown list: a table with seven
/// columns does not fit a phone or paper.
pub(super) fn list(measured: &Outcomes) -> String {
    let mut text = format!(
        "With `RestartSec={}` and a start limit of {}, as measured with systemd {}:\n",
        DELAY.answers[0].id,
        LIMIT.answers[0].label.trim_end_matches(" (default)"),
        measured.systemd
    );
    for (index, cause) in CAUSE.answers.iter().enumerate() {
        let _ = write!(text, "\n- **{}**\n", cause.label);
        // Settings with the same outcome share a line.
        let mut lines: Vec<(&str, Vec<String>)> = Vec::new();
        for (choice, outcome) in &measured.of {
            let [restart, of_cause, 0, 0] = choice.answers else {
                continue;
            };
            if of_cause != index {
                continue;
            }
            let setting = format!("`{}`", RESTART.answers[restart].id);
            match lines.iter_mut().find(|(short, _)| *short == outcome.short) {
                Some((_, settings)) => settings.push(setting),
                None => lines.push((&outcome.short, vec![setting])),
            }
        }
        for (short, settings) in lines {
            let _ = writeln!(text, "  - {}: {short}", settings.join(", "));
        }
    }
    text
}

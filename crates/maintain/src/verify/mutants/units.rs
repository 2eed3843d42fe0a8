//! Mutants of unit files: each setting is removed, and replaced by each of its neighbours.

use std::time::Duration;

use systemd_lab::experiment::{parse_span, span_text};

use super::{Kind, Mutant};
use stages::files::Files;

/// Settings with a few words as values: systemd.service(5), systemd.kill(5), systemd.unit(5).
const WORDS: &[(&str, &[&str])] = &[
    (
        "Type",
        &[
            "simple",
            "exec",
            "forking",
            "oneshot",
            "notify",
            "notify-reload",
            "idle",
        ],
    ),
    (
        "Restart",
        &[
            "no",
            "on-success",
            "on-failure",
            "on-abnormal",
            "on-watchdog",
            "on-abort",
            "always",
        ],
    ),
    ("RestartMode", &["normal", "direct"]),
    ("NotifyAccess", &["none", "main", "exec", "all"]),
    ("KillMode", &["control-group", "mixed", "process", "none"]),
    ("OOMPolicy", &["continue", "stop", "kill"]),
];

/// The mutants of all unit files of a solution.
pub(super) fn of(stage: &str, solution: &Files) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let units = solution
        .0
        .iter()
        .filter(|(path, _)| path.starts_with("units/"));
    for (path, text) in units {
        let unit = path.trim_start_matches("units/");
        for (index, line) in text.lines().enumerate() {
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
                continue;
            }
            let mut add = |change: String, new: Option<String>| {
                let mut files = solution.clone();
                files
                    .0
                    .insert(path.clone(), replaced(text, index, new.as_deref()));
                mutants.push(Mutant {
                    stage: stage.to_owned(),
                    kind: Kind::Unit,
                    file: path.clone(),
                    change: format!("{unit}: {line} {change}"),
                    files,
                });
            };
            add("removed".to_owned(), None);
            for neighbour in neighbours(name, value) {
                add(
                    format!("-> {neighbour}"),
                    Some(format!("{name}={neighbour}")),
                );
            }
        }
    }
    mutants
}

/// The text with this line replaced or removed.
fn replaced(text: &str, index: usize, new: Option<&str>) -> String {
    let lines = text
        .lines()
        .enumerate()
        .filter_map(|(number, line)| match number == index {
            true => new,
            false => Some(line),
        });
    lines.map(|line| format!("{line}\n")).collect()
}

/// Neighbours of a value.
fn neighbours(name: &str, value: &str) -> Vec<String> {
    if let Some((_, words)) = WORDS.iter().find(|(of, _)| *of == name) {
        let others = words.iter().filter(|word| **word != value);
        return others.map(|word| (*word).to_owned()).collect();
    }
    match value {
        "yes" | "true" | "on" => return vec!["no".to_owned()],
        "no" | "false" | "off" => return vec!["yes".to_owned()],
        _ => {}
    }
    if let Ok(number) = value.parse::<u64>()
        && !name.ends_with("Sec")
    {
        let mut others = vec![number / 2, number * 2, 0];
        others.retain(|other| *other != number);
        others.dedup();
        return others.iter().map(u64::to_string).collect();
    }
    match parse_span(value) {
        Ok(span) if name.ends_with("Sec") => {
            let mut others = vec![short(span / 2), short(span * 2), "0".to_owned()];
            others.push("infinity".to_owned());
            others
        }
        _ => Vec::new(),
    }
}

/// A time span as in unit files, without blanks.
fn short(span: Duration) -> String {
    span_text(span).replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_has_its_neighbours() {
        for (name, value, expected) in [
            ("RestartMode", "direct", vec!["normal"]),
            ("WatchdogSec", "10s", vec!["5s", "20s", "0", "infinity"]),
            (
                "StartLimitIntervalSec",
                "5min",
                vec!["2min30s", "10min", "0", "infinity"],
            ),
            ("StartLimitBurst", "4", vec!["2", "8", "0"]),
            ("RemainAfterExit", "yes", vec!["no"]),
            ("Description", "hello", vec![]),
        ] {
            assert_eq!(neighbours(name, value), expected, "{name}");
        }
    }

    #[test]
    fn one_line_is_changed_at_a_time() {
        let text = "[Service]\n# Restart=no would not do.\nType=exec\nRestartSec=5s\n";
        let files = Files([("units/a.service".to_owned(), text.to_owned())].into());
        let mutants = of("01", &files);
        assert_eq!(mutants.len(), 1 + 6 + 1 + 4);
        let last = mutants.last().expect("there are some");
        assert_eq!(last.to_string(), "01 a.service: RestartSec=5s -> infinity");
        assert_eq!(
            last.files.0["units/a.service"],
            "[Service]\n# Restart=no would not do.\nType=exec\nRestartSec=infinity\n"
        );
        assert!(!mutants[0].files.0["units/a.service"].contains("Type="));
    }
}

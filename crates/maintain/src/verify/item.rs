//! What is verified, one line each, and what came of it.

use std::fmt;
use std::time::Duration;

use super::judge::Found;
use super::stage::{MistakeFile, Stage};
use exercise_check::Outcome;
use systemd_lab::compare::texts;

/// One thing to verify.
pub(super) enum Item<'a> {
    Format,
    Clippy,
    /// That an exercise is complete.
    Exercise(&'a Stage),
    Starter(&'a Stage),
    Solution(&'a Stage),
    Variant(&'a Stage, &'a str),
    Mistake(&'a Stage, &'a MistakeFile),
    /// With the name of its test.
    Soak(&'a Stage, &'a str),
    StrayFiles,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Verified {
    Ok,
    /// With the wall time that it took.
    OkIn(Duration),
    Failed(String),
    /// The lab or a tool failed: nothing is known of what was to be verified.
    Broken(String),
}

impl Item<'_> {
    /// Whether it needs the lab.
    pub(super) fn is_checked(&self) -> bool {
        !matches!(
            self,
            Item::Format | Item::Clippy | Item::Exercise(_) | Item::StrayFiles
        )
    }

    /// The packages to build for it.
    pub(super) fn packages(&self) -> Vec<String> {
        match self {
            Item::Starter(stage) => vec![stage.exercise()],
            Item::Solution(stage) | Item::Mistake(stage, _) | Item::Soak(stage, _) => {
                vec![stage.solution()]
            }
            Item::Variant(stage, _) => vec![stage.solution(), stage.variants_package()],
            Item::Format | Item::Clippy | Item::Exercise(_) | Item::StrayFiles => vec![],
        }
    }
}

impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Format => f.write_str("format"),
            Item::Clippy => f.write_str("clippy"),
            Item::Exercise(stage) => write!(f, "exercise {}", stage.number),
            Item::Starter(stage) => write!(f, "starter {}", stage.number),
            Item::Solution(stage) => write!(f, "solution {}", stage.number),
            Item::Variant(stage, name) => write!(f, "variant {} {name}", stage.number),
            Item::Mistake(stage, mistake) => {
                write!(f, "mistake {} {}", stage.number, mistake.name)
            }
            Item::Soak(stage, _) => write!(f, "soak {}", stage.number),
            Item::StrayFiles => f.write_str("no stray files"),
        }
    }
}

impl Verified {
    /// Holds if the check found this first.
    pub(super) fn compare(expected: &str, found: &Found) -> Verified {
        match found {
            Found::NoResult(Outcome::LabBroken, report) => Verified::Broken(report.clone()),
            Found::NoResult(_, report) => Verified::Failed(report.clone()),
            // Sentences name times, which differ a little from guest to guest.
            found if texts(expected, &found.to_string()).is_none() => Verified::Ok,
            found => Verified::Failed(format!("expected  {expected}\nactual    {found}")),
        }
    }

    /// Holds if there is nothing to complain about.
    pub(super) fn without(complaints: &[String]) -> Verified {
        if complaints.is_empty() {
            return Verified::Ok;
        }
        Verified::Failed(complaints.join("\n"))
    }

    /// What a person reads: a line, and indented what is to be said about it.
    pub(super) fn shown(&self, item: &Item<'_>) -> String {
        let (word, more) = match self {
            Verified::Ok => ("ok   ", ""),
            Verified::OkIn(time) => return format!("ok    {item} ({})", duration(*time)),
            Verified::Failed(more) => ("FAIL ", more.as_str()),
            Verified::Broken(more) => ("BROKE", more.as_str()),
        };
        let mut shown = format!("{word} {item}");
        for line in more.trim_end().lines() {
            shown.push_str(format!("\n      {line}").trim_end_matches(' '));
        }
        shown
    }
}

/// `48 s`, `3 min 12 s`.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 60 {
        0 => format!("{seconds} s"),
        minutes => format!("{minutes} min {} s", seconds % 60),
    }
}

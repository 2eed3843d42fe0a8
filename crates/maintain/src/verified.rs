//! The results of everything that is verified or measured: a line for each item, and how many held.

use std::fmt::Display;
use std::time::Duration;

use exercise_check::Outcome;
use systemd_lab_cli::say;

/// The result for one item.
#[derive(Debug)]
pub(crate) enum Verified {
    Ok,
    /// It holds. This is the wall time that it took.
    OkIn(Duration),
    Failed(String),
    /// The lab or a tool failed, so the item was not verified.
    Broken(String),
}

impl Verified {
    /// Holds if there is nothing to complain about.
    pub(crate) fn without(complaints: &[String]) -> Verified {
        if complaints.is_empty() {
            return Verified::Ok;
        }
        Verified::Failed(complaints.join("\n"))
    }

    /// What a person reads: a line, and the details below it, indented.
    pub(crate) fn shown(&self, item: &dyn Display) -> String {
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
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 60 {
        0 => format!("{seconds} s"),
        minutes => format!("{minutes} min {} s", seconds % 60),
    }
}

/// How many items held.
#[derive(Default)]
pub(crate) struct Tally {
    ok: usize,
    failed: usize,
    broken: usize,
}

impl Tally {
    /// Prints the result of an item, and counts it.
    pub(crate) fn add(&mut self, item: &dyn Display, verified: &Verified) {
        say!("{}", verified.shown(item));
        match verified {
            Verified::Ok | Verified::OkIn(_) => self.ok += 1,
            Verified::Failed(_) => self.failed += 1,
            Verified::Broken(_) => self.broken += 1,
        }
    }

    /// e.g. `12 items: 11 ok, 1 failed`.
    pub(crate) fn summary(&self) -> String {
        let all = self.ok + self.failed + self.broken;
        let items = if all == 1 { "item" } else { "items" };
        let mut summary = format!("{all} {items}: {} ok", self.ok);
        if self.failed > 0 {
            summary.push_str(&format!(", {} failed", self.failed));
        }
        if self.broken > 0 {
            summary.push_str(&format!(", {} broken", self.broken));
        }
        summary
    }

    /// The command's exit status.
    pub(crate) fn outcome(&self) -> Outcome {
        match (self.broken, self.failed) {
            (0, 0) => Outcome::Passed,
            (0, _) => Outcome::NotYet,
            _ => Outcome::LabBroken,
        }
    }
}

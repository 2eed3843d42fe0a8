//! How words look on a terminal. `anstream` leaves all of it out where the output is no terminal, or `NO_COLOR` is set.

use std::fmt::Display;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use systemd_lab::check::Outcome;
use systemd_lab::visible_lines;

use crate::terminal;

/// Often enough to look alive.
const TICK: Duration = Duration::from_millis(100);

const GOOD: Style = AnsiColor::Green.on_default().bold();
const NOT_YET: Style = AnsiColor::Red.on_default().bold();
const BROKEN: Style = AnsiColor::Yellow.on_default().bold();
const STRONG: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const REMOVED: Style = AnsiColor::Green.on_default();
const ADDED: Style = AnsiColor::Red.on_default();

fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// A headline, or a command to type.
pub(crate) fn strong(text: impl Display) -> String {
    styled(STRONG, text)
}

/// What matters less.
pub(crate) fn faint(text: impl Display) -> String {
    styled(FAINT, text)
}

/// In the colour of an outcome.
pub(crate) fn outcome(outcome: Outcome, text: impl Display) -> String {
    let style = match outcome {
        Outcome::Passed => GOOD,
        Outcome::NotYet => NOT_YET,
        Outcome::DidNotBuild | Outcome::OutOfTime | Outcome::LabBroken => BROKEN,
    };
    styled(style, text)
}

/// The mark of a requirement or an exercise.
pub(crate) fn mark(of: Outcome) -> String {
    let sign = match of {
        Outcome::Passed => "✓",
        Outcome::NotYet => "✗",
        Outcome::DidNotBuild | Outcome::OutOfTime | Outcome::LabBroken => "!",
    };
    outcome(of, sign)
}

/// An outcome in words.
pub(crate) fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::NotYet => "not yet",
        Outcome::DidNotBuild => "did not build",
        Outcome::OutOfTime => "out of time",
        Outcome::LabBroken => "lab broken",
    }
}

/// A check's report: its headline, and the lines of the difference.
pub(crate) fn report(of: Outcome, text: &str) -> String {
    let text = visible_lines(text);
    let mut shown = String::new();
    for (index, line) in text.lines().enumerate() {
        let line = match line {
            headline if index == 0 => outcome(of, headline),
            line if line.starts_with("  - ") => styled(REMOVED, line),
            line if line.starts_with("  + ") => styled(ADDED, line),
            line => line.to_owned(),
        };
        shown.push_str(&line);
        shown.push('\n');
    }
    shown
}

/// A text in lines that fit the terminal, but no longer than is easy to read.
pub(crate) fn wrapped(text: &str) -> Vec<String> {
    let options = textwrap::Options::new(terminal::text_width())
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(text, options).into_iter();
    lines.map(|line| line.into_owned()).collect()
}

/// Something takes a while. Nothing is shown where standard error is no terminal.
pub(crate) fn spinner(text: &'static str) -> ProgressBar {
    let spinner = still_spinner(text);
    spinner.enable_steady_tick(TICK);
    spinner
}

/// The same among other bars.
pub(crate) fn spinner_among(bars: &MultiProgress, text: &'static str) -> ProgressBar {
    // It turns only when it has its place: before that, it would draw where it stands, and stay there.
    let spinner = bars.add(still_spinner(text));
    spinner.enable_steady_tick(TICK);
    spinner
}

fn still_spinner(text: &'static str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(text);
    if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed:.dim}") {
        spinner.set_style(style);
    }
    spinner
}

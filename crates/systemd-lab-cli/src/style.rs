//! How words look on a terminal. `anstream` removes all of it if the output is not a terminal, or if `NO_COLOR` is set.

use std::fmt::Display;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use systemd_lab::visible_lines;

use crate::exit::ExitStatus;
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
pub fn strong(text: impl Display) -> String {
    styled(STRONG, text)
}

/// Less important text.
pub fn faint(text: impl Display) -> String {
    styled(FAINT, text)
}

/// The text in the colour of the outcome.
pub fn outcome(ended: ExitStatus, text: impl Display) -> String {
    let style = match ended {
        ExitStatus::Passed => GOOD,
        ExitStatus::NotYet => NOT_YET,
        _ => BROKEN,
    };
    styled(style, text)
}

/// The mark of a requirement or an exercise.
pub fn mark(ended: ExitStatus) -> String {
    let sign = match ended {
        ExitStatus::Passed => "✓",
        ExitStatus::NotYet => "✗",
        _ => "!",
    };
    outcome(ended, sign)
}

/// A headline, and lines of a difference below it.
pub fn report(ended: ExitStatus, text: &str) -> String {
    let text = visible_lines(text);
    let mut shown = String::new();
    for (index, line) in text.lines().enumerate() {
        match index {
            0 => shown += &outcome(ended, line),
            _ => shown += &of_difference(line, line),
        }
        shown.push('\n');
    }
    shown
}

/// Part of a line of a difference, in the line's colour.
pub fn of_difference(line: &str, piece: &str) -> String {
    match line {
        line if line.starts_with("  - ") => styled(REMOVED, piece),
        line if line.starts_with("  + ") => styled(ADDED, piece),
        _ => piece.to_owned(),
    }
}

/// How much further in a long line continues than it begins.
const CONTINUED: usize = 2;

/// A line of code or output in pieces that fit, broken at a space if there is one. Pieces after the first are indented.
pub fn broken(line: &str, width: usize) -> Vec<String> {
    let mut rest: Vec<char> = line.chars().collect();
    let begin = rest.iter().take_while(|c| " -+".contains(**c)).count();
    let indent = match begin + CONTINUED < width / 2 {
        true => begin + CONTINUED,
        false => CONTINUED,
    };
    let mut pieces = Vec::new();
    let mut width = width.max(4 * CONTINUED);
    while rest.len() > width {
        // Not in the indentation, which is in the first half.
        let space = rest[..=width].iter().rposition(|c| *c == ' ');
        let end = space.filter(|at| *at > width / 2).unwrap_or(width);
        let piece: String = rest.drain(..end).collect();
        if rest.first() == Some(&' ') {
            rest.remove(0);
        }
        pieces.push(piece);
        if pieces.len() == 1 {
            width -= indent;
        }
    }
    pieces.push(rest.into_iter().collect());
    let mut lines = pieces.into_iter();
    let first = lines.next();
    let others = lines.map(|piece| format!("{}{piece}", " ".repeat(indent)));
    first.into_iter().chain(others).collect()
}

/// A text as lines that fit the terminal, but that are no longer than is easy to read.
pub fn wrapped(text: &str) -> Vec<String> {
    wrapped_within(text, "")
}

/// The same for a text with this margin on its left.
pub fn wrapped_within(text: &str, margin: &str) -> Vec<String> {
    let width = terminal::text_width().saturating_sub(margin.len());
    let options =
        textwrap::Options::new(width).word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(text, options).into_iter();
    lines.map(|line| line.into_owned()).collect()
}

/// Shows that something takes a while. Shows nothing if standard error is not a terminal.
pub fn spinner(text: &'static str) -> ProgressBar {
    let spinner = still_spinner(text);
    spinner.enable_steady_tick(TICK);
    spinner
}

/// The same between other bars.
pub fn spinner_among(bars: &MultiProgress, text: &'static str) -> ProgressBar {
    // It starts to turn only when it has its place: otherwise it would be drawn at the cursor, and stay there.
    let spinner = bars.add(still_spinner(text));
    spinner.enable_steady_tick(TICK);
    spinner
}

/// A line between other bars: its prefix, the time since it appeared, and its message.
pub fn clocked_among(bars: &MultiProgress) -> ProgressBar {
    let line = bars.add(ProgressBar::new_spinner());
    if let Ok(style) =
        ProgressStyle::with_template("      {prefix:.dim}{elapsed:.dim}{wide_msg:.dim}")
    {
        line.set_style(style);
    }
    line.enable_steady_tick(TICK);
    line
}

fn still_spinner(text: &'static str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(text);
    if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed:.dim}") {
        spinner.set_style(style);
    }
    spinner
}

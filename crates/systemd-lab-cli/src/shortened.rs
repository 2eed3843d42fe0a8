//! Shortens long timelines so that people can read them: repetitions are shown once, and if the rest is still long, only its
//! beginning and end.

use std::ops::Range;

use systemd_lab::fold::Foldable;
use systemd_lab::{clock_time, nearest_second};

use crate::style;

/// How many lines of a long timeline to show at its beginning and at its end: no one reads more than a screen of each.
const MOST_LINES: usize = 60;

/// `… the 3 lines above, 20 times more, 0:10–1:43`
pub fn same_again(lines: usize, times: usize, left_out: &[impl Foldable]) -> String {
    let what = match lines {
        1 => "the line above".to_owned(),
        lines => format!("the {lines} lines above"),
    };
    let clock = |line: Option<&_>| {
        let at = line.map(Foldable::at).unwrap_or_default();
        clock_time(nearest_second(at))
    };
    let [from, to] = [left_out.first(), left_out.last()].map(clock);
    format!("… {what}, {times} times more, {from}–{to}")
}

/// At most this many lines from the beginning and from the end. `name` describes the hidden lines, given by their places in
/// `lines`.
pub fn ends(lines: &[String], name: impl Fn(Range<usize>) -> String) -> String {
    let whole =
        |lines: &[String]| -> String { lines.iter().map(|line| format!("{line}\n")).collect() };
    if lines.len() <= 2 * MOST_LINES {
        return whole(lines);
    }
    let left_out = MOST_LINES..lines.len() - MOST_LINES;
    let (begin, end) = (&lines[..left_out.start], &lines[left_out.end..]);
    let note = format!("  ({} left out; --full shows them all)", name(left_out));
    format!("{}{}\n{}", whole(begin), style::faint(note), whole(end))
}

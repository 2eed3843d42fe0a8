//! The difference between two runs, for people.

use std::fmt::Write;
use std::time::Duration;

use super::{Moment, Pair};
use crate::clock::{clock_time, nearest_second};

/// How many lines to show around a difference.
const CONTEXT: usize = 3;

/// Between hunks.
const ELLIPSIS: &str = "  …\n";

/// The difference between two runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    sign: Sign,
    /// Shows tenths of seconds, if whole seconds would hide the difference.
    is_exact: bool,
    moment: Moment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Both,
    Expected,
    Seen,
}

impl Difference {
    pub(super) fn of(expected: &[Moment], seen: &[Moment], pairs: &[Pair]) -> Difference {
        let mut lines = Vec::new();
        let line = |sign, moment: &Moment, is_exact| Line {
            sign,
            is_exact,
            moment: moment.clone(),
        };
        let mut is_paired = vec![false; expected.len()];
        for pair in pairs {
            is_paired[pair.expected] = true;
        }
        // An expected event that is missing comes before the first event that should have followed
        // it.
        let mut missing = (0..expected.len())
            .filter(|index| !is_paired[*index])
            .peekable();
        let mut next_pair = pairs.iter().peekable();
        for (index, moment) in seen.iter().enumerate() {
            let Some(pair) = next_pair.next_if(|pair| pair.seen == index) else {
                lines.push(line(Sign::Seen, moment, false));
                continue;
            };
            while let Some(missing) = missing.next_if(|missing| *missing < pair.expected) {
                lines.push(line(Sign::Expected, &expected[missing], false));
            }
            if pair.is_on_time && pair.is_in_order {
                lines.push(line(Sign::Both, moment, false));
            } else {
                let wanted = &expected[pair.expected];
                let is_exact = nearest_second(wanted.at) == nearest_second(moment.at);
                lines.push(line(Sign::Expected, wanted, is_exact));
                lines.push(line(Sign::Seen, moment, is_exact));
            }
        }
        lines.extend(missing.map(|index| line(Sign::Expected, &expected[index], false)));
        // If something different came instead, the expected events come first.
        for differing in lines.chunk_by_mut(|one, other| {
            (one.sign == Sign::Both) == (other.sign == Sign::Both)
                && !one.is_exact
                && !other.is_exact
        }) {
            differing.sort_by_key(|line| line.sign == Sign::Seen);
        }
        Difference { lines }
    }

    /// The lines that differ and some around them: `-` for what was expected, `+` for what was
    /// seen.
    pub fn hunks(&self) -> String {
        let differs: Vec<usize> = (0..self.lines.len())
            .filter(|index| self.lines[*index].sign != Sign::Both)
            .collect();
        let is_near = |index: usize| {
            let next = differs.partition_point(|differs| differs + CONTEXT < index);
            differs
                .get(next)
                .is_some_and(|differs| *differs <= index + CONTEXT)
        };
        let widest = |of: &dyn Fn(&Line) -> usize| self.lines.iter().map(of).max().unwrap_or(0);
        let times = widest(&|line| line.time().len());
        let units = widest(&|line| line.moment.unit.len());
        let mut text = String::new();
        let mut was_near = true;
        for (index, line) in self.lines.iter().enumerate() {
            if !is_near(index) {
                was_near = false;
                continue;
            }
            if !was_near && !text.is_empty() {
                text += ELLIPSIS;
            }
            was_near = true;
            let row = format!(
                "  {} {:>times$}  {:units$}  {}",
                line.sign.letter(),
                line.time(),
                line.moment.unit,
                line.moment.what
            );
            let _ = writeln!(text, "{}", row.trim_end());
        }
        text
    }
}

impl Line {
    fn time(&self) -> String {
        match self.is_exact {
            true => exact_time(self.moment.at),
            false => clock_time(nearest_second(self.moment.at)),
        }
    }
}

impl Sign {
    fn letter(self) -> char {
        match self {
            Sign::Both => ' ',
            Sign::Expected => '-',
            Sign::Seen => '+',
        }
    }
}

/// `0:05.250`
pub fn exact_time(time: Duration) -> String {
    format!("{}.{:03}", clock_time(time.as_secs()), time.subsec_millis())
}

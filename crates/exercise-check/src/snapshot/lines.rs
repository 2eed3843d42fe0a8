//! Compares what a [`View`](systemd_lab::View) shows with the snapshot: the same lines in the same order, at distances within a
//! tolerance. What a unit's processes log and what systemd logs about the unit have no order within one moment: journald reads them
//! from different sockets.

use std::time::Duration;

use similar::{Algorithm, ChangeTag, DiffOp, TextDiff, capture_diff_slices};
use systemd_timeline::clock::nearest_second;
use systemd_timeline::compare::Tolerance;
use systemd_timeline::view::TIME_WIDTH;

/// A requirement must hold for any service that does what is asked.
const TOLERANCE: Tolerance = Tolerance::ANY_SERVICE;

/// Between a distance and what follows it.
const GAP: &str = "  ";

/// What a view writes before a line of a unit's processes.
const LOG: &str = "log: ";

/// Width of a distance in whole seconds, as people see it: `+300 s`.
const SHOWN_WIDTH: usize = 6;

/// Whether the lines and their distances are as expected.
pub(super) fn is_as_expected(expected: &str, actual: &str) -> bool {
    let (expected, actual) = (
        Lines::of(expected).with_logs_first(),
        Lines::of(actual).with_logs_first(),
    );
    let mut pairs = expected.0.iter().zip(&actual.0);
    expected.0.len() == actual.0.len()
        && pairs.all(|(one, other)| one.words == other.words && is_on_time(one, other))
}

/// Both, line by line: `-` what was expected, `+` what was seen. Distances are whole seconds, except where that would not
/// show what differs.
pub(super) fn diff(expected: &str, actual: &str) -> String {
    let (mut expected, mut actual) = (Lines::of(expected), Lines::of(actual));
    let words = |lines: &Lines| -> Vec<String> {
        let lines = lines.0.iter();
        lines.map(|line| line.words.clone()).collect()
    };
    for op in capture_diff_slices(Algorithm::Myers, &words(&expected), &words(&actual)) {
        let DiffOp::Equal {
            old_index,
            new_index,
            len,
        } = op
        else {
            continue;
        };
        for offset in 0..len {
            let (one, other) = (
                &mut expected.0[old_index + offset],
                &mut actual.0[new_index + offset],
            );
            if is_on_time(one, other) {
                one.distance = other.distance;
            } else if one.text() == other.text() {
                (one.is_exact, other.is_exact) = (true, true);
            }
        }
    }
    let (expected, actual) = (expected.text(), actual.text());
    let mut text = String::new();
    for change in TextDiff::from_lines(&expected, &actual).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        text.push_str(&format!("  {sign} {}\n", change.value().trim_end()));
    }
    text
}

fn is_on_time(one: &Line, other: &Line) -> bool {
    match (one.distance, other.distance) {
        (Some(one), Some(other)) => TOLERANCE.allows(one, other),
        // One with distances and one without.
        (one, other) => one == other,
    }
}

struct Lines(Vec<Line>);

struct Line {
    /// Since the line before; `None` in a view without distances.
    distance: Option<Duration>,
    words: String,
    /// Shown with thousandths of a second.
    is_exact: bool,
}

impl Lines {
    fn of(text: &str) -> Lines {
        let text = text.trim_matches('\n');
        let column = TIME_WIDTH + GAP.len();
        let split = |line: &str| {
            let time = line.get(..column)?;
            let rest = line.get(column..)?;
            let time = time.strip_suffix(GAP)?.trim_start();
            let distance = match time {
                "" => Duration::ZERO,
                time => parsed(time)?,
            };
            Some((distance, rest.to_owned()))
        };
        let split: Vec<Option<(Duration, String)>> = text.lines().map(split).collect();
        // Lines without a distance may begin with spaces, too: there are distances where a line has one.
        let has_distances = split
            .iter()
            .flatten()
            .any(|(distance, _)| !distance.is_zero());
        let lines = text.lines().zip(split).map(|(line, split)| match split {
            Some((distance, words)) if has_distances => Line {
                distance: Some(distance),
                words,
                is_exact: false,
            },
            _ => Line {
                distance: None,
                words: line.to_owned(),
                is_exact: false,
            },
        });
        Lines(lines.collect())
    }

    /// Within each moment, what a unit's processes log is before what systemd logs about the unit.
    fn with_logs_first(mut self) -> Lines {
        for index in 1..self.0.len() {
            let mut at = index;
            while at > 0 && self.0[at].follows_only_by_chance(&self.0[at - 1]) {
                // The distances stay: they belong to the moment.
                let words = std::mem::take(&mut self.0[at].words);
                let words = std::mem::replace(&mut self.0[at - 1].words, words);
                self.0[at].words = words;
                at -= 1;
            }
        }
        self
    }

    fn text(&self) -> String {
        let lines = self.0.iter().map(Line::text);
        lines.collect::<Vec<String>>().join("\n")
    }
}

impl Line {
    /// Whether this is a log line, and the one before it is of systemd about the same unit and in the same moment.
    fn follows_only_by_chance(&self, before: &Line) -> bool {
        let split = |words: &str| -> Option<(String, bool)> {
            let (unit, what) = words.split_once(GAP)?;
            Some((unit.to_owned(), what.trim_start().starts_with(LOG)))
        };
        let (own, other) = (split(&self.words), split(&before.words));
        self.distance == Some(Duration::ZERO)
            && own.zip(other).is_some_and(|(own, other)| {
                !own.0.is_empty() && own.0 == other.0 && own.1 && !other.1
            })
    }

    fn text(&self) -> String {
        let Some(distance) = self.distance else {
            return self.words.clone();
        };
        let time = match nearest_second(distance) {
            _ if self.is_exact => {
                format!("+{}.{:03} s", distance.as_secs(), distance.subsec_millis())
            }
            0 => String::new(),
            seconds => format!("+{seconds} s"),
        };
        format!("{time:>SHOWN_WIDTH$}{GAP}{}", self.words)
    }
}

/// A distance as a view writes it: `+10.250 s`.
fn parsed(time: &str) -> Option<Duration> {
    let (seconds, thousandths) = time
        .strip_prefix('+')?
        .strip_suffix(" s")?
        .split_once('.')?;
    let seconds = Duration::from_secs(seconds.parse().ok()?);
    Some(seconds + Duration::from_millis(thousandths.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: &str = "            a.service  dead -> start\n  +2.100 s  a.service  READY=1\n            a.service  start -> running\n";

    #[test]
    fn a_slower_service_passes_and_a_much_slower_one_does_not() {
        let takes = |time: &str| EXPECTED.replace("+2.100 s", time);
        for time in ["+1.800 s", "+2.100 s", "+3.000 s"] {
            assert!(is_as_expected(EXPECTED, &takes(time)), "{time}");
        }
        for time in ["+1.700 s", "+3.001 s", "        "] {
            assert!(!is_as_expected(EXPECTED, &takes(time)), "{time}");
        }
        assert!(!is_as_expected(
            EXPECTED,
            &EXPECTED.replace("READY=1", "STATUS=x")
        ));
        assert!(!is_as_expected(EXPECTED, ""));
    }

    /// The last line of a process and its end come from different sockets.
    #[test]
    fn within_a_moment_logs_have_an_order_of_their_own() {
        let text = |lines: [&str; 4]| lines.join("\n");
        let [begin, log, exit, later] = [
            "            a.service  dead -> start",
            "  +2.100 s  a.service  log: Hello World!",
            "            a.service  main process exited, status 0",
            "  +3.000 s  a.service  log: and again",
        ];
        let swapped = [
            "  +2.100 s  a.service  main process exited, status 0",
            "            a.service  log: Hello World!",
        ];
        let expected = text([begin, log, exit, later]);
        assert!(is_as_expected(
            &expected,
            &text([begin, swapped[0], swapped[1], later])
        ));
        // Another unit's lines, another moment, and logs among themselves have an order.
        let other = swapped[1].replace("a.service", "b.service");
        assert!(!is_as_expected(
            &text([begin, swapped[0], &other, later]),
            &text([
                begin,
                &other.replace("          ", "  +2.100 s"),
                exit,
                later
            ])
        ));
        let moved = text([begin, later, exit, log]);
        assert!(!is_as_expected(&expected, &moved));
        let late = expected.replace("            a.service  main", "  +2.000 s  a.service  main");
        let early = text([
            begin,
            swapped[0],
            "  +2.000 s  a.service  log: Hello World!",
            later,
        ]);
        assert!(!is_as_expected(&late, &early));
    }

    #[test]
    fn people_see_whole_seconds_and_what_is_as_expected_once() {
        let seen = EXPECTED
            .replace("+2.100 s", "+2.600 s")
            .replace("start -> running", "start -> failed");
        let expected = [
            "            a.service  dead -> start",
            "      +3 s  a.service  READY=1",
            "  -         a.service  start -> running",
            "  +         a.service  start -> failed\n",
        ];
        assert_eq!(diff(EXPECTED, &seen), expected.join("\n"));
    }

    #[test]
    fn a_distance_that_rounding_would_hide_is_exact() {
        let seen = EXPECTED.replace("+2.100 s", "+1.750 s");
        let shown = diff(EXPECTED, &seen);
        assert!(
            shown.contains("  - +2.100 s  a.service  READY=1"),
            "{shown}"
        );
        assert!(
            shown.contains("  + +1.750 s  a.service  READY=1"),
            "{shown}"
        );
    }

    #[test]
    fn lines_without_distances_are_words() {
        let plain = "                 request \"first\": 200\nresult: watchdog\n";
        assert!(is_as_expected(plain, plain));
        assert!(diff(plain, plain).contains("                   request \"first\": 200"));
        assert!(!is_as_expected(plain, &plain.replace("200", "500")));
    }
}

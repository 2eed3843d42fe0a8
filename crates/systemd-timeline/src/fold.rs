//! Repetitions are shown once and counted: a crash loop of a hundred restarts becomes one restart, and "the same 99 times".

use std::time::Duration;

/// How often the same lines must come in a row to be folded: two or three repetitions are quicker to read than to count.
const OFTEN: usize = 4;

/// The beginning of a restart's line; its number follows.
const RESTART: &str = "restart ";

/// How much longer or shorter one repetition may be than the first: a timer's slack, twice.
const RHYTHM: Duration = Duration::from_millis(500);

/// A sequence of more lines than this does not count as a repetition.
const LONGEST: usize = 40;

/// A line that can be folded.
pub trait Foldable {
    /// When it happened, since time 0.
    fn at(&self) -> Duration;
    /// The unit that it is about, or an empty string.
    fn unit(&self) -> &str;
    /// What happened.
    fn text(&self) -> String;
}

/// An entry of a folded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folded<'a, L> {
    /// A line.
    Line(&'a L),
    /// The lines before it are repeated.
    Same {
        /// How many of them.
        lines: usize,
        /// How often they are repeated.
        times: usize,
        /// The lines that are not shown: `lines` × `times`, never empty.
        left_out: &'a [L],
    },
}

/// The lines, with repetitions counted. Only the number of a restart may differ: if an exit status or a delay changes each
/// time, the reader wants to see that. The last repetition is shown, too, because it shows how the loop ended.
pub fn folded<L: Foldable>(lines: &[L]) -> Vec<Folded<'_, L>> {
    let words: Vec<String> = lines.iter().map(without_count).collect();
    let times: Vec<Duration> = lines.iter().map(L::at).collect();
    let mut folded = Vec::new();
    let mut from = 0;
    while from < lines.len() {
        let Some((period, times)) = repetition(&words[from..], &times[from..]) else {
            folded.push(Folded::Line(&lines[from]));
            from += 1;
            continue;
        };
        let end = from + period * times;
        let (first, last) = (from + period, end - period);
        folded.extend(lines[from..first].iter().map(Folded::Line));
        folded.push(Folded::Same {
            lines: period,
            times: times - 2,
            left_out: &lines[first..last],
        });
        folded.extend(lines[last..end].iter().map(Folded::Line));
        from = end;
    }
    folded
}

fn without_count(line: &impl Foldable) -> String {
    let text = line.text();
    let text = match text.strip_prefix(RESTART) {
        Some(_) => RESTART,
        None => text.as_str(),
    };
    format!("{} {text}", line.unit())
}

/// How many lines repeat, and how often, if a frequent repetition begins here. If there are several, the one that leaves the
/// least to read.
fn repetition(words: &[String], at: &[Duration]) -> Option<(usize, usize)> {
    let candidates = (1..=LONGEST.min(words.len() / OFTEN)).filter_map(|period| {
        let alike = words
            .iter()
            .zip(&words[period..])
            .take_while(|(one, other)| one == other);
        let times = alike.count() / period + 1;
        let length = |turn: usize| at[(turn + 1) * period] - at[turn * period];
        let is_in_rhythm = |turn: &usize| length(*turn).abs_diff(length(0)) <= RHYTHM;
        let times = 1
            + (0..times.saturating_sub(1))
                .take_while(is_in_rhythm)
                .count();
        (times >= OFTEN).then_some((period, times))
    });
    candidates.max_by_key(|(period, times)| (period * times, usize::MAX - period))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Line(Duration, String);

    impl Foldable for Line {
        fn at(&self) -> Duration {
            self.0
        }

        fn unit(&self) -> &str {
            "a.service"
        }

        fn text(&self) -> String {
            self.1.clone()
        }
    }

    fn line(at: u64, text: &str) -> Line {
        Line(Duration::from_secs(at), text.to_owned())
    }

    fn lines(texts: &[&str]) -> Vec<Line> {
        let lines = texts.iter().zip(0..).map(|(text, at)| line(at, text));
        lines.collect()
    }

    fn told(lines: &[Line]) -> Vec<String> {
        folded(lines)
            .iter()
            .map(|one| match one {
                Folded::Line(line) => line.text(),
                Folded::Same {
                    lines,
                    times,
                    left_out,
                } => {
                    assert_eq!(left_out.len(), lines * times);
                    let [first, .., last] = left_out else {
                        unreachable!("it came often")
                    };
                    format!("{lines} lines {times} times, {:?} to {:?}", first.0, last.0)
                }
            })
            .collect()
    }

    #[test]
    fn a_crash_loop_is_shown_once_with_its_end() {
        let texts: Vec<String> = (1..=20)
            .flat_map(|turn| [format!("restart {turn}"), "start".into(), "failed".into()])
            .chain(["given up".into()])
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert_eq!(
            told(&lines(&texts)),
            [
                "restart 1",
                "start",
                "failed",
                "3 lines 18 times, 3s to 56s",
                "restart 20",
                "start",
                "failed",
                "given up"
            ]
        );
    }

    #[test]
    fn changing_statuses_and_delays_are_not_folded() {
        let texts: Vec<String> = (1..=9)
            .flat_map(|turn| [format!("restart {turn}"), format!("status {turn}")])
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert_eq!(told(&lines(&texts)).len(), texts.len());
        let grows: Vec<Line> = (1..=9).map(|turn| line(turn * turn, "restart 1")).collect();
        assert_eq!(told(&grows).len(), grows.len());
    }

    #[test]
    fn three_repetitions_are_not_folded() {
        let all = lines(&["a", "b", "a", "b", "a", "b", "c"]);
        assert_eq!(told(&all).len(), all.len());
        assert!(told(&lines(&[])).is_empty());
    }

    #[test]
    fn the_longest_repetition_is_folded_and_not_a_part_of_it() {
        let all = lines(&["a", "a", "b", "a", "a", "b", "a", "a", "b", "a", "a", "b"]);
        assert_eq!(
            told(&all),
            ["a", "a", "b", "3 lines 2 times, 3s to 8s", "a", "a", "b"]
        );
    }
}

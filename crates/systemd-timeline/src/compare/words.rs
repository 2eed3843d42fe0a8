//! Compares texts in which only times may differ: sentences, tables and transcripts of a run.

use similar::TextDiff;

/// How many lines to show around a difference.
const CONTEXT: usize = 2;

/// How much a written time may differ. It was rounded to a whole second, and two times that are half a second apart (see
/// [`Tolerance::SAME_SERVICE`](super::Tolerance::SAME_SERVICE)) may be rounded to neighbouring seconds.
const SECONDS: f64 = 1.0;

/// How much a share of time written as a percentage may differ.
const PERCENT: f64 = 1.0;

/// What may follow a figure that is a time, and how many seconds it stands for.
const UNITS: [(&str, f64); 5] = [
    ("ms", 0.001),
    ("s", 1.0),
    ("seconds", 1.0),
    ("min", 60.0),
    ("h", 3600.0),
];

/// What comes before a number that is different in each run: `PID 131`, `left-over process 131 (x)`.
const PROCESS: [&str; 2] = ["PID", "process"];

/// The difference between two texts, as a diff; `None` if they agree. Times may differ by a second, or by one in their last
/// place if that is more; shares of time by a percent; PIDs by anything. All other figures count as words. Timeline lines
/// about sockets have an order of their own, because they come from the kernel, and all other lines from systemd.
pub fn texts(expected: &str, seen: &str) -> Option<String> {
    // A file may have been checked out with different line ends.
    let expected = expected.replace("\r\n", "\n");
    let is_same = |accounts: [&str; 2]| {
        let [one, other] = accounts.map(|text| text.lines().partition(|line| is_listener(line)));
        let (one, other): (Accounts<'_>, Accounts<'_>) = (one, other);
        let alike = |one: &[&str], other: &[&str]| {
            let (one, other) = (one.join("\n"), other.join("\n"));
            is_alike(&tokens(&one), &tokens(&other))
        };
        alike(&one.0, &other.0) && alike(&one.1, &other.1)
    };
    if is_same([&expected, seen]) {
        return None;
    }
    // Lines that agree are not a difference.
    let seen_lines: Vec<&str> = seen.lines().collect();
    let expected_lines: Vec<&str> = expected
        .lines()
        .map(|line| {
            let own = tokens(line);
            let same = seen_lines
                .iter()
                .find(|other| is_alike(&own, &tokens(other)));
            same.copied().unwrap_or(line)
        })
        .collect();
    let (expected, seen) = (expected_lines.join("\n"), seen_lines.join("\n"));
    let diff = TextDiff::from_lines(expected.as_str(), seen.as_str());
    Some(diff.unified_diff().context_radius(CONTEXT).to_string())
}

/// The text without what is different in each run: PIDs, and what the kernel chooses in the names of units, wherever such a name
/// appears. A unit that a socket with `Accept=yes` started for one client has the client's port or PID in its name, e.g.
/// `x@0-127.0.0.1:80-127.0.0.1:50000.service` or `x@0-1234-0.service` (`instance_from_socket` in systemd's socket.c);
/// `run-p12-i34.service` has PIDs (systemd-run(1)).
pub(crate) fn comparable(text: &str) -> String {
    let words = without_pids(text);
    let words = words.split(' ').map(without_client);
    words.collect::<Vec<String>>().join(" ")
}

fn without_client(word: &str) -> String {
    let digits_after =
        |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    // run-pN-iN
    if let Some((before, rest)) = word.split_once("run-p")
        && let (length @ 1.., rest) = (digits_after(rest), rest)
        && let Some(rest) = rest[length..].strip_prefix("-i")
        && digits_after(rest) > 0
    {
        return format!("{before}run-p…-i…{}", &rest[digits_after(rest)..]);
    }
    // The innermost instance: the last @ followed by a number and a dash.
    let mut instances = word.match_indices('@').filter_map(|(at, _)| {
        let rest = &word[at + 1..];
        let length = digits_after(rest);
        (length > 0 && rest[length..].starts_with('-')).then_some(at + 1 + length + 1)
    });
    let Some(begin) = instances.next_back() else {
        return word.to_owned();
    };
    let (before, rest) = word.split_at(begin);
    let of_pid = digits_after(rest);
    if of_pid > 0 && rest[of_pid..].starts_with('-') && digits_after(&rest[of_pid + 1..]) > 0 {
        return format!("{before}…{}", &rest[of_pid..]);
    }
    // ADDRESS:PORT-ADDRESS:PORT
    match rest.rsplit_once(':') {
        Some((addresses, port)) if addresses.contains(':') && digits_after(port) > 0 => {
            format!("{before}{addresses}:…{}", &port[digits_after(port)..])
        }
        _ => word.to_owned(),
    }
}

/// Whether this is a state change that begins or ends a unit's activation, in words or as JSON.
pub(crate) fn is_activation(what: &str) -> bool {
    let states = match what.strip_prefix("{\"event\":\"state-changed\",\"from\":\"") {
        Some(json) => json.split_once("\",\"to\":\""),
        None => what.split_once(" -> "),
    };
    let is_inactive = |state: &str| {
        ["dead", "failed", "auto-restart"]
            .iter()
            .any(|it| state.starts_with(it))
    };
    let is_activating = |state: &str| {
        ["start", "condition"]
            .iter()
            .any(|it| state.starts_with(it))
    };
    // The end of an active state is not an activation.
    states.is_some_and(|(from, to)| is_activating(from) || (is_inactive(from) && !is_inactive(to)))
}

/// Who saw what an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Witness {
    Systemd,
    /// It reports about sockets.
    Kernel,
    /// journald, which reads their lines from other sockets than systemd's.
    TheUnitsProcesses,
}

impl Witness {
    /// Of an event, in words or as JSON.
    pub(super) fn of(what: &str) -> Witness {
        const LOGS: [&str; 2] = ["log: ", "{\"event\":\"log\""];
        if is_about_listener(what) {
            Witness::Kernel
        } else if LOGS.iter().any(|begin| what.starts_with(begin)) {
            Witness::TheUnitsProcesses
        } else {
            Witness::Systemd
        }
    }
}

/// Whether this is the kernel's report about a socket, in words or as JSON.
fn is_about_listener(what: &str) -> bool {
    const KERNEL: [&str; 3] = [
        "listening on ",
        "no longer listening on ",
        "{\"event\":\"listener-",
    ];
    KERNEL.iter().any(|begin| what.starts_with(begin))
}

/// The lines from the kernel about sockets, and all others.
type Accounts<'a> = (Vec<&'a str>, Vec<&'a str>);

/// Whether a line of a timeline, after its time and its unit, is about a socket.
fn is_listener(line: &str) -> bool {
    line.split("  ")
        .any(|column| is_about_listener(column.trim()))
}

/// The text, with the same word in place of each PID.
fn without_pids(text: &str) -> String {
    let mut shown: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let rest = word.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_pid = rest.len() < word.len()
            && shown
                .last()
                .is_some_and(|it| PROCESS.contains(&it.as_str()));
        shown.push(match is_pid {
            true => format!("…{rest}"),
            false => word.to_owned(),
        });
    }
    shown.join(" ")
}

#[derive(Debug, Clone, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    /// In seconds; the second value is a change of one in its last place.
    Time(f64, f64),
    Percent(f64),
    Pid,
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut tokens = Vec::new();
    let mut index = 0;
    while let Some(&word) = words.get(index) {
        index += 1;
        // Punctuation around a time is part of the words.
        let is_of_figure = |c: char| c.is_ascii_digit() || c == '.' || c == ':';
        let begin = word.find(|c: char| c.is_ascii_digit());
        let Some(begin) = begin else {
            tokens.push(Token::Word(word));
            continue;
        };
        let (before, rest) = word.split_at(begin);
        let end = rest.find(|c: char| !is_of_figure(c)).unwrap_or(rest.len());
        let figure = rest[..end].trim_end_matches(['.', ':']);
        let after = &rest[figure.len()..];
        let is_pid = matches!(tokens.last(), Some(Token::Word(word)) if PROCESS.contains(word));
        if is_pid && is_number(figure) {
            tokens.extend([Token::Word(before), Token::Pid, Token::Word(after)]);
        } else if let Some(seconds) = clock(figure) {
            let time = Token::Time(seconds, 1.0);
            tokens.extend([Token::Word(before), time, Token::Word(after)]);
        } else if let (Some(time), true) = (span(figure, after), is_free(before)) {
            // `1min 2s`, `900ms`
            push_time(&mut tokens, before, time, after);
        } else if let (Some(next), true, true) =
            (words.get(index), after.is_empty(), is_free(before))
            && let Some(time) = span(figure, next)
        {
            push_time(&mut tokens, before, time, next);
            index += 1;
        } else if let (Some(next), true) = (words.get(index), after.is_empty())
            && next.starts_with('%')
            && let Ok(share) = figure.parse()
        {
            tokens.extend([Token::Percent(share), Token::Word(next)]);
            index += 1;
        } else {
            tokens.push(Token::Word(word));
        }
    }
    tokens.retain(|token| *token != Token::Word(""));
    tokens
}

fn is_number(figure: &str) -> bool {
    !figure.is_empty() && figure.chars().all(|c| c.is_ascii_digit())
}

/// `+12` and `(12` are times if a unit follows; `RestartSec=12` and `start-12` are words.
fn is_free(before: &str) -> bool {
    before.chars().all(|c| "+(|\"".contains(c))
}

/// Seconds of `0:10` or `1:02:03`.
fn clock(figure: &str) -> Option<f64> {
    let parts: Vec<&str> = figure.split(':').collect();
    let is_clock = (2..=3).contains(&parts.len())
        && parts[1..]
            .iter()
            .all(|part| part.len() >= 2 && part.starts_with(|c: char| c.is_ascii_digit()));
    if !is_clock {
        return None;
    }
    parts.iter().try_fold(0.0, |seconds, part| {
        let part: f64 = part.parse().ok()?;
        Some(seconds * 60.0 + part)
    })
}

/// A figure and its unit: `12` and `s,`.
fn span<'a>(figure: &str, unit: &str) -> Option<Token<'a>> {
    let letters = unit
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(unit.len());
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == &unit[..letters])?;
    let value: f64 = figure.parse().ok()?;
    let places = figure
        .split_once('.')
        .map_or(0, |(_, places)| places.len() as i32);
    Some(Token::Time(value * seconds, seconds * 0.1_f64.powi(places)))
}

/// Adds a time, what comes before it and what follows its unit. `3min 59s` is one time.
fn push_time<'a>(tokens: &mut Vec<Token<'a>>, before: &'a str, time: Token<'a>, unit: &'a str) {
    let rest = unit.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let time = match (tokens.last(), &time) {
        (Some(Token::Time(larger, place)), Token::Time(smaller, last_place))
            if before.is_empty() && last_place < place =>
        {
            let sum = Token::Time(larger + smaller, *last_place);
            tokens.pop();
            sum
        }
        _ => time,
    };
    tokens.extend([Token::Word(before), time, Token::Word(rest)]);
    tokens.retain(|token| *token != Token::Word(""));
}

fn is_alike(one: &[Token<'_>], other: &[Token<'_>]) -> bool {
    /// The rounding error of adding decimal fractions.
    const ROUNDING: f64 = 1e-6;
    one.len() == other.len()
        && one.iter().zip(other).all(|pair| match pair {
            (Token::Time(one, place), Token::Time(other, other_place)) => {
                let last_place = place.min(*other_place);
                (one - other).abs() <= SECONDS.max(last_place) + ROUNDING
            }
            (Token::Percent(one), Token::Percent(other)) => {
                (one - other).abs() <= PERCENT + ROUNDING
            }
            (one, other) => one == other,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        texts(one, other).is_none()
    }

    #[test]
    fn times_may_differ_by_a_second() {
        for (one, other) in [
            ("after 170 s, restart 3", "after 171 s, restart 3"),
            ("  +2 s  a.service  READY=1", "  +3 s  a.service  READY=1"),
            ("  0:59  running", "  1:00  running"),
            ("Longest outage  10.0 s", "Longest outage  9.4 s"),
            ("gives up after 119 min.", "gives up after 120 min."),
            ("3min 59s; there were 2", "3min 58s; there were 2"),
            ("3min 59s", "4min"),
            ("Availability 95.99 %,", "Availability 96.10 %,"),
            (
                "from PID 131, but only PID 130",
                "from PID 141, but only PID 140",
            ),
            ("| 10 s | 20 s |", "| 10 s | 21 s |"),
            ("(after 5 s)", "(after 6 s)"),
            ("a\r\nb", "a\nb"),
            (
                "  0:01  a.service  listening on [::]:80\n  0:01  a.service  running",
                "  0:01  a.service  running\n  0:01  a.service  listening on [::]:80",
            ),
        ] {
            assert!(same(one, other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn everything_else_may_not() {
        for (one, other) in [
            ("after 170 s", "after 172 s"),
            ("0:59  running", "0:59  failed"),
            ("restart 3", "restart 4"),
            ("status 75", "status 76"),
            ("RestartSec=5 s", "RestartSec=6 s"),
            ("asked 60 times", "asked 61 times"),
            ("127.0.0.1:7878", "127.0.0.1:7879"),
            ("10.0 s", "12.0 s"),
            ("5 min", "7 min"),
            ("95 %", "97 %"),
            ("a", "a b"),
            ("", "a"),
            ("systemd 257", "systemd 258"),
            ("3min 59s", "2min 59s"),
            ("3min 59s", "3min 57s"),
        ] {
            assert!(!same(one, other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_difference_shows_the_lines_that_say_something_else() {
        let diff = texts("a\nafter 5 s\nb\n", "a\nafter 6 s\nc\n");
        insta::assert_snapshot!(diff.expect("they differ"), @r"
        @@ -1,3 +1,3 @@
         a
         after 6 s
        -b
        \ No newline at end of file
        +c
        \ No newline at end of file
        ");
    }

    #[test]
    fn an_activation_is_a_change_from_inactive_or_from_activating() {
        for (what, is_it) in [
            ("dead -> start-pre", true),
            ("start -> running", true),
            ("start -> dead", true),
            ("auto-restart-queued -> running", true),
            ("dead -> listening", true),
            ("running -> stop-sigterm", false),
            ("stop-sigterm -> dead", false),
            ("failed-before-auto-restart -> auto-restart", false),
            ("restart 1", false),
            (
                r#"{"event":"state-changed","from":"dead","to":"running"}"#,
                true,
            ),
            (
                r#"{"event":"state-changed","from":"running","to":"dead"}"#,
                false,
            ),
        ] {
            assert_eq!(is_activation(what), is_it, "{what}");
        }
    }

    #[test]
    fn a_unit_for_one_client_is_the_same_for_another() {
        for (unit, same) in [
            (
                "e@0-127.0.0.1:7777-127.0.0.1:53596.service",
                "e@0-127.0.0.1:7777-127.0.0.1:….service",
            ),
            (
                "e@12-[::1]:80-[::1]:5.service",
                "e@12-[::1]:80-[::1]:….service",
            ),
            ("e@3-1234-0.service", "e@3-…-0.service"),
            (
                "alert@e@0-127.0.0.1:7777-127.0.0.1:534.service.service",
                "alert@e@0-127.0.0.1:7777-127.0.0.1:….service.service",
            ),
            ("run-p148-i448.scope", "run-p…-i….scope"),
            ("run-parts.service", "run-parts.service"),
            ("e@eth0-1-2.service", "e@eth0-1-2.service"),
            ("getty@tty1.service", "getty@tty1.service"),
            ("e.service", "e.service"),
            ("e@.service", "e@.service"),
        ] {
            assert_eq!(comparable(unit), same);
            let text = format!("stop job queued, because of Conflicts={unit}");
            let same = format!("stop job queued, because of Conflicts={same}");
            assert_eq!(comparable(&text), same);
        }
    }

    #[test]
    fn a_pid_is_a_number_after_its_name() {
        assert_eq!(
            without_pids("from PID 131, PID 7 and PIDs 8"),
            "from PID …, PID … and PIDs 8"
        );
    }
}

//! What happened to a service, in words and rows, without repetitions. The result is the same for every image.

use std::time::Duration;

use serde::{Serialize, Serializer};
use systemd_lab::protocol::{Event, EventKind};
use systemd_lab::{Timeline, clock_time, describe, nearest_second};

/// How many rounds are shown. The ones after them are only counted.
const TOLD: usize = 2;

/// A service is at rest if nothing happens for this long after its run or its wait should have ended. Timer slack and starts take much
/// less.
const AT_REST: Duration = Duration::from_secs(3);

/// States that take no time.
const PASSING: [&str; 4] = [
    "stop-watchdog",
    "dead-before-auto-restart",
    "failed-before-auto-restart",
    "auto-restart-queued",
];

/// What happened with one choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Outcome {
    /// In one or two sentences.
    pub(super) says: String,
    /// In two or three words, for a table.
    pub(super) short: String,
    /// In order.
    pub(super) rows: Vec<Row>,
}

/// Time since the start, written as whole seconds; the kind of row; its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Row(
    #[serde(serialize_with = "whole_seconds")] Duration,
    Kind,
    String,
);

/// The kinds of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// A state begins.
    State,
    /// An end that counts as a success.
    Good,
    /// A failure.
    Bad,
    /// Anything else.
    Note,
    /// systemd sends a signal.
    Signal,
    /// A restart is due.
    Restart,
    /// Stands for rounds that are not shown.
    More,
}

/// The events of a service up to a restart, or after the last one.
struct Round {
    rows: Vec<Row>,
    /// From its beginning to its end.
    length: Duration,
}

impl Outcome {
    /// # Errors
    ///
    /// When there are no words for what it did: the rounds differ, or it does not come to an end.
    pub(super) fn of(
        timeline: &Timeline,
        round: Duration,
        watched: Duration,
    ) -> Result<Outcome, String> {
        let rows = rows(timeline);
        let mut rounds = rounds(&rows);
        let tail = rounds.pop().ok_or("nothing happened")?;
        // In the first round, the counter is 1 and the first state is another one. Nothing else may differ.
        if let Some(other) = rounds.iter().find(|round| !is_like(round, &rounds[0])) {
            return Err(format!(
                "rounds differ: {:?} and {:?}",
                rounds[0].rows, other.rows
            ));
        }
        let end = End::of(timeline, &tail, round, watched)?;
        if end == End::GoesOn && rounds.len() <= TOLD {
            return Err("it was not watched for long enough to see that it goes on".to_owned());
        }
        Ok(Outcome {
            says: says(&rounds, &tail, end, watched),
            short: short(&rounds, end),
            rows: told(rows, &rounds, end, watched),
        })
    }
}

/// What a service did at the end of the watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Dead,
    Failed,
    StartLimit,
    Runs,
    GoesOn,
}

impl End {
    fn of(
        timeline: &Timeline,
        tail: &Round,
        round: Duration,
        watched: Duration,
    ) -> Result<End, String> {
        let is_change = |event: &&Event| matches!(event.kind, EventKind::StateChanged { .. });
        let last = timeline.events().iter().rev().find(is_change);
        let (Some(last), Some(state)) = (last, tail.last_state()) else {
            return Err("it has no state".to_owned());
        };
        let hit = tail.rows.iter().any(|row| row.2 == "start limit hit");
        let rests = watched.saturating_sub(timeline.time_of(last)) > round + AT_REST;
        match state {
            "failed" if hit => Ok(End::StartLimit),
            "failed" => Ok(End::Failed),
            "dead" => Ok(End::Dead),
            "running" if rests => Ok(End::Runs),
            _ if rests => Err(format!("it stays in {state}")),
            _ => Ok(End::GoesOn),
        }
    }
}

impl Round {
    fn last_state(&self) -> Option<&str> {
        let is_state = |row: &&Row| row.1 == Kind::State;
        self.rows.iter().rev().find(is_state).map(|row| &*row.2)
    }
}

/// All rows, with their times.
fn rows(timeline: &Timeline) -> Vec<Row> {
    let events = timeline.events().iter();
    events
        .filter_map(|event| {
            let (kind, text) = row(&event.kind)?;
            Some(Row(timeline.time_of(event), kind, text))
        })
        .collect()
}

fn row(kind: &EventKind) -> Option<(Kind, String)> {
    let mark = match kind {
        EventKind::StateChanged { to, .. } => {
            return (!PASSING.contains(&to.as_str())).then(|| (Kind::State, to.clone()));
        }
        EventKind::ProcessExited { code, status, .. } if code == "exited" && *status == 0 => {
            Kind::Note
        }
        EventKind::ProcessExited { .. }
        | EventKind::WatchdogTimeout { .. }
        | EventKind::Timeout { .. }
        | EventKind::Failed { .. }
        | EventKind::StartLimitHit => Kind::Bad,
        EventKind::Killing { .. } => Kind::Signal,
        EventKind::Deactivated => Kind::Good,
        EventKind::RestartScheduled { .. } => Kind::Restart,
        _ => return None,
    };
    Some((mark, describe(kind)?))
}

/// Each round ends with its restart. The last one is what came after all restarts, perhaps nothing.
fn rounds(rows: &[Row]) -> Vec<Round> {
    let mut began = Duration::ZERO;
    let mut rounds = Vec::new();
    for rows in rows.split_inclusive(|row| row.1 == Kind::Restart) {
        let end = rows.last().map_or(began, |row| row.0);
        rounds.push(Round {
            rows: rows
                .iter()
                .map(|row| Row(row.0 - began, row.1, row.2.clone()))
                .collect(),
            length: end - began,
        });
        began = end;
    }
    if rows.last().is_some_and(|row| row.1 == Kind::Restart) {
        rounds.push(Round {
            rows: Vec::new(),
            length: Duration::ZERO,
        });
    }
    rounds
}

/// Whether both are the same, apart from the number of the restart.
fn is_like(round: &Round, first: &Round) -> bool {
    let same = |(one, other): (&Row, &Row)| {
        one.1 == other.1 && (one.1 == Kind::Restart || one.2 == other.2)
    };
    round.rows.len() == first.rows.len() && round.rows.iter().zip(&first.rows).all(same)
}

fn told(rows: Vec<Row>, rounds: &[Round], end: End, watched: Duration) -> Vec<Row> {
    if rounds.len() <= TOLD {
        return rows;
    }
    let length = rounds[0].rows.len();
    let more = rounds.len() - TOLD;
    let mut told = rows[..TOLD * length].to_vec();
    let at = told.last().map_or(Duration::ZERO, |row| row.0);
    if end == End::GoesOn {
        let text = format!(
            "and so on, {}, as long as it was watched ({})",
            rhythm(rounds),
            duration(watched)
        );
        told.push(Row(at, Kind::More, text));
        return told;
    }
    let times = if more == 1 { "once" } else { "twice" };
    match more {
        1 | 2 => told.push(Row(at, Kind::More, format!("the same {times} more"))),
        _ => told.push(Row(at, Kind::More, format!("the same {more} times more"))),
    }
    // With the number of the last restart.
    told.extend_from_slice(&rows[(TOLD + more) * length - 1..]);
    told
}

fn says(rounds: &[Round], tail: &Round, end: End, watched: Duration) -> String {
    let ended = tail.rows.iter().rev().find(|row| row.1 == Kind::State);
    let before = rounds.iter().map(|one| one.length).sum::<Duration>();
    let at = before + ended.map_or(Duration::ZERO, |row| row.0);
    let at = clock_time(nearest_second(at));
    let wait = rounds.first().map_or(Duration::ZERO, wait);
    let after = match nearest_second(wait) {
        0 => "a moment after each end".to_owned(),
        _ => format!("{} after each end", duration(wait)),
    };
    let result = tail
        .rows
        .iter()
        .rev()
        .find_map(|row| row.2.strip_prefix("failed: "))
        .unwrap_or("success");
    match end {
        End::Dead => format!(
            "It ends at {at} and does not come back. systemd calls that a success (inactive, result {result})."
        ),
        End::Failed => {
            format!("It fails at {at} and does not come back (failed, result {result}).")
        }
        End::StartLimit => format!(
            "It comes back {}, {after}. The next restart would be one start too many: systemd gives up at {at} (failed, start limit hit).",
            times(rounds.len() - 1)
        ),
        End::Runs if rounds.is_empty() => "It runs.".to_owned(),
        End::Runs => format!(
            "It comes back {}, {after}, and from {at} on it runs.",
            times(rounds.len())
        ),
        End::GoesOn => format!(
            "It comes back every time, {after}: {}, as long as it was watched ({}). No start limit is reached.",
            rhythm(rounds),
            duration(watched)
        ),
    }
}

fn short(rounds: &[Round], end: End) -> String {
    match end {
        End::Dead => "stays away: inactive".to_owned(),
        End::Failed => "stays away: failed".to_owned(),
        End::StartLimit => format!(
            "comes back {}, then start limit hit",
            times(rounds.len() - 1)
        ),
        End::Runs => format!("comes back {}, then runs", times(rounds.len())),
        End::GoesOn => "comes back every time".to_owned(),
    }
}

/// From the beginning of the wait for a restart to its end.
fn wait(round: &Round) -> Duration {
    let began = round.rows.iter().find(|row| row.2 == "auto-restart");
    began.map_or(Duration::ZERO, |row| round.length - row.0)
}

fn rhythm(rounds: &[Round]) -> String {
    let length = rounds[0].length;
    match nearest_second(length) {
        0 => "several starts a second".to_owned(),
        _ => format!("a start every {}", duration(length)),
    }
}

fn times(count: usize) -> String {
    match count {
        0 => "not once".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}

/// `25 s`, `1 min 20 s`.
fn duration(time: Duration) -> String {
    let seconds = nearest_second(time);
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

fn whole_seconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(nearest_second(*time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use systemd_lab::protocol::event::Source;

    const ROUND: Duration = Duration::from_secs(25);

    fn state(to: &str) -> EventKind {
        EventKind::StateChanged {
            from: "any".to_owned(),
            to: to.to_owned(),
        }
    }

    /// A service that runs for 20 s and fails, once with each of these results.
    fn outcome(results: &[&str], watched: u64) -> Result<Outcome, String> {
        let mut kinds = vec![(
            0,
            EventKind::ScenarioBegan {
                name: String::new(),
            },
        )];
        for (counter, (result, at)) in (1..).zip(results.iter().zip((0..).step_by(25))) {
            let result = (*result).to_owned();
            kinds.push((at, state("running")));
            kinds.push((at + 20, EventKind::Failed { result }));
            kinds.push((at + 20, state("auto-restart")));
            kinds.push((at + 25, EventKind::RestartScheduled { counter }));
        }
        let events = kinds.into_iter().map(|(at, kind)| Event {
            at_us: at * 1_000_000,
            unit: Some("a.service".to_owned()),
            source: Source::Agent,
            kind,
        });
        let mut events: Vec<Event> = events.collect();
        let last = events.last().map_or(0, |event| event.at_us);
        events.push(Event {
            at_us: last,
            unit: Some("a.service".to_owned()),
            source: Source::Agent,
            kind: state("running"),
        });
        Outcome::of(&Timeline::new(events), ROUND, Duration::from_secs(watched))
    }

    #[test]
    fn what_goes_on_is_told_twice() {
        let outcome = outcome(&["signal"; 3], 90).expect("the rounds are alike");
        assert!(
            outcome.says.contains("a start every 25 s"),
            "{}",
            outcome.says
        );
        let last = outcome.rows.last().expect("there are rows");
        assert_eq!((last.0.as_secs(), last.1), (50, Kind::More));
        assert_eq!(outcome.rows.len(), 2 * 4 + 1);
    }

    #[test]
    fn what_stays_up_is_told_apart() {
        let outcome = outcome(&["signal"; 2], 90).expect("the rounds are alike");
        assert_eq!(
            outcome.says,
            "It comes back twice, 5 s after each end, and from 0:50 on it runs."
        );
    }

    #[test]
    fn rounds_that_differ_are_refused() {
        let error = outcome(&["signal", "exit-code", "signal"], 90).expect_err("they differ");
        assert!(error.starts_with("rounds differ"), "{error}");
    }

    #[test]
    fn too_short_a_watch_is_refused() {
        let error = outcome(&["signal"; 2], 60).expect_err("it may go on");
        assert!(error.starts_with("it was not watched"), "{error}");
    }
}

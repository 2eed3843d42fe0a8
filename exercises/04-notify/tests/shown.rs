//! What the check sees, as lines: only what every right solution shows. When exactly in a phase the service reports something, how
//! often, and in which words, is up to the service.

use std::collections::BTreeSet;
use std::time::Duration;

use systemd_lab::diagnosis::{Case, readiness, serving, stopping};
use systemd_lab::protocol::event::ResponseOutcome;
use systemd_lab::protocol::{Event, EventKind};
use systemd_lab::{Timeline, describe};

use crate::SUBJECT;
use crate::scenarios::{AT_CTRL_C, BY_HAND_FIRST, BY_HAND_RELOADED, BY_HAND_UNIT, LATER, NEW};

/// Nothing is in flight during the warm-up, so a service that is stopped then ends at once.
const AT_ONCE: Duration = Duration::from_secs(1);

/// `CLOCK_MONOTONIC` is read a moment before the notification is sent, and after systemd asked for the reload. Stamps of events are
/// taken a moment before or after the fact.
const STAMP_SLACK: Duration = Duration::from_millis(20);

/// signal(7), x86-64.
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

/// How long a part of the data takes to arrive.
pub(crate) const EACH_PART: Duration = Duration::from_millis(500);

/// In which phases the service set a `STATUS=` text.
pub(crate) fn statuses(timeline: &Timeline) -> String {
    let service = SUBJECT.service();
    let ready = timeline
        .first_notification(service, "READY=1")
        .map_or(u64::MAX, |(event, _)| event.at_us);
    let stopping = timeline
        .first(
            service,
            |kind| matches!(kind, EventKind::JobQueued { job } if job == "stop"),
        )
        .map_or(u64::MAX, |event| event.at_us);
    let phases = [
        ("warming up", 0, ready),
        ("ready", ready, stopping),
        ("stopping", stopping, u64::MAX),
    ];
    let mut shown = String::new();
    for (phase, from, to) in phases {
        let status = match status_texts(timeline, from, to).is_empty() {
            true => "no new STATUS=",
            false => "a new STATUS=",
        };
        shown.push_str(&format!("{phase:<10}  {status}\n"));
    }
    shown
}

/// The texts of `STATUS=` during such a time, if there were any.
fn status_texts(timeline: &Timeline, from_us: u64, to_us: u64) -> Vec<&str> {
    let within = timeline
        .notifications(SUBJECT.service(), "STATUS=")
        .filter(|(event, _)| (from_us..to_us).contains(&event.at_us));
    let texts = within.filter_map(|(_, one)| one.strip_prefix("STATUS="));
    texts.filter(|text| !text.trim().is_empty()).collect()
}

/// When each reload began.
fn reloads(timeline: &Timeline) -> Vec<u64> {
    let service = timeline.of(SUBJECT.service());
    let began = service
        .filter(|event| matches!(&event.kind, EventKind::JobQueued { job } if job == "reload"));
    began.map(|event| event.at_us).collect()
}

/// What people could read after each reload, and the stamp of its announcement.
pub(crate) fn reload_statuses(timeline: &Timeline) -> String {
    let began = reloads(timeline);
    let begin = |index: usize| began.get(index).copied().unwrap_or(u64::MAX);
    let before = status_texts(timeline, 0, begin(0));
    let good = status_texts(timeline, begin(0), begin(1));
    let bad = status_texts(timeline, begin(1), u64::MAX);
    let is_new = |texts: &[&str]| match texts.is_empty() {
        true => "no new STATUS=",
        false => "a new STATUS=",
    };
    let tells = match tells_apart(&before, &good, &bad) {
        true => "a new STATUS=, which tells it from a good one",
        false if bad.is_empty() => "no new STATUS=",
        false => "a new STATUS=, which says what it says when all is well",
    };
    let mut shown = format!(
        "a good configuration  {}\na bad configuration   {tells}\n",
        is_new(&good)
    );
    for index in 0..2 {
        shown.push_str(stamp(timeline, begin(index), begin(index + 1)));
    }
    shown
}

/// Whether a person can see that the bad configuration was rejected. Figures, e.g. a counter of reloads, do not count.
pub(crate) fn tells_apart(before: &[&str], good: &[&str], bad: &[&str]) -> bool {
    let plain = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
    let Some(last) = bad.last() else {
        return false;
    };
    let others = before.last().into_iter().chain(good.last());
    others.into_iter().all(|other| plain(other) != plain(last))
}

/// The same, for a run.
pub(crate) fn bad_configuration_is_told(timeline: &Timeline) -> bool {
    let began = reloads(timeline);
    let begin = |index: usize| began.get(index).copied().unwrap_or(u64::MAX);
    tells_apart(
        &status_texts(timeline, 0, begin(0)),
        &status_texts(timeline, begin(0), begin(1)),
        &status_texts(timeline, begin(1), u64::MAX),
    )
}

/// Whether `MONOTONIC_USEC=` is the time at which the reload was announced.
fn stamp(timeline: &Timeline, from_us: u64, to_us: u64) -> &'static str {
    let slack = STAMP_SLACK.as_micros() as u64;
    let found = timeline
        .of(SUBJECT.service())
        .find_map(|event| match &event.kind {
            EventKind::Notified { assignments, .. } if (from_us..to_us).contains(&event.at_us) => {
                let stamp = assignments
                    .iter()
                    .find_map(|one| one.strip_prefix("MONOTONIC_USEC="))?;
                Some((event.at_us, stamp.parse::<u64>().ok()))
            }
            _ => None,
        });
    match found {
        Some((sent, Some(stamp))) if stamp > sent + slack => "MONOTONIC_USEC= is in the future\n",
        Some((_, Some(stamp))) if stamp + slack < from_us => {
            "MONOTONIC_USEC= is before the reload\n"
        }
        Some((_, Some(_))) => "MONOTONIC_USEC= is the time of its reload\n",
        Some((_, None)) => "MONOTONIC_USEC= is not a number\n",
        None => "MONOTONIC_USEC= is missing\n",
    }
}

/// Whether a client that comes during the stop is turned away. How is up to the service.
pub(crate) fn new_connection(timeline: &Timeline) -> String {
    let how = match timeline.response(NEW) {
        Some(ResponseOutcome::Refused | ResponseOutcome::Broken { .. }) => "refused".to_owned(),
        Some(ResponseOutcome::TimedOut) => "taken, and not answered".to_owned(),
        Some(ResponseOutcome::Answered { status, .. }) => format!("answered with {status}"),
        None => "not tried".to_owned(),
    };
    format!("a new connection during the stop: {how}\n")
}

/// Whether the service announces a stop at once.
pub(crate) fn announcement(case: &Case) -> String {
    match stopping::late_announcement(case) {
        Some(took) => format!("STOPPING=1 comes {} s late\n", took.as_secs()),
        None => "STOPPING=1 does not come late\n".to_owned(),
    }
}

/// Whether the service gives up in time on a request that never ends.
pub(crate) fn drain(case: &Case, longest: Duration) -> String {
    match serving::overlong_drain(case, longest) {
        Some(took) => format!("the drain takes {} s\n", took.as_secs()),
        None => "the drain takes no longer than it may\n".to_owned(),
    }
}

/// How systemd ends a start is up to the unit and its `TimeoutStartFailureMode=`: an end by the signal that it names is
/// shown like one by SIGTERM.
pub(crate) fn ended_by_systemd(timeline: &Timeline, shown: String) -> String {
    let mode = timeline.text_property(SUBJECT.service(), "TimeoutStartFailureMode");
    let (message, signal) = match mode {
        Some("abort") => ("timed out. Aborting.", SIGABRT),
        Some("kill") => ("timed out. Killing.", SIGKILL),
        _ => return shown,
    };
    let ended = timeline
        .of(SUBJECT.service())
        .find_map(|event| match &event.kind {
            EventKind::ProcessExited {
                role, code, status, ..
            } if role == "main" && code != "exited" && *status == signal => describe(&event.kind),
            _ => None,
        });
    let lines = shown.lines().filter(|line| !line.ends_with("SIGABRT sent"));
    let shown: String = lines.map(|line| format!("{line}\n")).collect();
    let shown = shown.replacen(message, "timed out. Terminating.", 1);
    match ended {
        Some(ended) => shown.replacen(&ended, "main process exited, status 0", 1),
        None => shown,
    }
}

/// Whether the service asks for more time with each part that arrives, in a long warm-up.
pub(crate) fn extensions(timeline: &Timeline) -> String {
    match readiness::rare_extensions(&SUBJECT.case(timeline), EACH_PART) {
        Some(gap) => format!("EXTEND_TIMEOUT_USEC= up to {gap:.1?} apart\n"),
        None => "EXTEND_TIMEOUT_USEC= with each part\n".to_owned(),
    }
}

/// The answer to a request.
pub(crate) fn response(timeline: &Timeline, wanted: &str) -> String {
    let event = timeline
        .events()
        .iter()
        .find(|event| matches!(&event.kind, EventKind::Response { name, .. } if name == wanted));
    let line = event.and_then(|event| describe(&event.kind));
    line.unwrap_or_else(|| format!("request \"{wanted}\": not sent")) + "\n"
}

/// How the main process ended, from its signal on.
pub(crate) fn ctrl_c(timeline: &Timeline) -> String {
    let said = said(timeline, &["STOPPING=1"]);
    format!(
        "Ctrl-C (SIGINT)\n{}{}{}\n",
        indented(&said),
        response(timeline, AT_CTRL_C),
        end(timeline, SUBJECT.service())
    )
}

/// What the service reports, in order, as far as the exercise asks for an order.
pub(crate) fn protocol(
    started: &Timeline,
    stopped: &Timeline,
    interrupted: &Timeline,
    port_taken: &Timeline,
) -> String {
    let service = SUBJECT.service();
    let ready = started
        .first_notification(service, "READY=1")
        .map_or(u64::MAX, |(event, _)| event.at_us);
    let stop = started
        .first(
            service,
            |kind| matches!(kind, EventKind::JobQueued { job } if job == "stop"),
        )
        .map_or(u64::MAX, |event| event.at_us);
    let part = |from: u64, to: u64| -> Timeline {
        let events = started.events().iter();
        let within = events.filter(|event| (from..to).contains(&event.at_us));
        Timeline::new(within.cloned().collect())
    };
    let loading = said(&part(0, ready), &["EXTEND_TIMEOUT_USEC=", "STATUS="]);
    let serving = said(&part(ready, stop), &["READY=1", "STATUS="]);
    let stopping = said(&part(stop, u64::MAX), &["STOPPING=1", "STATUS="]);
    [
        format!("data loads\n{}", indented(&loading)),
        format!("ready\n{}", indented(&serving)),
        format!("SIGTERM\n{}", indented(&stopping)),
        format!("SIGTERM in the warm-up\n{}", ends_in_warm_up(stopped)),
        format!(
            "Ctrl-C (SIGINT) in the warm-up\n{}",
            ends_in_warm_up(interrupted)
        ),
        format!("the port is taken\n{}", fails(port_taken)),
    ]
    .concat()
}

/// Each different assignment that begins with one of `wanted`.
fn said(timeline: &Timeline, wanted: &[&str]) -> BTreeSet<String> {
    let events = timeline.of(SUBJECT.service());
    let assignments = events.filter_map(|event| match &event.kind {
        EventKind::Notified { assignments, .. } => Some(assignments),
        _ => None,
    });
    assignments
        .flatten()
        .filter(|one| wanted.iter().any(|wanted| one.starts_with(wanted)))
        .map(|one| without_status_text(one))
        .collect()
}

/// The text of a status is up to its author, as long as there is one.
fn without_status_text(assignment: &str) -> String {
    match assignment.strip_prefix("STATUS=") {
        Some(text) if !text.trim().is_empty() => "STATUS=…".to_owned(),
        _ => assignment.to_owned(),
    }
}

fn indented(lines: &BTreeSet<String>) -> String {
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

fn ends_in_warm_up(timeline: &Timeline) -> String {
    let mut lines: Vec<String> = said(timeline, &["STOPPING=1", "READY=1"])
        .into_iter()
        .collect();
    lines.push(end(timeline, SUBJECT.service()));
    let asked = asked(timeline);
    let exit = main_exit(timeline, SUBJECT.service());
    if let (Some(asked), Some(exit)) = (asked, exit) {
        let took = Duration::from_micros(exit.at_us.saturating_sub(asked));
        lines.push(match took < AT_ONCE {
            true => "at once".to_owned(),
            false => format!("after {} s", took.as_secs()),
        });
    }
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

/// When the service was asked to end: by a stop, or by the signal that starts this part of the run.
fn asked(timeline: &Timeline) -> Option<u64> {
    let stop = timeline.first(
        SUBJECT.service(),
        |kind| matches!(kind, EventKind::JobQueued { job } if job == "stop"),
    );
    let first_step = || {
        let mut events = timeline.events().iter();
        events.find(|event| matches!(event.kind, EventKind::StepBegan { .. }))
    };
    stop.or_else(first_step).map(|event| event.at_us)
}

fn fails(timeline: &Timeline) -> String {
    let ready = match said(timeline, &["READY=1"]).is_empty() {
        true => "READY=1 is not sent",
        false => "READY=1 is sent all the same",
    };
    let end = match main_exit(timeline, SUBJECT.service()).map(|event| &event.kind) {
        Some(EventKind::ProcessExited {
            code, status: 0, ..
        }) if code == "exited" => "the service ends as if all were well",
        Some(_) => "the service fails",
        None => "the service goes on",
    };
    format!("  {ready}\n  {end}\n")
}

fn end(timeline: &Timeline, unit: &str) -> String {
    let exit = main_exit(timeline, unit).and_then(|event| describe(&event.kind));
    exit.unwrap_or_else(|| "the main process has not ended".to_owned())
}

fn main_exit<'a>(timeline: &'a Timeline, unit: &'a str) -> Option<&'a Event> {
    timeline.first(
        unit,
        |kind| matches!(kind, EventKind::ProcessExited { role, .. } if role == "main"),
    )
}

/// The program without systemd's socket.
pub(crate) fn by_hand(timeline: &Timeline) -> String {
    format!(
        "without NOTIFY_SOCKET\n{}SIGHUP, with another greeting\n{}Ctrl-C (SIGINT)\n{}\n",
        response(timeline, BY_HAND_FIRST),
        response(timeline, BY_HAND_RELOADED),
        end(timeline, BY_HAND_UNIT)
    )
}

/// The unit after nothing has happened for a while.
pub(crate) fn later(timeline: &Timeline) -> String {
    response(timeline, LATER)
}

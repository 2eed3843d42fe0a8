//! Which setting or line decides that a promise is broken: one sentence, the most certain cause first.

use std::time::Duration;

use systemd_lab::diagnosis::{Case, Rule, diagnose, restart, setup, unit_file};
use systemd_lab::protocol::event::{ProbeOutcome, ResponseOutcome};
use systemd_lab::protocol::{Event, EventKind};
use systemd_lab::{Timeline, nearest_second};

use crate::SUBJECT;
use crate::day::{self, BADLY_RELOADED, NEW_GREETING, PAGE, RELOADED};
use crate::plan::{BAD_FOR, Fault, Part, STOPPED_FOR};
use crate::promises::{
    Promise, RESTARTS, STARTS_WITHIN, STOPS_WITHIN, is_short, needs_person, obeys, page_down,
};
use crate::review::{Cost, Review, is_down};

/// Rules that come first everywhere: a unit that systemd cannot use explains everything else.
const UNITS: &[&[Rule]] = &[
    &[unit_file::refused, unit_file::unknown_setting],
    &[
        setup::setup_failed,
        setup::command_failed,
        setup::ends_the_machine,
    ],
];

/// Longer than the watchdog may take without breaking the promise of 30 s.
const NOTICED_LATE: Duration = Duration::from_secs(20);

/// Longer than a delay before a restart may be if a hang has to be noticed first.
const LONG_DELAY: Duration = Duration::from_secs(10);

/// What an order may take, from its acknowledgement to the fault that proves that it was not in the file.
const FLUSH: Duration = Duration::from_secs(10);

/// Why this promise is broken.
pub(crate) fn of(promise: Promise, review: &Review<'_>) -> Option<String> {
    units(review.timeline).or_else(|| match promise {
        Promise::Answered => worst(review, |cost| cost.page_down())
            .and_then(|cost| of_outage(review, cost, true))
            .map(|why| {
                format!(
                    "{why}. In all, the page was away for {} s",
                    nearest_second(page_down(review))
                )
            }),
        Promise::NoLongOutage => {
            let mut costs = review.costs.iter();
            let cost = costs.find(|cost| !is_short(cost.longest()))?;
            let is_page = cost.page.iter().any(|outage| !is_short(*outage));
            of_outage(review, cost, is_page)
        }
        Promise::NoOrderLost => of_loss(review),
        Promise::NoCrashLoop => of_loop(review),
        Promise::OneAlert => of_alert(review),
        Promise::Operator => of_operator(review),
    })
}

/// What is wrong with the units themselves.
fn units(timeline: &Timeline) -> Option<String> {
    let mut names: Vec<String> = Part::ALL.map(day::unit).to_vec();
    names.push(day::target());
    names.iter().find_map(|name| {
        let case = SUBJECT.case_of(name, timeline);
        UNITS.iter().find_map(|rules| diagnose(&case, rules))
    })
}

fn worst<'a>(review: &'a Review<'_>, of: impl Fn(&Cost) -> Duration) -> Option<&'a Cost> {
    review.costs.iter().max_by_key(|cost| of(cost))
}

/// The part that a fault hits.
fn hit(fault: Fault) -> Option<Part> {
    match fault {
        Fault::Kill(part) | Fault::Freeze(part) | Fault::OutOfMemory(part) => Some(part),
        Fault::SlowDatabase | Fault::WedgedDatabase | Fault::FullDisk | Fault::DamagedDatabase => {
            Some(Part::Database)
        }
        Fault::BadConfiguration | Fault::Reload => Some(Part::Web),
        Fault::StopAndStart => None,
    }
}

/// Why the page, or the orders, were away for so long.
fn of_outage(review: &Review<'_>, cost: &Cost, is_page: bool) -> Option<String> {
    let fault = cost.planned.fault;
    let hit = hit(fault);
    if is_page && hit.is_some_and(|part| part != Part::Web) {
        return blast_radius(review, cost);
    }
    let parts: &[Part] = match (is_page, hit) {
        (true, _) => &[Part::Web],
        (false, Some(Part::Web)) => &[Part::Web, Part::Database],
        (false, _) => &[Part::Database, Part::Web],
    };
    parts
        .iter()
        .find_map(|part| stayed_away(review, cost, *part))
}

/// Something else was hit, and the page was away all the same.
fn blast_radius(review: &Review<'_>, cost: &Cost) -> Option<String> {
    let web = day::unit(Part::Web);
    let fault = cost.planned.fault;
    let case = SUBJECT.case(review.timeline);
    if let Some(setting) = stopped_with(review, cost, Part::Web) {
        return Some(format!(
            "when {fault}, systemd stopped {web} as well: {setting} ties it to a unit without which the page can be answered"
        ));
    }
    let triggered = review
        .events(&cost.span)
        .find_map(|event| match &event.kind {
            EventKind::WatchdogTimeout { message } if event.is_about(&web) => Some(message),
            _ => None,
        });
    if let Some(message) = triggered {
        return Some(format!(
            "when {fault}, the watchdog ended {web}, although a restart of the web front end helps nobody then ({}): GET / must not need the database",
            message.trim_end_matches(['!', '.'])
        ));
    }
    let died = review.part(&cost.span);
    if let Some(why) = unit_file::died_at_start(&Case {
        timeline: &died,
        ..case
    }) {
        return Some(format!("when {fault}: {why}"));
    }
    review.events(&cost.span).find_map(|event| match &event.kind {
        EventKind::ProbeChanged { name, outcome, .. } if name == PAGE => match outcome {
            ProbeOutcome::Answered { status } if *status >= 400 => Some(format!(
                "when {fault}, GET / was answered with {status}: the page can do without the database"
            )),
            ProbeOutcome::TimedOut => Some(format!(
                "when {fault}, GET / was not answered within 3 s: it waits for the database, without a deadline or with a longer one"
            )),
            _ => None,
        },
        _ => None,
    })
}

/// The setting because of which systemd stopped a part when another ended: `BindsTo=x.service`.
fn stopped_with(review: &Review<'_>, cost: &Cost, part: Part) -> Option<String> {
    if cost.planned.fault == Fault::StopAndStart {
        return None;
    }
    let unit = day::unit(part);
    let queued = review.events(&cost.span).any(|event| {
        event.is_about(&unit)
            && matches!(&event.kind, EventKind::JobQueued { job } if job == "stop" || job == "restart")
    });
    let texts = SUBJECT.case_of(&unit, review.timeline).units;
    let settings = [
        "BindsTo",
        "Requires",
        "Requisite",
        "PartOf",
        "StopPropagatedFrom",
    ];
    let setting = settings.iter().find_map(|name| {
        let value = texts.value(&unit, name)?;
        (value.contains("-database")
            || value.contains("-worker")
            || value.contains(SUBJECT.service()))
        .then(|| format!("{name}={value}"))
    });
    queued.then_some(setting?)
}

/// Why a part was away for long after a fault.
fn stayed_away(review: &Review<'_>, cost: &Cost, part: Part) -> Option<String> {
    let unit = day::unit(part);
    let span = review.part(&cost.whole());
    let case = SUBJECT.case_of(&unit, &span);
    let fault = cost.planned.fault;
    if let Some(setting) = stopped_with(review, cost, part) {
        return Some(format!(
            "when {fault}, systemd stopped {unit} as well, and nothing starts it again: {setting}"
        ));
    }
    if let Some(why) = noticed_late(review, cost, part) {
        return Some(why);
    }
    let exit = main_exit(&span, &unit)?;
    if let Some(why) = given_up(&case) {
        return Some(format!("when {fault}, {why}"));
    }
    if let Some(why) = restart::not_restarted(&case) {
        return Some(format!("when {fault}: {why}"));
    }
    let restarted = span.first(&unit, |kind| {
        matches!(kind, EventKind::RestartScheduled { .. })
    });
    if let Some(restarted) = restarted {
        let delay = Duration::from_micros(restarted.at_us.saturating_sub(exit.at_us));
        if delay >= LONG_DELAY {
            return Some(long_delay(&case, restarted, delay));
        }
    }
    died_by_itself(&case).map(|why| format!("when {fault}, {why}"))
}

/// A part ended by itself, with an exit code other than 0.
fn died_by_itself(case: &Case) -> Option<String> {
    let exit = case
        .timeline
        .of(case.unit)
        .find_map(|event| match &event.kind {
            EventKind::ProcessExited {
                role, code, status, ..
            } if role == "main" && code == "exited" && *status != 0 => Some(status),
            _ => None,
        })?;
    Some(format!(
        "{} ended with exit code {exit}{}",
        case.unit,
        case.last_words()
    ))
}

/// The delay before a restart was too long.
fn long_delay(case: &Case, restarted: &Event, delay: Duration) -> String {
    let EventKind::RestartScheduled { counter } = restarted.kind else {
        unreachable!("only such events are passed");
    };
    let unit = case.unit;
    let value = |setting: &str| case.units.value(unit, setting);
    let written = value("RestartSec").unwrap_or_else(|| "100ms".to_owned());
    let delay = nearest_second(delay);
    match value("RestartSteps") {
        Some(steps) if counter > 1 => format!(
            "systemd waited for {delay} s before restart {counter} of {unit}: RestartSec={written} grows with RestartSteps={steps}, and systemd counts all restarts of the day, not only those in a row"
        ),
        _ => {
            format!("systemd waited for {delay} s before it restarted {unit}: RestartSec={written}")
        }
    }
}

/// The start limit.
fn given_up(case: &Case) -> Option<String> {
    case.timeline
        .first(case.unit, |kind| matches!(kind, EventKind::StartLimitHit))?;
    let burst = case.timeline.property(case.unit, "StartLimitBurst")?;
    let interval = case
        .timeline
        .duration_property(case.unit, "StartLimitIntervalUSec")?;
    Some(format!(
        "systemd gave up on {}: it allows {burst} starts within {} s (StartLimitBurst=, StartLimitIntervalSec=), and counts those after earlier faults, too",
        case.unit,
        nearest_second(interval)
    ))
}

/// A part was down before the fault, or hung, and nobody noticed in time.
fn noticed_late(review: &Review<'_>, cost: &Cost, part: Part) -> Option<String> {
    let unit = day::unit(part);
    let fault = cost.planned.fault;
    let state = review.state(&unit, cost.span.start);
    if is_down(state) {
        return Some(format!("when {fault}, {unit} was {state} already"));
    }
    let is_hang = matches!(fault, Fault::Freeze(hung) if hung == part)
        || (fault == Fault::WedgedDatabase && part == Part::Database);
    if !is_hang {
        return None;
    }
    let acted = review.events(&cost.span).find(|event| {
        event.is_about(&unit) && matches!(event.kind, EventKind::WatchdogTimeout { .. })
    });
    let noticed = acted.map(|event| Duration::from_micros(event.at_us - cost.span.start));
    if noticed.is_some_and(|noticed| noticed <= NOTICED_LATE) {
        return None;
    }
    let limit = review.timeline.duration_property(&unit, "WatchdogUSec");
    let limit = limit.unwrap_or_default();
    let pinged = review.events(&cost.span).any(|event| {
        event.is_about(&unit)
            && matches!(&event.kind, EventKind::Notified { assignments, .. }
                if assignments.iter().any(|one| one == "WATCHDOG=1"))
    });
    Some(match (limit.is_zero(), pinged) {
        (true, _) => format!("when {fault}, nobody noticed: WatchdogSec= of {unit} is not set"),
        (false, true) => format!(
            "when {fault}, WATCHDOG=1 went on arriving: its self-test does not ask what a client asks"
        ),
        (false, false) => {
            let fault_lasts = Duration::from_micros(cost.span.end - cost.span.start);
            format!(
                "when {fault}, systemd did not notice it in {} s: WatchdogSec= of {unit} is {} s",
                nearest_second(noticed.unwrap_or(fault_lasts)),
                nearest_second(limit)
            )
        }
    })
}

fn main_exit<'a>(timeline: &'a Timeline, unit: &str) -> Option<&'a Event> {
    timeline.first(
        unit,
        |kind| matches!(kind, EventKind::ProcessExited { role, .. } if role == "main"),
    )
}

/// Why acknowledged orders are gone, or not shipped.
fn of_loss(review: &Review<'_>) -> Option<String> {
    let database = day::unit(Part::Database);
    if review.kept.is_none() {
        let answer = match review.timeline.response(day::LIST) {
            Some(ResponseOutcome::Answered { status, .. }) => format!("answered with {status}"),
            _ => "not answered".to_owned(),
        };
        let state = |part: Part| review.state(&day::unit(part), u64::MAX).to_owned();
        let mut costs = review.costs.iter().rev();
        let why = costs.find_map(|cost| {
            [Part::Database, Part::Web]
                .iter()
                .filter(|part| state(**part) != "running")
                .find_map(|part| stayed_away(review, cost, *part))
        });
        return why.or_else(|| {
            Some(format!(
                "GET /orders was {answer} at the end of the day: {} was {}, {database} was {}",
                day::unit(Part::Web),
                state(Part::Web),
                state(Part::Database)
            ))
        });
    }
    let mut costs = review.costs.iter();
    let Some((cost, number)) = costs.find_map(|cost| Some((cost, *cost.lost.first()?))) else {
        return not_shipped(review);
    };
    let mut later = review
        .costs
        .iter()
        .skip_while(|it| it.span.start < cost.span.start);
    let is_full = cost.planned.fault == Fault::FullDisk;
    if is_full {
        return Some(format!(
            "order {number} was acknowledged while the disk was full: what cannot be written must be refused, with 507"
        ));
    }
    // The end of the database that proves it.
    let ended = later
        .find_map(|cost| main_exit(&review.part(&cost.span), &database).map(|exit| exit.at_us));
    let name = day::order(number);
    let acknowledged = review.events(&(0..u64::MAX)).find(
        |event| matches!(&event.kind, EventKind::Response { name: found, .. } if *found == name),
    )?;
    let ended = ended.map(|at_us| Duration::from_micros(at_us.saturating_sub(acknowledged.at_us)));
    Some(match ended {
        Some(time) if time <= FLUSH => format!(
            "order {number} was acknowledged with 201, the database ended {:.1} s later, and the order is gone: it was only in memory. Acknowledge an order when it is in the file",
            time.as_secs_f64()
        ),
        _ => format!(
            "order {number} was acknowledged with 201 and is gone at the end of the day: Store::write was not called for it, or its error was not looked at"
        ),
    })
}

/// Why the worker did not ship all orders.
fn not_shipped(review: &Review<'_>) -> Option<String> {
    let worker = day::unit(Part::Worker);
    if review.shipped().is_empty() {
        if let Some(why) = not_wanted(Part::Worker) {
            return Some(why);
        }
        let case = SUBJECT.case_of(&worker, review.timeline);
        return Some(
            unit_file::died_at_start(&case)
                .unwrap_or_else(|| format!("{worker} never said STATUS=shipped ... orders")),
        );
    }
    let (since, gap) = review.idle()?;
    // The fault, or the one after it if the last word came early in its time.
    let costs = review.costs.iter().filter(|cost| cost.span.end > since);
    let why = costs.take(2).find_map(|cost| {
        let why = stayed_away(review, cost, Part::Worker)?;
        Some(format!(
            "{why}. It shipped nothing for {} s",
            nearest_second(gap)
        ))
    });
    Some(why.unwrap_or_else(|| {
        format!(
            "from {} on, {worker} shipped nothing for {} s",
            review.time(since),
            nearest_second(gap)
        )
    }))
}

/// Why systemd restarted something again and again.
fn of_loop(review: &Review<'_>) -> Option<String> {
    let mut all = review
        .costs
        .iter()
        .flat_map(|cost| Part::ALL.map(|part| (cost, part, review.restarts(part, &cost.span))));
    let (cost, part, restarts) = all.find(|(_, _, restarts)| *restarts > RESTARTS)?;
    let unit = day::unit(part);
    let exits = review
        .events(&cost.span)
        .filter_map(|event| match &event.kind {
            EventKind::ProcessExited {
                role, code, status, ..
            } if event.is_about(&unit) && role == "main" => Some((code.as_str(), *status)),
            _ => None,
        });
    let (code, status) = exits.last()?;
    let how = match code {
        "exited" => format!("exit code {status}"),
        _ => format!("signal {status}"),
    };
    let fault = cost.planned.fault;
    let texts = SUBJECT.case_of(&unit, review.timeline).units;
    let delay = texts
        .value(&unit, "RestartSec")
        .unwrap_or_else(|| "100ms, the default".to_owned());
    Some(match needs_person(fault) {
        Some(needed) if needed == part => format!(
            "when {fault}, systemd restarted {unit} {restarts} times after {how}, and it cannot help: RestartPreventExitStatus= does not have {status}"
        ),
        _ => format!(
            "when {fault}, {unit} ended with {how} and systemd restarted it {restarts} times: it ends because something else is away, and RestartSec={delay} is too short to wait for that"
        ),
    })
}

/// Why an alert is missing, or one too many.
fn of_alert(review: &Review<'_>) -> Option<String> {
    review.costs.iter().find_map(|cost| {
        let alerts = review.alerts(&cost.span);
        let fault = cost.planned.fault;
        match (needs_person(fault), alerts.len()) {
            (None, 0) => None,
            (Some(_), 1) => missing_alert(review, cost, true),
            (Some(_), 0) => missing_alert(review, cost, false),
            (_, _) => needless_alert(review, cost, &alerts),
        }
    })
}

fn missing_alert(review: &Review<'_>, cost: &Cost, came_late: bool) -> Option<String> {
    let part = needs_person(cost.planned.fault)?;
    let fault = cost.planned.fault;
    let unit = day::unit(part);
    let span = review.part(&cost.whole());
    let case = SUBJECT.case_of(&unit, &span);
    let restarts = review.restarts(part, &cost.span);
    let status = if part == Part::Web { 78 } else { 65 };
    // The kill itself leads to one restart, and that one finds out.
    if restarts > 1 {
        return Some(format!(
            "when {fault}, systemd restarted {unit} {restarts} times instead of calling a person: RestartPreventExitStatus= does not have {status}"
        ));
    }
    let restarted = span.first(&unit, |kind| {
        matches!(kind, EventKind::RestartScheduled { .. })
    });
    let ended = main_exit(&span, &unit);
    if let (Some(restarted), Some(ended)) = (restarted, ended) {
        let delay = Duration::from_micros(restarted.at_us.saturating_sub(ended.at_us));
        if delay >= LONG_DELAY {
            let why = long_delay(&case, restarted, delay);
            return Some(format!(
                "when {fault}, it takes a start to find out, and {why}"
            ));
        }
    }
    if came_late {
        return None;
    }
    if review.state(&unit, cost.span.start) != "running" {
        return Some(format!(
            "when {fault}, {unit} was {} already",
            review.state(&unit, cost.span.start)
        ));
    }
    match case.units.value(&unit, "OnFailure") {
        None => Some(format!(
            "when {fault}, {unit} failed and nobody was told: OnFailure= is not set"
        )),
        Some(value) => {
            let found = restart::ALERT.iter().find_map(|rule| rule(&case));
            found.or_else(|| {
                Some(format!(
                    "when {fault}, nothing came of OnFailure={value} of {unit}: {}",
                    match review.state(&unit, cost.span.end) {
                        "failed" => "it names another unit than the alert's".to_owned(),
                        _ if cost.planned.fault == Fault::BadConfiguration
                            && main_exit(
                                &review.part(
                                    &(cost.span.start
                                        ..cost.span.start + BAD_FOR.as_micros() as u64)
                                ),
                                &unit
                            )
                            .is_some() =>
                            "the reload had ended it already".to_owned(),
                        _ => "the unit did not fail".to_owned(),
                    }
                ))
            })
        }
    }
}

fn needless_alert(review: &Review<'_>, cost: &Cost, alerts: &[String]) -> Option<String> {
    let fault = cost.planned.fault;
    let part = Part::ALL.into_iter().find(|part| {
        let unit = day::unit(*part);
        alerts
            .iter()
            .any(|alert| unit.starts_with(alert.as_str()) || alert.starts_with(&unit))
    });
    let Some(part) = part else {
        return Some(format!(
            "when {fault}, there was an alert for {}",
            alerts.join(", ")
        ));
    };
    let unit = day::unit(part);
    let span = review.part(&cost.span);
    let case = SUBJECT.case_of(&unit, &span);
    if let Some(why) = given_up(&case) {
        return Some(format!("when {fault}, {why}"));
    }
    let restarts = review.restarts(part, &cost.span);
    if restarts > 0 {
        return Some(format!(
            "when {fault}, {unit} failed for a moment and systemd restarted it, but OnFailure= acts at each failure, too: RestartMode=direct leaves the failed state out"
        ));
    }
    restart::not_restarted(&case)
        .map(|why| format!("when {fault}: {why}"))
        .or_else(|| Some(format!("when {fault}, {unit} failed and was not restarted")))
}

/// A part that the target does not start.
fn not_wanted(part: Part) -> Option<String> {
    let (unit, target) = (day::unit(part), day::target());
    let nothing = Timeline::new(Vec::new());
    let texts = SUBJECT.case(&nothing).units;
    let mut files = texts.iter().filter(|(name, _)| name.starts_with(&target));
    let is_named = files.any(|(_, text)| {
        let settings = text.lines().filter_map(|line| line.split_once('='));
        let mut settings = settings
            .filter(|(name, _)| ["Wants", "Requires", "BindsTo", "Upholds"].contains(&name.trim()));
        settings.any(|(_, units)| units.split_whitespace().any(|one| one == unit))
    });
    (!is_named).then(|| {
        format!("`systemctl start {target}` does not start {unit}: Wants= of the target does not name it")
    })
}

/// Why the operator's commands did not do what he expects.
fn of_operator(review: &Review<'_>) -> Option<String> {
    review
        .costs
        .iter()
        .find_map(|cost| match cost.planned.fault {
            // What did not stop comes first: it may be why something else did not start.
            Fault::StopAndStart => {
                let mut parts = Part::ALL.into_iter();
                let mut again = Part::ALL.into_iter();
                parts
                    .find_map(|part| not_stopped(review, cost, part))
                    .or_else(|| again.find_map(|part| not_started(review, cost, part)))
            }
            Fault::Reload => match review.timeline.response(RELOADED) {
                Some(ResponseOutcome::Answered { status: 200, body })
                    if body.contains(NEW_GREETING) && cost.page.is_empty() && cost.refused == 0 =>
                {
                    None
                }
                answer => Some(format!("the page after a reload: {}", said(answer))),
            },
            Fault::BadConfiguration => match review.timeline.response(BADLY_RELOADED) {
                Some(ResponseOutcome::Answered { status: 200, .. }) => None,
                answer => Some(format!(
                    "a reload with a bad configuration must keep what worked; the page after it: {}",
                    said(answer)
                )),
            },
            _ => None,
        })
}

/// A part that went on when the operator had stopped the shop.
fn not_stopped(review: &Review<'_>, cost: &Cost, part: Part) -> Option<String> {
    let (unit, target) = (day::unit(part), day::target());
    let (stopped, _) = obeys(review, cost, part);
    if stopped {
        return None;
    }
    let texts = SUBJECT.case_of(&unit, review.timeline).units;
    Some(match texts.value(&unit, "PartOf") {
        Some(value) if value.contains(&target) => format!(
            "9 s after `systemctl stop {target}`, {unit} was still {}: it takes longer to stop, or something starts it again",
            review.state(&unit, cost.span.start + STOPS_WITHIN.as_micros() as u64)
        ),
        _ => format!(
            "`systemctl stop {target}` did not stop {unit}: PartOf={target} is missing there, and Wants= and Requires= of the target only start"
        ),
    })
}

/// A part that did not run when the operator had started the shop again.
fn not_started(review: &Review<'_>, cost: &Cost, part: Part) -> Option<String> {
    let (unit, target) = (day::unit(part), day::target());
    let (_, started) = obeys(review, cost, part);
    if started {
        return None;
    }
    let why = not_wanted(part).or_else(|| stayed_away(review, cost, part));
    Some(why.unwrap_or_else(|| {
        format!(
            "10 s after `systemctl start {target}`, {unit} was {}",
            review.state(
                &unit,
                cost.span.start + (STOPPED_FOR + STARTS_WITHIN).as_micros() as u64
            )
        )
    }))
}

fn said(answer: Option<&ResponseOutcome>) -> String {
    match answer {
        Some(ResponseOutcome::Answered { status, body }) => {
            format!("{status} {:?}", body.trim_end())
        }
        Some(ResponseOutcome::Refused) => "nothing listens".to_owned(),
        Some(ResponseOutcome::TimedOut) => "no answer within 3 s".to_owned(),
        Some(ResponseOutcome::Broken { error }) => format!("the connection ended early ({error})"),
        None => "not asked".to_owned(),
    }
}

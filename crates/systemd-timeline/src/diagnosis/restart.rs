//! When systemd restarts a service, and when it gives up: `Restart=`, `RestartSec=`, `RestartSteps=`,
//! `RestartMaxDelaySec=` (systemd.service(5)), `StartLimitIntervalSec=`, `StartLimitBurst=` (systemd.unit(5)).
//!
//! Sentences state the delays that the settings ask for: measured delays include the timers' slack.

mod alert;
mod delays;

use std::time::Duration;

use systemd_lab_protocol::{Event, EventKind};

use self::delays::{Delays, exactly, setting, spoken_list};
use super::{Case, Rule, between, how_ended, spoken};
use crate::view::activity;

pub use alert::{ALERT, called_after_success, name_not_passed_on, other_unit_called};

/// Rules for a service that systemd should have restarted and did not.
pub const NOT_BACK: &[Rule] = &[not_restarted, growth_ignored];

/// Rules for a service on which systemd should have given up and did not.
pub const NOT_GIVEN_UP: &[Rule] = &[limit_off, limit_out_of_reach, starts_too_slow_for_limit];

/// The service ended, and `Restart=` does not restart it after such an end.
pub fn not_restarted(case: &Case) -> Option<String> {
    let was_stopped =
        case.first(|kind| matches!(kind, EventKind::JobQueued { job } if job == "stop"));
    let is_restarted = case.entered("auto-restart").is_some();
    let is_still_ending = case
        .last_state()
        .is_some_and(|it| activity(it) == "deactivating");
    if was_stopped.is_some() || is_restarted || is_still_ending || case.is_given_up() {
        return None;
    }
    let (_, code, status) = case.main_exit()?;
    let restart = case.timeline.text_property(case.unit, "Restart")?;
    let forced = case.has_exit_status("RestartForceExitStatus", code, status);
    let prevented = case.has_exit_status("RestartPreventExitStatus", code, status);
    let why = match restart {
        _ if prevented => format!(
            "and {} forbids a restart after that",
            case.as_written("RestartPreventExitStatus", &ending(code, status))
        ),
        _ if forced => return None,
        "no" => "and Restart=no never starts it again".to_owned(),
        "on-failure"
            if case
                .first(|kind| matches!(kind, EventKind::Failed { .. }))
                .is_none() =>
        {
            "which is not a failure, so Restart=on-failure leaves it alone".to_owned()
        }
        other => format!("and Restart={other} does not start it again after that"),
    };
    Some(format!(
        "{} ended {}, {why}",
        case.unit,
        how_ended(code, status)
    ))
}

/// An exit code or a signal as settings spell it: `1`, `SIGABRT`.
fn ending(code: &str, status: i32) -> String {
    match code {
        "exited" => status.to_string(),
        _ => crate::names::signal_name(status),
    }
}

/// Only one of the two settings that make delays grow is set.
pub fn growth_ignored(case: &Case) -> Option<String> {
    let settings = Delays::of(case)?;
    let (there, missing) = match (settings.steps, settings.longest) {
        (1.., None) => (
            format!("RestartSteps={}", settings.steps),
            "RestartMaxDelaySec=",
        ),
        (0, Some(longest)) => (
            format!("RestartMaxDelaySec={}", setting(longest)),
            "RestartSteps=",
        ),
        _ => return None,
    };
    Some(format!(
        "{there} has no effect without {missing}: systemd says so in its log, and every delay is {} (RestartSec=)",
        spoken(settings.first)
    ))
}

/// `Type=exec`, and systemd gave up before it could execute the program.
pub fn start_cut_short(case: &Case) -> Option<String> {
    if case.timeline.text_property(case.unit, "Type")? != "exec" {
        return None;
    }
    case.first(|kind| {
        matches!(kind, EventKind::Timeout { message } if message.to_lowercase().contains("start operation timed out"))
    })?;
    let bound = case
        .timeline
        .duration_property(case.unit, "TimeoutStartUSec")?;
    let names = ["TimeoutStartSec", "TimeoutSec"];
    let written = case.units.first_of(case.unit, &names);
    let written = written.unwrap_or_else(|| format!("TimeoutStartSec={}", setting(bound)));
    Some(format!(
        "{written} of {} is shorter than a start takes: the start operation timed out, and systemd ended the service",
        case.unit
    ))
}

/// When the scenario ended, the next start was still due.
pub fn still_waiting(case: &Case) -> Option<String> {
    if !case.is_waiting_for_restart() {
        return None;
    }
    let settings = Delays::of(case)?;
    let next = restarts(case).count() as u64 + 1;
    Some(format!(
        "the next start was still to come: {} makes systemd wait {} before restart {next}",
        settings.spelt(case),
        exactly(settings.before(next))
    ))
}

/// All starts that the limit allows failed before an outage of this length was over.
pub fn given_up_within(case: &Case, outage: Duration) -> Option<String> {
    let (burst, interval) = start_limit(case)?;
    // The restart that will be refused may still be due.
    let none_is_left = case.is_waiting_for_restart()
        && restarts(case).count() as u64 + 1 == burst
        && interval.is_none_or(|interval| interval > outage);
    if !case.is_given_up() && !none_is_left {
        return None;
    }
    let settings = Delays::of(case)?;
    let between_starts = settings.between(burst);
    if between_starts.is_empty() {
        return Some(format!(
            "StartLimitBurst={burst} counts the first start as well: the first restart was refused, and systemd gave up"
        ));
    }
    let sum: Duration = between_starts.iter().sum();
    if sum >= outage {
        return None;
    }
    let in_pre = case
        .time_before_start()
        .map_or(String::new(), |(time, command)| {
            format!(
                "; {command} adds {} to each start, and is not part of any delay",
                spoken(time)
            )
        });
    Some(format!(
        "StartLimitBurst={burst} was used up before the outage was over: the delays between {burst} starts are {}, {} in all, and the outage lasts {} ({}){in_pre}",
        spoken_list(&between_starts, ", "),
        exactly(sum),
        spoken(outage),
        settings.spelt(case)
    ))
}

/// The settings ask for delays other than these.
pub fn other_delays(case: &Case, wanted: &[Duration]) -> Option<String> {
    let settings = Delays::of(case)?;
    let delays = settings.between(wanted.len() as u64 + 1);
    (delays != wanted).then(|| {
        format!(
            "{} makes the delays {}, and not {}{}",
            settings.spelt(case),
            spoken_list(&delays, ", "),
            spoken_list(wanted, ", "),
            case.time_before_start()
                .map_or(String::new(), |(time, command)| format!(
                    "; {command} takes {} at each start, which is not a delay between starts",
                    spoken(time)
                ))
        )
    })
}

/// `StartLimitIntervalSec=0`, or `StartLimitBurst=0`.
pub fn limit_off(case: &Case) -> Option<String> {
    let (burst, interval) = start_limit(case)?;
    let zero = match (burst, interval) {
        (_, Some(Duration::ZERO)) => "StartLimitIntervalSec=0",
        (0, _) => "StartLimitBurst=0",
        _ => return None,
    };
    Some(format!(
        "{zero} switches the start limit off: {} is started again forever",
        case.unit
    ))
}

/// The delays alone are longer than the interval in which starts are counted.
pub fn limit_out_of_reach(case: &Case) -> Option<String> {
    if case.is_given_up() {
        return None;
    }
    let (burst, interval) = start_limit(case)?;
    let interval = interval.filter(|interval| !interval.is_zero())?;
    let settings = Delays::of(case)?;
    let delays = settings.between(burst.checked_add(1)?);
    let mut sum = Duration::ZERO;
    let until_over = delays.iter().position(|delay| {
        sum = sum.saturating_add(*delay);
        sum > interval
    })?;
    let all_the_same = delays.iter().all(|delay| *delay == settings.first);
    let which = if all_the_same {
        let product = settings
            .first
            .saturating_mul(u32::try_from(burst).unwrap_or(u32::MAX));
        format!(
            "StartLimitBurst={burst} × a delay of {} = {} is",
            setting(settings.first),
            exactly(product)
        )
    } else {
        let long = delays.get(..=until_over)?;
        format!(
            "the delays {} = {} are",
            spoken_list(long, " + "),
            exactly(sum)
        )
    };
    Some(format!(
        "{which} longer than StartLimitIntervalSec={}: the count starts again before StartLimitBurst={burst} is used up, and systemd never gives up",
        setting(interval)
    ))
}

/// The delays fit into the interval, but the delays and the starts together do not.
pub fn starts_too_slow_for_limit(case: &Case) -> Option<String> {
    if case.is_given_up() {
        return None;
    }
    let (burst, interval) = start_limit(case)?;
    let interval = interval.filter(|interval| !interval.is_zero())?;
    let first = case.entered("start")?;
    let one_too_many = restarts(case).nth(usize::try_from(burst).ok()?.checked_sub(1)?)?;
    (between(first, one_too_many) > interval).then(|| {
        format!(
            "{burst} starts and the delays between them take longer than StartLimitIntervalSec={}: the count starts again before StartLimitBurst={burst} is used up, and systemd never gives up",
            setting(interval)
        )
    })
}

/// `StartLimitBurst=` makes systemd give up after a number of starts other than this.
pub fn other_burst(case: &Case, wanted: u64) -> Option<String> {
    let (burst, _) = start_limit(case)?;
    (case.is_given_up() && burst != wanted)
        .then(|| format!("StartLimitBurst={burst} decides when systemd gives up, which should be after {wanted} starts"))
}

/// systemd counts starts within an interval other than this.
pub fn other_interval(case: &Case, wanted: Duration) -> Option<String> {
    let (_, interval) = start_limit(case)?;
    if interval == Some(wanted) {
        return None;
    }
    let effective = interval.map_or("infinity".to_owned(), setting);
    Some(format!(
        "{} decides how long starts are counted, and for how long a start by hand is refused: it should be {}",
        case.as_written("StartLimitIntervalSec", &effective),
        setting(wanted)
    ))
}

/// `StartLimitBurst=` and `StartLimitIntervalSec=`; no interval for `infinity`.
fn start_limit(case: &Case) -> Option<(u64, Option<Duration>)> {
    let burst = case
        .timeline
        .property(case.unit, "StartLimitBurst")?
        .as_u64()?;
    let interval = case
        .timeline
        .duration_property(case.unit, "StartLimitIntervalUSec");
    Some((burst, interval))
}

pub(super) fn restarts<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a Event> {
    let restart = |event: &&Event| matches!(event.kind, EventKind::RestartScheduled { .. });
    case.timeline.of(case.unit).filter(restart)
}

#[cfg(test)]
mod tests;

//! When a fault comes: at a time, or when a unit does something.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};
use systemd_lab_protocol::scenario::{self, Happening, Trigger};

use super::{PlanError, is_unit_name};
use systemd_timeline::span::{parse_span, span_text};

/// The beginning of a text that waits for a log line.
const LOG: &str = "log ";

/// The text that waits for a restart.
const RESTART: &str = "restart";

/// Comes before the number of an event.
const NUMBER: char = '#';

/// Comes before the delay.
const PLUS: char = '+';

/// Comes before the unit.
const AT: char = '@';

/// Sub-states that a unit can enter, as `systemctl list-units --state=help` lists them for services, sockets, timers, paths,
/// targets and mounts; without those that only a change in systemd itself leads to.
const STATES: [&str; 40] = [
    "abandoned",
    "activating",
    "active",
    "auto-restart",
    "auto-restart-queued",
    "cleaning",
    "condition",
    "dead",
    "dead-before-auto-restart",
    "deactivating",
    "elapsed",
    "exited",
    "failed",
    "failed-before-auto-restart",
    "final-sigkill",
    "final-sigterm",
    "final-watchdog",
    "listening",
    "mounted",
    "mounting",
    "mounting-done",
    "reload",
    "reload-notify",
    "reload-signal",
    "running",
    "start",
    "start-chown",
    "start-post",
    "start-pre",
    "stop",
    "stop-post",
    "stop-pre",
    "stop-sigkill",
    "stop-sigterm",
    "stop-watchdog",
    "unmounting",
    "unmounting-sigkill",
    "unmounting-sigterm",
    "waiting",
    "tentative",
];

/// When a fault comes.
///
/// As text, a time such as `10s`, or an event. An event may be followed, in this order, by which occurrence (`#2`), its unit
/// (`@other.service`), and how long after it the fault comes (`+ 200ms`): `READY=1`, `restart 2`, `running #3`, `WATCHDOG=1 + 5s`,
/// `log now listening`, `failed@db.service`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// This long after the unit was started.
    At(Duration),
    /// At an event.
    On(On),
}

/// An event that a fault waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct On {
    /// What happens.
    pub happening: Happening,
    /// The unit; `None` for the one that is started.
    pub unit: Option<String>,
    /// Which occurrence, counted from 1.
    pub count: u32,
    /// How long afterwards the fault comes.
    pub delay: Duration,
}

impl When {
    /// The time, if it is one.
    pub fn time(&self) -> Option<Duration> {
        match self {
            When::At(time) => Some(*time),
            When::On(_) => None,
        }
    }

    pub(super) fn of(&self, main_unit: &str) -> scenario::When {
        match self {
            When::At(time) => scenario::When::At(*time),
            When::On(on) => scenario::When::On(Trigger {
                unit: on.unit.as_deref().unwrap_or(main_unit).to_owned(),
                happening: on.happening.clone(),
                count: on.count,
                delay: on.delay,
            }),
        }
    }
}

impl From<Duration> for When {
    fn from(time: Duration) -> When {
        When::At(time)
    }
}

impl FromStr for When {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<When, PlanError> {
        match parse_span(text) {
            Ok(time) => Ok(When::At(time)),
            Err(_) => on(text.trim())
                .map(When::On)
                .ok_or_else(|| PlanError::BadWhen {
                    when: text.to_owned(),
                }),
        }
    }
}

fn on(text: &str) -> Option<On> {
    let (text, delay) = match text.rsplit_once(PLUS) {
        Some((before, span)) => match parse_span(span) {
            Ok(delay) => (before.trim_end(), delay),
            // The plus is part of a notification or a log line.
            Err(_) => (text, Duration::ZERO),
        },
        None => (text, Duration::ZERO),
    };
    let (text, unit) = split_unit(text);
    let (text, count) = match text.rsplit_once(NUMBER) {
        Some((before, number)) if number.parse::<u32>().is_ok_and(|number| number > 0) => {
            (before.trim_end(), number.parse().ok()?)
        }
        _ => (text, 1),
    };
    let (happening, count) = happening(text, count)?;
    Some(On {
        happening,
        unit: unit.map(str::to_owned),
        count,
        delay,
    })
}

/// `READY=1@my.service`: a notification may also contain an `@`, and so does an instance's name.
fn split_unit(text: &str) -> (&str, Option<&str>) {
    let places = text.match_indices(AT).map(|(at, _)| at);
    let mut parts = places.map(|at| (&text[..at], &text[at + 1..]));
    let is_name = |name: &str| is_unit_name(name) && !name.contains([' ', '=']);
    match parts.find(|(_, name)| is_name(name)) {
        Some((text, unit)) => (text.trim_end(), Some(unit)),
        None => (text, None),
    }
}

fn happening(text: &str, count: u32) -> Option<(Happening, u32)> {
    if let Some(line) = text.strip_prefix(LOG) {
        return Some((Happening::Logs(line.trim().to_owned()), count));
    }
    if STATES.contains(&text) {
        return Some((Happening::Enters(text.to_owned()), count));
    }
    if let Some(number) = text.strip_prefix(RESTART) {
        return match number.trim() {
            "" => Some((Happening::Restarts, count)),
            number => {
                let number = number.parse().ok().filter(|number| *number > 0)?;
                Some((Happening::Restarts, number))
            }
        };
    }
    let (name, _) = text.split_once('=')?;
    let is_variable = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    (!name.is_empty() && name.chars().all(is_variable))
        .then(|| (Happening::Notifies(text.to_owned()), count))
}

impl fmt::Display for When {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::At(time) => formatter.write_str(&span_text(*time)),
            When::On(on) => on.fmt(formatter),
        }
    }
}

impl fmt::Display for On {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.happening {
            Happening::Notifies(text) | Happening::Enters(text) => formatter.write_str(text)?,
            Happening::Restarts => formatter.write_str(RESTART)?,
            Happening::Logs(text) => write!(formatter, "{LOG}{text}")?,
        }
        match (&self.happening, self.count) {
            (_, 1) => {}
            (Happening::Restarts, count) => write!(formatter, " {count}")?,
            (_, count) => write!(formatter, " {NUMBER}{count}")?,
        }
        if let Some(unit) = &self.unit {
            write!(formatter, "{AT}{unit}")?;
        }
        match self.delay.is_zero() {
            true => Ok(()),
            false => write!(formatter, " {PLUS} {}", span_text(self.delay)),
        }
    }
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> When {
        text.parse().expect(text)
    }

    fn on(happening: Happening) -> On {
        On {
            happening,
            unit: None,
            count: 1,
            delay: Duration::ZERO,
        }
    }

    #[test]
    fn an_event_has_a_number_a_unit_and_a_delay() {
        let notifies = |text: &str| Happening::Notifies(text.to_owned());
        assert_eq!(parsed("10s"), When::At(Duration::from_secs(10)));
        assert_eq!(parsed("READY=1"), When::On(on(notifies("READY=1"))));
        let expected = On {
            unit: Some("w@1.service".into()),
            count: 3,
            delay: Duration::from_millis(200),
            ..on(notifies("WATCHDOG=1"))
        };
        let all = parsed("WATCHDOG=1 #3@w@1.service + 200ms");
        assert_eq!(all, When::On(expected));
        assert_eq!(parsed("WATCHDOG=1#3@w@1.service+200ms"), all);
        assert_eq!(
            parsed("restart 2"),
            When::On(On {
                count: 2,
                ..on(Happening::Restarts)
            })
        );
        assert_eq!(
            parsed("log now listening"),
            When::On(on(Happening::Logs("now listening".into())))
        );
        // This plus and @ belong to the notification.
        assert_eq!(
            parsed("STATUS=1 + 1 @ home"),
            When::On(on(notifies("STATUS=1 + 1 @ home")))
        );
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in [
            "1h 30min",
            "READY=1 + 200ms",
            "restart 2",
            "restart",
            "running #2@db.service",
            "log now listening + 1s",
        ] {
            assert_eq!(parsed(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_event_is_refused_with_what_there_is() {
        for wrong in [
            "soon",
            "kill",
            "10s,kill",
            "ready=1",
            "restart 0",
            "restart x",
            "=1",
            "",
        ] {
            let error = wrong.parse::<When>().expect_err(wrong).to_string();
            assert!(error.contains("READY=1"), "{error}");
        }
    }
}

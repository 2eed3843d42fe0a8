//! Rules about start limits: limits that can never be reached, and settings that have no effect because of their section.

use std::time::Duration;

use systemd_lab_protocol::EventKind;

use super::{Finding, Look, Rule, WELL};
use crate::unit_file::section_of;

/// This many failures in a row are a crash loop, whatever the limit is.
const LOOP: usize = 3;

/// A loop is still going on if the last turn has not lasted longer than any turn before it, plus this.
const LONGER: Duration = Duration::from_secs(1);

/// systemd's words when it ignores a line, in versions 257 and 252.
const UNKNOWN: [(&str, &str); 2] = [
    ("Unknown key '", "' in section ["),
    ("Unknown key name '", "' in section '"),
];

/// A restart after a failure of the service's own.
struct Turn {
    restarted: Duration,
    /// How long the service ran before it failed.
    ran: Duration,
}

impl<'a> Look<'a> {
    /// systemd.unit(5), "StartLimitIntervalSec=interval, StartLimitBurst=burst": more than `burst` starts within `interval`.
    pub(super) fn limit_never_reached(&self) -> Option<Finding> {
        let burst = self.number("StartLimitBurst");
        let interval = self
            .timeline
            .duration_property(self.unit, "StartLimitIntervalUSec")?;
        // Without a limit, that is what the author wants.
        if burst == 0 || interval.is_zero() {
            return None;
        }
        if !self
            .times(|kind| *kind == EventKind::StartLimitHit)
            .is_empty()
        {
            return None;
        }
        let turns = self.crash_loop()?;
        let burst_turns = usize::try_from(burst).ok()?;
        let factor = u32::try_from(burst).unwrap_or(u32::MAX);
        let waits = Duration::from_micros(self.number("RestartUSec")).saturating_mul(factor);
        let windows = turns.windows(burst_turns + 1);
        let seen = windows.map(|window| window[burst_turns].restarted - window[0].restarted);
        // If the loop is too short to show it: each restart waits at least for RestartSec=.
        let turn = turns
            .windows(2)
            .map(|two| two[1].restarted - two[0].restarted)
            .min();
        let takes = match (seen.min(), turn) {
            (Some(seen), _) => seen,
            (None, Some(turn)) if turns.len() >= LOOP && waits >= interval => {
                turn.saturating_mul(factor)
            }
            _ => return None,
        };
        if takes <= interval {
            return None;
        }
        let rule = Rule::LimitNeverReached {
            burst,
            interval_us: interval.as_micros() as u64,
            takes_us: takes.as_micros() as u64,
        };
        // The cause that makes each turn long decides: a start that reaches its timeout, or the delay.
        let slow = match self.start_timed_out().len() >= LOOP {
            true => "TimeoutStartSec",
            false => "RestartSec",
        };
        let settings = [
            "StartLimitIntervalSec",
            "StartLimitInterval",
            "StartLimitBurst",
            slow,
            "Restart",
        ];
        let at = turns.iter().map(|turn| turn.restarted).collect();
        self.finding(rule, &settings, at)
    }

    /// The failures and restarts at the end of the run, if it ends in a crash loop. What the plan did to the service is not a failure
    /// of the service, and a service that exits successfully and runs again is a repeating job.
    fn crash_loop(&self) -> Option<Vec<Turn>> {
        let mut turns: Vec<Turn> = Vec::new();
        let (mut up, mut failed, mut ran) = (None, false, Duration::ZERO);
        let mut began = Duration::ZERO;
        for event in self.events() {
            let at = self.timeline.time_of(event);
            match &event.kind {
                EventKind::StateChanged { to, .. } if to == "running" => up = Some(at),
                EventKind::StateChanged { from, .. } if from == "running" => {
                    ran = up.take().map_or(ran, |up| at.saturating_sub(up));
                }
                EventKind::Failed { .. } => failed = true,
                EventKind::RestartScheduled { .. } => {
                    let mut harms = self.sources.harms_of(self.unit);
                    let is_harmed = harms.any(|(harm, _)| began <= harm && harm <= at);
                    match failed && !is_harmed && ran < WELL {
                        true => turns.push(Turn { restarted: at, ran }),
                        false => turns.clear(),
                    }
                    (failed, ran, began) = (false, Duration::ZERO, at);
                }
                _ => {}
            }
        }
        let end = self.timeline.time_of(self.timeline.events().last()?);
        let longest = turns.iter().map(|turn| turn.ran).max()?;
        let is_well = up.is_some_and(|up| end.saturating_sub(up) > longest + LONGER);
        (!is_well && self.is_restarted_at_the_end()).then_some(turns)
    }

    /// Whether only systemd ended the loop: there was no stop, and no decision against a restart.
    fn is_restarted_at_the_end(&self) -> bool {
        let mut states = self.events().rev().filter_map(|event| match &event.kind {
            EventKind::StateChanged { to, .. } => Some(to.as_str()),
            _ => None,
        });
        !states
            .next()
            .is_some_and(|last| ["dead", "failed"].contains(&last))
    }

    /// systemd.unit(5), "Description": an unknown option is a warning. If a different section knows it, the author meant that section.
    pub(super) fn setting_in_wrong_section(&self) -> Option<Finding> {
        self.events().find_map(|event| {
            let EventKind::UnitFile {
                file,
                line,
                message,
                ..
            } = &event.kind
            else {
                return None;
            };
            let (setting, section) = ignored(message)?;
            let belongs = section_of(setting).filter(|belongs| *belongs != section)?;
            let rule = Rule::SettingInWrongSection {
                setting: setting.to_owned(),
                section: section.to_owned(),
                belongs: belongs.to_owned(),
            };
            let at = self.timeline.time_of(event);
            let place = self.sources.line(file, *line as usize);
            Some(Finding {
                place,
                ..Finding::new(self.unit, rule, [at])
            })
        })
    }
}

/// The setting and section in `Unknown key 'Type' in section [Unit], ignoring.`
fn ignored(message: &str) -> Option<(&str, &str)> {
    UNKNOWN.iter().find_map(|(begins, goes_on)| {
        let (setting, rest) = message.strip_prefix(begins)?.split_once(goes_on)?;
        let (section, _) = rest.split_once([']', '\''])?;
        Some((setting, section))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_systemd_name_what_they_ignore() {
        for said in [
            "Unknown key 'StartLimitIntervalSec' in section [Service], ignoring.",
            "Unknown key name 'StartLimitIntervalSec' in section 'Service', ignoring.",
        ] {
            assert_eq!(ignored(said), Some(("StartLimitIntervalSec", "Service")));
        }
        assert_eq!(ignored("Unknown section 'Sevrice'. Ignoring."), None);
    }
}

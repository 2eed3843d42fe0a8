//! What happened to one unit, according to a timeline.

use std::collections::BTreeMap;
use std::time::Duration;

use systemd_lab::Timeline;
use systemd_lab::protocol::{Event, EventKind};

use crate::error::{MatrixError, not_as_claimed};

/// Sub-states in which a service starts or runs.
const UP: [&str; 6] = [
    "condition",
    "start-pre",
    "start",
    "start-post",
    "running",
    "exited",
];

/// What happened to one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// How its main process ended, each time: `exited`, `killed` or `dumped`, and exit code or signal.
    pub(crate) exits: Vec<(String, i32)>,
    /// The unit's `Result`, each time that it ended.
    pub(crate) results: Vec<String>,
    /// When it started to run, each time.
    pub(crate) ups: Vec<Duration>,
    /// How long systemd waited before each automatic restart.
    pub(crate) delays: Vec<Duration>,
    /// The states that it went through after its first end, up to the next end or the last start.
    pub(crate) between: Vec<String>,
    /// What systemd said about its unit file.
    pub(crate) complaints: Vec<String>,
    /// How often systemd logged that the kernel had killed one of its processes because memory ran out.
    pub(crate) oom_kills: usize,
    /// Whether a start was refused because of the start limit.
    pub(crate) limit_hit: bool,
    /// systemd's load state of the unit and its sub-state, at the end.
    pub(crate) listed: Listed,
}

/// A line of `systemctl list-units`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// e.g. `loaded`, `bad-setting`.
    pub(crate) load: String,
    /// e.g. `running`, `failed`.
    pub(crate) sub: String,
}

/// Units by name.
pub(crate) type List = BTreeMap<String, Listed>;

/// systemd's message about a unit whose `ExecCondition=` was not met, up to the result: the unit has neither failed
/// nor been deactivated.
const SKIPPED: &str = "Skipped due to '";

/// The beginning of systemd's message when the kernel has killed a process of a unit because memory ran out: up to 257, and in 262.
const OOM_KILL: [&str; 2] = [
    "A process of this unit has been killed by the OOM killer",
    "The kernel OOM killer killed some processes in this unit",
];

impl Observed {
    /// Reads it from the timeline. `list` is the result of [`list`] for the same timeline.
    pub(crate) fn of(
        timeline: &Timeline,
        unit: &str,
        list: &List,
    ) -> Result<Observed, MatrixError> {
        let mut observed = Observed {
            listed: list
                .get(unit)
                .cloned()
                .ok_or_else(|| not_as_claimed(format!("systemctl does not list {unit}")))?,
            ..Observed::default()
        };
        let mut ended_at = None;
        let mut waited = None;
        for event in timeline.of(unit) {
            observed.add(event, &mut ended_at, &mut waited, timeline);
        }
        Ok(observed)
    }

    fn add(
        &mut self,
        event: &Event,
        ended_at: &mut Option<Duration>,
        waited: &mut Option<Duration>,
        timeline: &Timeline,
    ) {
        let at = timeline.time_of(event);
        match &event.kind {
            EventKind::ProcessExited {
                role, code, status, ..
            } if role == "main" => {
                self.exits.push((code.clone(), *status));
            }
            EventKind::UnitFile { message, .. } => self.complaints.push(message.clone()),
            EventKind::Manager { message, .. }
                if OOM_KILL.iter().any(|begin| message.starts_with(begin)) =>
            {
                self.oom_kills += 1;
            }
            EventKind::RestartScheduled { .. } => {
                *waited = ended_at.map(|ended| at.saturating_sub(ended));
            }
            EventKind::StartLimitHit => {
                self.limit_hit = true;
                // The announced start never came.
                *waited = None;
            }
            EventKind::StateChanged { to, .. } => {
                if !self.results.is_empty() && self.delays.is_empty() {
                    self.between.push(to.clone());
                }
                if to == "running" {
                    self.ups.push(at);
                }
                if UP.contains(&to.as_str()) {
                    self.confirm_restart(waited);
                }
            }
            _ => {
                if let Some(result) = result_in(&event.kind) {
                    self.confirm_restart(waited);
                    self.results.push(result.to_owned());
                    *ended_at = Some(at);
                }
            }
        }
    }

    /// Only a start, or another end, proves that systemd did what it announced.
    fn confirm_restart(&mut self, waited: &mut Option<Duration>) {
        self.delays.extend(waited.take());
    }

    /// The `Result` of its first end; empty if it has not ended.
    pub(crate) fn first_result(&self) -> &str {
        self.results.first().map_or("", String::as_str)
    }

    /// The `Result` of its last end; empty if it has not ended.
    pub(crate) fn last_result(&self) -> &str {
        self.results.last().map_or("", String::as_str)
    }
}

/// The `Result` with which the unit ends at this event, if it does.
fn result_in(kind: &EventKind) -> Option<&str> {
    match kind {
        EventKind::Failed { result } => Some(result),
        EventKind::Deactivated => Some("success"),
        EventKind::Manager { message, .. } => {
            let (result, _) = message.strip_prefix(SKIPPED)?.split_once('\'')?;
            Some(result)
        }
        _ => None,
    }
}

/// The output of the last command, `systemctl list-units`.
///
/// # Errors
///
/// When a command of the scenario failed.
pub(crate) fn list(timeline: &Timeline) -> Result<List, MatrixError> {
    let mut printed = None;
    for event in timeline.events() {
        match &event.kind {
            EventKind::Command {
                status: 0, output, ..
            } => printed = Some(output),
            EventKind::Command { argv, output, .. } => {
                return Err(not_as_claimed(format!("{argv:?} failed: {output}")));
            }
            _ => {}
        }
    }
    let printed = printed.ok_or_else(|| not_as_claimed("systemctl was not run"))?;
    Ok(printed.lines().filter_map(listed).collect())
}

/// Unit, load state, active state, sub-state, description.
fn listed(line: &str) -> Option<(String, Listed)> {
    let mut words = line.split_whitespace();
    let (unit, load, _active, sub) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let listed = Listed {
        load: load.to_owned(),
        sub: sub.to_owned(),
    };
    Some((unit.to_owned(), listed))
}

#[cfg(test)]
mod tests {
    use systemd_lab::protocol::event::Source;

    use super::*;

    const UNIT: &str = "t.service";

    /// Events of one unit, a second apart. Another unit has the same events at the same time, and must not count.
    fn timeline(kinds: Vec<EventKind>) -> Timeline {
        let event = |at_us, unit: Option<&str>, kind| Event {
            at_us,
            unit: unit.map(str::to_owned),
            source: Source::Agent,
            kind,
        };
        let name = "t".to_owned();
        let mut events = vec![event(0, None, EventKind::ScenarioBegan { name })];
        for (second, kind) in (1..).zip(kinds) {
            events.push(event(second * 1_000_000, Some(UNIT), kind.clone()));
            events.push(event(second * 1_000_000, Some("other.service"), kind));
        }
        Timeline::new(events)
    }

    fn observed(kinds: Vec<EventKind>) -> Observed {
        let list = List::from([(UNIT.to_owned(), running())]);
        Observed::of(&timeline(kinds), UNIT, &list).expect("it is listed")
    }

    fn running() -> Listed {
        Listed {
            load: "loaded".to_owned(),
            sub: "running".to_owned(),
        }
    }

    fn state(to: &str) -> EventKind {
        let (from, to) = ("before".to_owned(), to.to_owned());
        EventKind::StateChanged { from, to }
    }

    fn exit(role: &str, code: &str, status: i32) -> EventKind {
        EventKind::ProcessExited {
            role: role.to_owned(),
            code: code.to_owned(),
            status,
            command: None,
            is_ignored: false,
        }
    }

    fn failed(result: &str) -> EventKind {
        let result = result.to_owned();
        EventKind::Failed { result }
    }

    fn says(message: &str) -> EventKind {
        let message = message.to_owned();
        EventKind::Manager {
            priority: 6,
            message,
        }
    }

    fn restart(counter: u32) -> EventKind {
        EventKind::RestartScheduled { counter }
    }

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_service_that_is_killed_and_restarted_until_it_ends_well() {
        let observed = observed(vec![
            state("running"),
            exit("main", "killed", 9),
            exit("stop-post", "exited", 3),
            state("stop-sigterm"),
            failed("signal"),
            state("auto-restart"),
            state("auto-restart-queued"),
            // Four seconds after it failed.
            restart(1),
            state("start"),
            state("running"),
            exit("main", "exited", 0),
            EventKind::Deactivated,
            state("dead"),
        ]);
        assert_eq!(
            observed,
            Observed {
                exits: vec![("killed".to_owned(), 9), ("exited".to_owned(), 0)],
                results: vec!["signal".to_owned(), "success".to_owned()],
                ups: vec![seconds(1), seconds(10)],
                delays: vec![seconds(3)],
                between: ["auto-restart", "auto-restart-queued", "start"]
                    .map(str::to_owned)
                    .to_vec(),
                complaints: Vec::new(),
                oom_kills: 0,
                limit_hit: false,
                listed: running(),
            }
        );
        assert_eq!(observed.first_result(), "signal");
        assert_eq!(observed.last_result(), "success");
    }

    /// systemd announces a restart and then refuses it: there was no wait.
    #[test]
    fn a_restart_that_the_start_limit_refuses_does_not_count() {
        let observed = observed(vec![
            failed("exit-code"),
            restart(1),
            state("start"),
            failed("exit-code"),
            restart(2),
            EventKind::StartLimitHit,
            state("failed"),
            failed("start-limit-hit"),
        ]);
        assert_eq!(observed.delays, [seconds(1)]);
        assert!(observed.limit_hit);
        assert_eq!(
            observed.results,
            ["exit-code", "exit-code", "start-limit-hit"]
        );
    }

    /// A service may end before it has reached a different state; each state in which it is up proves a restart,
    /// too.
    #[test]
    fn only_a_start_or_another_end_proves_a_restart() {
        for proof in UP
            .map(state)
            .into_iter()
            .chain([failed("exit-code"), EventKind::Deactivated])
        {
            let observed = observed(vec![failed("exit-code"), restart(1), proof.clone()]);
            assert_eq!(observed.delays, [seconds(1)], "{proof:?}");
        }
        for no_proof in [
            state("dead"),
            state("auto-restart"),
            exit("main", "exited", 1),
        ] {
            let observed = observed(vec![failed("exit-code"), restart(1), no_proof.clone()]);
            assert_eq!(observed.delays, [], "{no_proof:?}");
        }
        // A first start is not a restart.
        assert_eq!(observed(vec![state("start"), state("running")]).delays, []);
    }

    #[test]
    fn a_service_whose_condition_is_not_met_ends_with_its_own_result() {
        let observed = observed(vec![
            says("Skipped due to 'exec-condition'."),
            says("Skipped on Tuesdays"),
        ]);
        assert_eq!(observed.results, ["exec-condition"]);
    }

    #[test]
    fn complaints_are_those_of_its_unit_file() {
        let complaint = EventKind::UnitFile {
            priority: 4,
            file: "/etc/systemd/system/t.service".to_owned(),
            line: 2,
            message: "Unknown key".to_owned(),
        };
        let observed = observed(vec![complaint, says("Changed dead -> start")]);
        assert_eq!(observed.complaints, ["Unknown key"]);
        assert_eq!(observed.first_result(), "");
        assert_eq!(observed.last_result(), "");
    }

    #[test]
    fn a_unit_that_is_not_listed_is_an_error() {
        let error = Observed::of(&timeline(vec![]), UNIT, &List::new()).expect_err("no unit");
        assert_eq!(
            error.to_string(),
            "nothing was measured, because systemctl does not list t.service; this is a fault of the workshop, please report it"
        );
    }

    fn command(status: i32, output: &str) -> EventKind {
        EventKind::Command {
            argv: vec!["systemctl".to_owned(), "list-units".to_owned()],
            status,
            output: output.to_owned(),
        }
    }

    #[test]
    fn the_last_list_counts() {
        let printed = "  t.service loaded active running Something that runs\n\nx.service bad-setting inactive dead x.service\n";
        let list = list(&timeline(vec![
            command(0, "old.service loaded failed failed"),
            command(0, printed),
        ]));
        let dead = Listed {
            load: "bad-setting".to_owned(),
            sub: "dead".to_owned(),
        };
        let expected = [(UNIT.to_owned(), running()), ("x.service".to_owned(), dead)];
        assert_eq!(list.expect("it was printed"), List::from(expected));
    }

    #[test]
    fn a_list_is_not_read_where_a_command_failed() {
        let good = command(0, "t.service loaded active running");
        for (kinds, why) in [
            (vec![], "systemctl was not run"),
            (vec![good, command(1, "no luck")], "no luck"),
        ] {
            let error = list(&timeline(kinds)).expect_err(why);
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}

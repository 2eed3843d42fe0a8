//! Turns journal entries into events: when each happened, what it means, and what to leave out.

use std::collections::{BTreeMap, HashMap};

use systemd_lab_protocol::event::Blinding;
use systemd_lab_protocol::event::Source;
use systemd_lab_protocol::journal::{Fields, classify, priority_of};
use systemd_lab_protocol::sight::{REHEARSAL, is_own_unit};
use systemd_lab_protocol::{Event, EventKind};

use super::file::Entry;
use crate::processes::Processes;

/// When the sender sent the entry, as journald received it with the message (`SCM_TIMESTAMP`).
const SENT_AT: &str = "_SOURCE_REALTIME_TIMESTAMP";

/// Fields that only say where an entry was logged, or repeat another field. Events leave them out.
const LEFT_OUT: &[&str] = &[
    "CODE_FILE",
    "CODE_FUNC",
    "CODE_LINE",
    "INVOCATION_ID",
    "JOB_ID",
    "SYSLOG_FACILITY",
    "SYSLOG_PID",
    "SYSLOG_RAW",
    "SYSLOG_TIMESTAMP",
    "TID",
    "USER_INVOCATION_ID",
    "_AUDIT_LOGINUID",
    "_AUDIT_SESSION",
    "_BOOT_ID",
    "_CAP_EFFECTIVE",
    "_CMDLINE",
    "_EXE",
    "_GID",
    "_HOSTNAME",
    "_LINE_BREAK",
    "_MACHINE_ID",
    "_RUNTIME_SCOPE",
    "_SELINUX_CONTEXT",
    "_SOURCE_BOOTTIME_TIMESTAMP",
    "_STREAM_ID",
    "_UID",
];

/// systemd's own unit. Entries of its own that concern no other unit are noise (mostly D-Bus), unless they are warnings.
const MANAGER_UNIT: &str = "init.scope";

/// syslog's `warning`.
const WARNING: u8 = 4;

/// systemd's own words around its reload; the first string is the whole message.
const RELOAD_BEGINS: &str = "Reloading...";
const RELOAD_ENDS: &str = "Reloading finished";

/// systemd's own process.
const SYSTEMD: &str = "1";

/// systemd's message when it drops a notification because its sender is gone; the sender's PID follows.
/// (`manager_dispatch_notify_fd` in its manager.c.)
const SENDER_GONE: &str = "Cannot find unit for notify message of PID ";

/// The same since version 256, if the sender ended even earlier.
const SENDER_DIED: &str = "Notify sender died before message is processed";

/// The beginning of systemd's message when it received a signal that it cannot survive (`crash` in its crash-handler.c), and when it
/// executes itself again.
const CRASHED: &str = "Caught <";
const REEXECUTES: &str = "Reexecut";

/// After that, it takes a second or two until systemd reliably logs into the journal again.
const REEXECUTION_US: u64 = 5_000_000;

/// When systemd is about to start this target, it stops everything, including journald: systemd.special(7).
const SHUT_DOWN: &str = "shutdown.target";

/// The beginning of systemd's message before it runs a command; the command line follows.
const ABOUT_TO_EXECUTE: &str = "About to execute: ";

/// systemd's messages before its log changes (`manager_override_log_level` and the like in its manager.c).
const LEVEL_CHANGES: [(&str, &str); 2] = [
    ("Setting log level to ", "."),
    ("Restoring log level to original (", ")."),
];
const TARGET_CHANGES: [(&str, &str); 2] = [
    ("Setting log target to ", "."),
    ("Restoring log target to original ", "."),
];

/// The level at which systemd logs each change of a state.
const SEES_ALL: &str = "debug";

/// Targets with which systemd's log reaches the journal with all its fields: systemd(1), `--log-target=`.
const INTO_JOURNAL: [&str; 3] = ["journal", "journal-or-kmsg", "auto"];

/// The kernel's log has a clock of its own, which is off by some microseconds.
const CLOCKS_DIFFER_US: u64 = 1_000;

/// syslog's `debug`.
const DEBUG: u8 = 7;

/// Which fields the journal's reader keeps.
pub fn is_kept(name: &str) -> bool {
    let elsewhere = name.starts_with("_SYSTEMD_") && name != "_SYSTEMD_UNIT";
    !elsewhere && LEFT_OUT.binary_search(&name).is_err()
}

/// Turns entries into events, one after the other.
#[derive(Default)]
pub struct Interpreter {
    /// systemd is reading its unit files again. It then logs for each unit that it "changed" from
    /// `dead` to its current state, which it already had: that is not a change of state.
    reloading: bool,
    /// The last command that systemd was about to execute for each unit.
    commands: HashMap<String, String>,
    /// When each sender sent its last entry.
    last_sent: HashMap<Sender, u64>,
    /// `LogLevelMax=` as the unit files set it: see [`systemd_lab_protocol::Job::log_levels`].
    log_levels: BTreeMap<String, u8>,
    /// systemd's log level and target, since a process changed them.
    level: Option<String>,
    target: Option<String>,
    /// When systemd last logged something at debug level, and when it last read its unit files again.
    last_debug_us: Option<u64>,
    last_reload_us: Option<u64>,
    /// Since when journald has received nothing from systemd, which logs into the kernel's log instead.
    away_since_us: Option<u64>,
    /// When journald last received something from systemd, and when it did so again after a gap: the times not reported yet.
    last_taken_us: u64,
    returns_us: Vec<u64>,
    /// When systemd last said that it is executing itself again.
    reexecuted_us: Option<u64>,
    /// systemd has crashed, or is stopping everything.
    has_ended: bool,
    /// journald's last entry, if it said that it dropped lines, and the earlier ones that were not reported yet.
    dropped: Option<Event>,
    all_dropped: Vec<Event>,
}

/// A process and the first letter of its transport to journald: what a process sends that way arrives in order.
type Sender = (u32, Option<u8>);

impl Interpreter {
    /// From now on, leaves out lines of services above these levels.
    pub fn leave_out_above(&mut self, log_levels: &BTreeMap<String, u8>) {
        self.log_levels = log_levels.clone();
    }

    /// Whether a process has changed what systemd logs, and where.
    pub fn is_blind(&self) -> bool {
        self.level.is_some() || self.target.is_some()
    }

    /// Whether systemd has crashed, or is stopping everything.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// systemd logs again as before.
    pub fn sees_again(&mut self) {
        (self.level, self.target) = (None, None);
    }

    /// When journald received systemd's messages again after a gap, since the last call.
    pub fn take_returns(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.returns_us)
    }

    /// What journald dropped, as far as it has said so since the last call.
    pub fn take_dropped(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.all_dropped)
    }

    /// When systemd last logged something at debug level.
    pub fn last_debug_us(&self) -> Option<u64> {
        self.last_debug_us
    }

    /// When systemd last read its unit files again.
    pub fn last_reload_us(&self) -> Option<u64> {
        self.last_reload_us
    }

    /// The event that an entry reports. `None` if it is about no unit, or about the lab itself.
    pub fn event(&mut self, entry: Entry, processes: &mut Processes) -> Option<Event> {
        let mut at_us = entry.monotonic;
        let mut fields = Fields::new();
        for field in entry.fields {
            if field.name == SENT_AT {
                at_us = sent_at(&field.value, entry.realtime, entry.monotonic);
            } else {
                fields.insert(field.name.clone(), field.value.clone());
            }
        }
        self.note_line_after_dropped(&fields);
        let at_us = self.in_order(&fields, at_us);
        let (at_us, how) = match fields.get("_PID").is_some_and(|pid| pid == SYSTEMD) {
            true => (
                at_us,
                self.note_crash(&fields, processes)
                    .or_else(|| self.note_manager(&fields, at_us)),
            ),
            false => match self.note_kernel(&fields) {
                Some((at_us, how)) => (at_us, Some(how)),
                None => (at_us, None),
            },
        };
        if let Some(how) = how {
            return Some(Event {
                at_us,
                unit: None,
                source: Source::Journal(fields),
                kind: EventKind::WentBlind { how },
            });
        }
        let found = dropped(&fields, processes)
            .or_else(|| end_of_machine(&fields))
            .or_else(|| no_more_tasks(&fields))
            .or_else(|| classify(&fields));
        let (unit, mut kind) = found.or_else(|| orphan(&fields, processes))?;
        match &mut kind {
            EventKind::Manager { message, .. } => {
                processes.note(&unit, message);
                if let Some(command) = message.strip_prefix(ABOUT_TO_EXECUTE) {
                    self.commands.insert(unit.clone(), command.to_owned());
                }
            }
            // A unit has only one control process at a time, and the main process does not run meanwhile.
            EventKind::ProcessExited {
                command: Some(setting),
                ..
            } => setting.extend(self.commands.get(&unit).cloned()),
            _ => {}
        }
        if unit == MANAGER_UNIT {
            self.note_reload(&fields, at_us);
        }
        if is_left_out(&unit, &kind) || self.is_above_level(&unit, &kind) {
            return None;
        }
        self.has_ended |=
            unit == SHUT_DOWN && matches!(&kind, EventKind::JobQueued { job } if job == "start");
        if self.reloading && matches!(kind, EventKind::StateChanged { .. }) {
            kind = as_logged(&fields, &unit);
        }
        let event = Event {
            at_us,
            unit: Some(unit),
            source: Source::Journal(fields),
            kind,
        };
        if matches!(event.kind, EventKind::LogDropped { .. }) {
            self.dropped = Some(event);
            return None;
        }
        Some(event)
    }

    /// The entry after the one that says that lines were dropped is the first line that was not, with the priority that all of them have.
    fn note_line_after_dropped(&mut self, fields: &Fields) {
        let Some(mut event) = self.dropped.take() else {
            return;
        };
        if let EventKind::LogDropped { priority, .. } = &mut event.kind {
            *priority = priority_of(fields);
        }
        self.all_dropped.push(event);
    }

    /// The entry's stamp, but never before that of an earlier entry of the same sender: journald reads its two clocks one
    /// after the other, and if it is interrupted in between, [`sent_at`] is some microseconds too early or too late.
    fn in_order(&mut self, fields: &Fields, at_us: u64) -> u64 {
        let Some(pid) = fields.get("_PID").and_then(|pid| pid.parse().ok()) else {
            return at_us;
        };
        let way = fields.get("_TRANSPORT").and_then(|it| it.bytes().next());
        let last = self.last_sent.entry((pid, way)).or_default();
        *last = at_us.max(*last);
        *last
    }

    /// systemd's last words, if this is the first message of them, and the unit whose process brought systemd down.
    fn note_crash(&mut self, fields: &Fields, processes: &mut Processes) -> Option<Blinding> {
        let message = fields.get("MESSAGE")?.strip_suffix('.')?;
        if !message.starts_with(CRASHED) || std::mem::replace(&mut self.has_ended, true) {
            return None;
        }
        let sender = message.rsplit_once(" from PID ");
        let unit = sender.and_then(|(_, pid)| processes.unit_of(pid.parse().ok()?));
        let message = match unit {
            Some(unit) => format!("{message}, a process of {unit}"),
            None => message.to_owned(),
        };
        Some(Blinding::ManagerCrashed { message })
    }

    /// Takes note of what systemd says about its own log, and of the fact that it logs.
    fn note_manager(&mut self, fields: &Fields, at_us: u64) -> Option<Blinding> {
        // An entry sent before that is late.
        if self.away_since_us.is_some_and(|since_us| at_us > since_us) {
            self.away_since_us = None;
            self.returns_us.push(at_us);
        }
        self.last_taken_us = at_us;
        if fields.get("PRIORITY").is_some_and(|it| it == "7") {
            self.last_debug_us = self.last_debug_us.max(Some(at_us));
            return None;
        }
        if fields.contains_key("UNIT") {
            return None;
        }
        let message = fields.get("MESSAGE")?;
        if message.starts_with(REEXECUTES) {
            self.reexecuted_us = Some(at_us);
        }
        let value = |changes: [(&str, &str); 2]| {
            changes.iter().find_map(|(begin, end)| {
                let value = message.strip_prefix(begin)?.strip_suffix(end)?;
                Some(value.to_owned())
            })
        };
        if let Some(level) = value(LEVEL_CHANGES) {
            self.level = (level != SEES_ALL).then(|| level.clone());
            return self.level.clone().map(|level| Blinding::LogLevel { level });
        }
        let target = value(TARGET_CHANGES)?;
        self.target = (!INTO_JOURNAL.contains(&&*target)).then_some(target);
        let target = self.target.clone();
        target.map(|target| Blinding::LogTarget { target })
    }

    /// The first of systemd's messages in the kernel's log. systemd logs there what journald does not accept, as far as the
    /// kernel's rate limit allows, and without naming the unit.
    fn note_kernel(&mut self, fields: &Fields) -> Option<(u64, Blinding)> {
        let get = |name: &str| fields.get(name).map(String::as_str);
        let is_systemds =
            get("_TRANSPORT") == Some("kernel") && get("SYSLOG_IDENTIFIER") == Some("systemd");
        let at_us = get("_SOURCE_MONOTONIC_TIMESTAMP")?.parse().ok()?;
        // journald reads the kernel's log and systemd's messages in no fixed order.
        if !is_systemds || at_us <= self.last_taken_us + CLOCKS_DIFFER_US {
            return None;
        }
        if self.away_since_us.is_some() || self.has_ended {
            return None;
        }
        self.away_since_us = Some(at_us);
        let reexecutes = self
            .reexecuted_us
            .is_some_and(|begin_us| at_us < begin_us + REEXECUTION_US);
        let message = "journald did not take what systemd logged".to_owned();
        let how = match reexecutes {
            true => Blinding::Reexecuted,
            false => Blinding::NoJournal { message },
        };
        Some((at_us, how))
    }

    /// Whether a service's line would be missing from the journal if its unit had the level that its file sets: journald drops
    /// such lines (`server_dispatch_message` in journald-server.c).
    fn is_above_level(&self, unit: &str, kind: &EventKind) -> bool {
        let EventKind::Log { priority, .. } = kind else {
            return false;
        };
        let template = || {
            let (name, rest) = unit.split_once('@')?;
            let (_, kind) = rest.rsplit_once('.')?;
            self.log_levels.get(&format!("{name}@.{kind}"))
        };
        let of_type = || self.log_levels.get(unit.rsplit_once('.')?.1);
        let most = match self.log_levels.is_empty() {
            true => None,
            false => self.log_levels.get(unit).or_else(template).or_else(of_type),
        };
        most.is_some_and(|most| priority > most)
    }

    fn note_reload(&mut self, fields: &Fields, at_us: u64) {
        let message = fields.get("MESSAGE").map_or("", String::as_str);
        if message == RELOAD_BEGINS {
            self.last_reload_us = Some(at_us);
            self.reloading = true;
        } else if message.starts_with(RELOAD_ENDS) {
            self.reloading = false;
        }
    }
}

/// A notification whose sender was gone before systemd looked up its unit: sd_notify(3), "Notes". systemd drops it and names only
/// the process. Which of its two reasons it gives for a helper's message depends on who runs first.
fn dropped(fields: &Fields, processes: &mut Processes) -> Option<(String, EventKind)> {
    let get = |name: &str| fields.get(name).map(String::as_str);
    let message = get("MESSAGE").filter(|_| get("_PID") == Some(SYSTEMD))?;
    let unit = match message.strip_prefix(SENDER_GONE) {
        Some(rest) => processes.unit_of(rest.split(',').next()?.parse().ok()?)?,
        // systemd does not say which process it was.
        None if message.starts_with(SENDER_DIED) => processes.unit_of_last_gone()?,
        None => return None,
    };
    let message = message.to_owned();
    Some((unit, EventKind::NotificationRefused { message }))
}

/// What systemd logs about itself, at `debug` or at `warning`, when a unit's `FailureAction=`, `SuccessAction=`
/// or `StartLimitAction=` ends the machine, e.g. `Rebooting: unit my.service failed`
/// (src/core/emergency-action.c).
fn end_of_machine(fields: &Fields) -> Option<(String, EventKind)> {
    const WHY: [&str; 2] = [" failed", " succeeded"];
    let get = |name: &str| fields.get(name).map(String::as_str);
    let is_systemds_own = get("_PID") == Some(SYSTEMD) && get("UNIT").is_none();
    let message = get("MESSAGE").filter(|_| is_systemds_own)?;
    let (_, reason) = message.split_once(": unit ")?;
    let unit = WHY.iter().find_map(|why| reason.strip_suffix(why))?;
    let kind = EventKind::Manager {
        priority: WARNING,
        message: message.to_owned(),
    };
    Some((unit.to_owned(), kind))
}

/// The kernel's message when it refuses a unit another process or thread because of `TasksMax=`; the path of the unit's control
/// group follows (`pids_event` in its pids.c).
fn no_more_tasks(fields: &Fields) -> Option<(String, EventKind)> {
    const REFUSED: &str = "cgroup: fork rejected by pids controller in ";
    let get = |name: &str| fields.get(name).map(String::as_str);
    let message = get("MESSAGE").filter(|_| get("_TRANSPORT") == Some("kernel"))?;
    let path = message.strip_prefix(REFUSED)?;
    // A unit's own groups are below it: systemd.service(5), "Delegate=".
    let unit = path.split('/').find(|part| part.ends_with(".service"))?;
    let kind = EventKind::Manager {
        priority: WARNING,
        message: message.to_owned(),
    };
    Some((crate::load::unit_of(unit).to_owned(), kind))
}

/// A line of a process that was gone before journald looked up its unit. Only lines that come through a stream carry
/// their unit anyway.
fn orphan(fields: &Fields, processes: &mut Processes) -> Option<(String, EventKind)> {
    let unit = processes.unit_of(fields.get("_PID")?.parse().ok()?)?;
    let mut fields = fields.clone();
    fields.insert("_SYSTEMD_UNIT".to_owned(), unit);
    classify(&fields)
}

/// systemd's own words about the unit, without interpretation.
fn as_logged(fields: &Fields, unit: &str) -> EventKind {
    let message = fields.get("MESSAGE").map_or("", String::as_str);
    let message = message.strip_prefix(unit).unwrap_or(message);
    EventKind::Manager {
        priority: DEBUG,
        message: message.trim_start_matches(": ").to_owned(),
    }
}

/// When the entry was sent, on the monotonic clock. journald reads both clocks when it takes the
/// entry; the sender's time is known only on the realtime clock.
fn sent_at(realtime: &str, taken_realtime: u64, taken_monotonic: u64) -> u64 {
    let delay = realtime
        .parse()
        .ok()
        .and_then(|sent| taken_realtime.checked_sub(sent))
        .unwrap_or(0);
    taken_monotonic.saturating_sub(delay)
}

fn is_left_out(unit: &str, kind: &EventKind) -> bool {
    if is_own_unit(unit) && unit != REHEARSAL {
        return true;
    }
    unit == MANAGER_UNIT && !matches!(kind, EventKind::Log { priority, .. } if *priority <= WARNING)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::super::file::Field;
    use super::*;

    fn entry(fields: &[(&str, &str)]) -> Entry {
        Entry {
            seqnum: 1,
            realtime: 1_000_500,
            monotonic: 2_500,
            fields: fields
                .iter()
                .map(|(name, value)| {
                    Rc::new(Field {
                        name: name.to_string(),
                        value: value.to_string(),
                    })
                })
                .collect(),
        }
    }

    fn event(entry: Entry) -> Option<Event> {
        Interpreter::default().event(entry, &mut Processes::untraced())
    }

    #[test]
    fn the_end_of_the_machine_is_a_units_doing() {
        let message = "Forcibly powering off: unit t.service failed";
        let event = event(entry(&[
            ("_PID", "1"),
            ("_SYSTEMD_UNIT", "init.scope"),
            ("PRIORITY", "7"),
            ("MESSAGE", message),
        ]))
        .expect("it is kept");
        assert_eq!(event.unit.as_deref(), Some("t.service"));
        let expected = EventKind::Manager {
            priority: WARNING,
            message: message.to_owned(),
        };
        assert_eq!(event.kind, expected);
    }

    #[test]
    fn a_unit_that_may_have_no_more_tasks_is_named() {
        let message = "cgroup: fork rejected by pids controller in /system.slice/t.service/sub";
        let of = |transport: &str| {
            event(entry(&[
                ("_TRANSPORT", transport),
                ("PRIORITY", "6"),
                ("MESSAGE", message),
            ]))
        };
        let event = of("kernel").expect("it is kept");
        assert_eq!(event.unit.as_deref(), Some("t.service"));
        let expected = EventKind::Manager {
            priority: WARNING,
            message: message.to_owned(),
        };
        assert_eq!(event.kind, expected);
        assert_eq!(of("syslog"), None);
    }

    #[test]
    fn what_journald_dropped_has_the_priority_of_the_next_line() {
        let mut interpreter = Interpreter::default();
        let mut nobody = Processes::untraced();
        let said = [
            ("_PID", "90"),
            ("_SYSTEMD_UNIT", "systemd-journald.service"),
            ("_TRANSPORT", "driver"),
            ("MESSAGE_ID", "a596d6fe7bfa4994828e72309e95d61e"),
            ("PRIORITY", "6"),
            ("MESSAGE", "Suppressed 3 messages from t.service"),
            ("N_DROPPED", "3"),
        ];
        assert_eq!(interpreter.event(entry(&said), &mut nobody), None);
        assert_eq!(interpreter.take_dropped(), []);
        let line = [
            ("_PID", "130"),
            ("_SYSTEMD_UNIT", "t.service"),
            ("PRIORITY", "4"),
            ("MESSAGE", "words"),
        ];
        for dropped in [1, 0] {
            let logged = interpreter.event(entry(&line), &mut nobody);
            assert!(matches!(
                logged,
                Some(Event {
                    kind: EventKind::Log { .. },
                    ..
                })
            ));
            let events = interpreter.take_dropped();
            assert_eq!(events.len(), dropped);
            for event in events {
                assert_eq!(event.unit.as_deref(), Some("t.service"));
                let (lines, priority) = (3, 4);
                assert_eq!(event.kind, EventKind::LogDropped { lines, priority });
            }
        }
    }

    #[test]
    fn a_reload_does_not_change_the_state() {
        let mut interpreter = Interpreter::default();
        let changed = [
            ("_PID", "1"),
            ("UNIT", "t.service"),
            ("MESSAGE", "t.service: Changed dead -> running"),
        ];
        let manager = |message| {
            entry(&[
                ("_PID", "1"),
                ("_SYSTEMD_UNIT", "init.scope"),
                ("MESSAGE", message),
            ])
        };
        let kind = |interpreter: &mut Interpreter| {
            let event = interpreter.event(entry(&changed), &mut Processes::untraced());
            event.expect("it has a unit").kind
        };
        let mut nobody = Processes::untraced();
        assert!(
            interpreter
                .event(manager("Reloading..."), &mut nobody)
                .is_none()
        );
        assert_eq!(
            kind(&mut interpreter),
            EventKind::Manager {
                priority: 7,
                message: "Changed dead -> running".into()
            }
        );
        interpreter.event(manager("Reloading finished in 88 ms."), &mut nobody);
        assert!(matches!(
            kind(&mut interpreter),
            EventKind::StateChanged { .. }
        ));
    }

    #[test]
    fn the_list_of_fields_is_sorted() {
        assert!(LEFT_OUT.is_sorted());
    }

    #[test]
    fn only_what_says_where_is_left_out() {
        assert!(is_kept("MESSAGE"));
        assert!(is_kept("_SYSTEMD_UNIT"));
        assert!(is_kept("_PID"));
        assert!(!is_kept("_SYSTEMD_CGROUP"));
        assert!(!is_kept("CODE_LINE"));
    }

    #[test]
    fn a_line_of_a_process_that_is_gone_has_a_unit() {
        let mut processes = Processes::untraced();
        let mut event =
            |fields: &[(&str, &str)]| Interpreter::default().event(entry(fields), &mut processes);
        let line = [
            ("_PID", "4000130"),
            ("MESSAGE", "bye"),
            ("_TRANSPORT", "syslog"),
        ];
        assert!(event(&line).is_none());
        event(&[
            ("_PID", "1"),
            ("UNIT", "a.service"),
            ("MESSAGE", "a.service: Forked /usr/bin/a as 4000130"),
        ]);
        let event = event(&line).expect("systemd has logged whose it is");
        assert_eq!(event.unit.as_deref(), Some("a.service"));
        assert!(matches!(event.kind, EventKind::Log { message, .. } if message == "bye"));
    }

    #[test]
    fn a_notification_of_a_process_that_is_gone_was_dropped() {
        let mut processes = Processes::untraced();
        processes.note("a.service", "Forked /usr/bin/a as 4000130");
        let gone = "Cannot find unit for notify message of PID 4000130, ignoring.";
        let mut event = |pid: &str| {
            let fields = [
                ("_PID", pid),
                ("_SYSTEMD_UNIT", "init.scope"),
                ("MESSAGE", gone),
            ];
            Interpreter::default().event(entry(&fields), &mut processes)
        };
        let dropped = event("1").expect("systemd has logged whose it is");
        assert_eq!(dropped.unit.as_deref(), Some("a.service"));
        assert!(matches!(
            dropped.kind,
            EventKind::NotificationRefused { .. }
        ));
        let posing = event("7");
        assert!(!posing.is_some_and(|it| matches!(it.kind, EventKind::NotificationRefused { .. })));
    }

    #[test]
    fn the_stamp_is_when_it_was_sent() {
        let fields = [
            ("_SYSTEMD_UNIT", "t.service"),
            ("MESSAGE", "hello"),
            ("_SOURCE_REALTIME_TIMESTAMP", "1000200"),
        ];
        let event = event(entry(&fields)).expect("it has a unit");
        assert_eq!(event.at_us, 2_200);
        let Source::Journal(fields) = &event.source else {
            panic!("it comes from the journal");
        };
        assert!(!fields.contains_key("_SOURCE_REALTIME_TIMESTAMP"));
    }

    #[test]
    fn entries_of_one_sender_stay_in_order() {
        let mut interpreter = Interpreter::default();
        let mut stamp = |sent: &str, pid: &str| {
            let fields = [
                ("_PID", pid),
                ("_TRANSPORT", "journal"),
                ("_SYSTEMD_UNIT", "t.service"),
                ("_SOURCE_REALTIME_TIMESTAMP", sent),
            ];
            let event = interpreter.event(entry(&fields), &mut Processes::untraced());
            event.expect("it has a unit").at_us
        };
        assert_eq!(stamp("1000200", "1"), 2_200);
        assert_eq!(stamp("1000150", "1"), 2_200, "journald was interrupted");
        assert_eq!(stamp("1000150", "7"), 2_150, "another process");
        assert_eq!(stamp("1000300", "1"), 2_300);
    }

    #[test]
    fn without_a_sending_time_it_is_when_journald_took_it() {
        let event = event(entry(&[("_SYSTEMD_UNIT", "t.service"), ("MESSAGE", "x")]));
        assert_eq!(event.expect("it has a unit").at_us, 2_500);
    }

    #[test]
    fn the_lab_itself_is_left_out() {
        let of = |unit, priority| {
            event(entry(&[
                ("_PID", "1"),
                ("_SYSTEMD_UNIT", unit),
                ("PRIORITY", priority),
                ("MESSAGE", "x"),
            ]))
        };
        assert!(of("systemd-lab-agent.service", "3").is_none());
        assert!(of("systemd-journald@x.service", "3").is_none());
        assert!(of("systemd-journald-exporter.service", "3").is_some());
        assert!(of("lab-agent.service", "3").is_some());
        assert!(of("systemd-journald.service", "3").is_none());
        assert!(of("init.scope", "7").is_none());
        assert!(of("init.scope", "3").is_some());
        assert!(of("hello.service", "7").is_some());
    }

    #[test]
    fn a_log_that_changes_is_seen() {
        let mut interpreter = Interpreter::default();
        let mut says = |message: &str| {
            let fields = [
                ("_PID", "1"),
                ("_SYSTEMD_UNIT", "init.scope"),
                ("PRIORITY", "6"),
                ("MESSAGE", message),
            ];
            let event = interpreter.event(entry(&fields), &mut Processes::untraced());
            (event.map(|event| event.kind), interpreter.is_blind())
        };
        let level = |level: &str| {
            let level = level.to_owned();
            let how = Blinding::LogLevel { level };
            Some(EventKind::WentBlind { how })
        };
        assert_eq!(says("Setting log level to info."), (level("info"), true));
        assert_eq!(says("Setting log level to debug."), (None, false));
        let restored = says("Restoring log level to original (info).");
        assert_eq!(restored, (level("info"), true));
        assert_eq!(says("Setting log target to journal."), (None, true));
        let (kind, _) = says("Setting log target to null.");
        assert!(
            matches!(kind, Some(EventKind::WentBlind { how: Blinding::LogTarget { target } }) if target == "null")
        );
    }

    #[test]
    fn a_systemd_that_ends_or_reexecutes_differs_from_a_journal_that_is_gone() {
        let manager = |message: &str| {
            let fields = [
                ("_PID", "1"),
                ("_SYSTEMD_UNIT", "init.scope"),
                ("PRIORITY", "6"),
                ("MESSAGE", message),
            ];
            entry(&fields)
        };
        let kernel = || {
            entry(&[
                ("_TRANSPORT", "kernel"),
                ("SYSLOG_IDENTIFIER", "systemd"),
                ("_SOURCE_MONOTONIC_TIMESTAMP", "9000"),
                ("MESSAGE", "x"),
            ])
        };
        let mut processes = Processes::untraced();
        processes.note("a.service", "Forked /usr/bin/a as 4000130");
        let mut seen = |before: &[Entry]| {
            let mut interpreter = Interpreter::default();
            let before = before.iter().map(|entry| Entry {
                fields: entry.fields.clone(),
                ..*entry
            });
            let entries: Vec<Entry> = before.chain([kernel()]).collect();
            let events = entries
                .into_iter()
                .filter_map(|entry| interpreter.event(entry, &mut processes));
            let blind = events.filter_map(|event| match event.kind {
                EventKind::WentBlind { how } => Some(how),
                _ => None,
            });
            blind.collect::<Vec<Blinding>>()
        };
        assert!(matches!(seen(&[])[..], [Blinding::NoJournal { .. }]));
        let reexecutes = manager("Reexecuting.");
        assert_eq!(seen(&[reexecutes]), [Blinding::Reexecuted]);
        let message = "Caught <SEGV> from PID 4000130, a process of a.service".to_owned();
        let crashes = [
            manager("Caught <SEGV> from PID 4000130."),
            manager("Caught <SEGV>, dumped core as pid 4000131."),
        ];
        assert_eq!(seen(&crashes), [Blinding::ManagerCrashed { message }]);
        let shuts_down = entry(&[
            ("_PID", "1"),
            ("UNIT", "shutdown.target"),
            (
                "MESSAGE",
                "shutdown.target: Installed new job shutdown.target/start as 7",
            ),
        ]);
        assert_eq!(seen(&[shuts_down]), []);
    }

    #[test]
    fn lines_above_the_level_of_a_unit_are_left_out() {
        let mut interpreter = Interpreter::default();
        let levels = [("a.service", 4), ("b@.service", 5), ("service", 3)];
        let levels = levels.map(|(unit, level)| (unit.to_owned(), level));
        interpreter.leave_out_above(&levels.into());
        let mut is_kept = |unit: &str, priority: &str| {
            let fields = [
                ("_SYSTEMD_UNIT", unit),
                ("PRIORITY", priority),
                ("MESSAGE", "x"),
            ];
            let event = interpreter.event(entry(&fields), &mut Processes::untraced());
            event.is_some()
        };
        assert!(is_kept("a.service", "4") && !is_kept("a.service", "5"));
        assert!(is_kept("b@1.service", "5") && !is_kept("b@1.service", "6"));
        assert!(is_kept("c.service", "3") && !is_kept("c.service", "4"));
        assert!(is_kept("c.socket", "7"));
    }
}

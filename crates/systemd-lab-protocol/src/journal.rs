//! From a journal entry's fields to an event.
//!
//! Message ids tell systemd's messages apart where they have one (`systemd/sd-messages.h`;
//! systemd.journal-fields(7)); messages without one are recognised by their text, as in
//! `src/core/{service,unit,job,kill}.c` of v252 to v257. Anything else becomes [`EventKind::Manager`].

use std::collections::BTreeMap;

use crate::event::EventKind;

/// `SD_MESSAGE_UNIT_PROCESS_EXIT`
const UNIT_PROCESS_EXIT: &str = "98e322203f7a4ed290d09fe03c09fe15";
/// `SD_MESSAGE_UNIT_RESTART_SCHEDULED`
const UNIT_RESTART_SCHEDULED: &str = "5eb03494b6584870a536b337290809b3";
/// `SD_MESSAGE_UNIT_FAILURE_RESULT`
const UNIT_FAILURE_RESULT: &str = "d9b373ed55a64feb8242e02dbe79a49c";
/// `SD_MESSAGE_UNIT_SUCCESS`
const UNIT_SUCCESS: &str = "7ad2d189f7e94e70a38c781354912448";
/// `SD_MESSAGE_INVALID_CONFIGURATION`
const INVALID_CONFIGURATION: &str = "c772d24e9a884cbeb9ea12625c306c01";

/// `SD_MESSAGE_JOURNAL_DROPPED`
const JOURNAL_DROPPED: &str = "a596d6fe7bfa4994828e72309e95d61e";

/// The transport of what journald itself logs: systemd.journal-fields(7), `_TRANSPORT=`. No process can send this field.
const JOURNALD: &str = "driver";

/// What comes before the unit in journald's message about lines that it dropped: `server_dispatch_message` in its journald-server.c.
const DROPPED_FROM: &str = " messages from ";

/// The syslog priority of an entry without one: `info`, systemd.exec(5), `SyslogLevel=`.
const DEFAULT_PRIORITY: u8 = 6;

/// systemd's own unit: a child runs in it until systemd moves it to its own unit's control group.
const MANAGER_UNIT: &str = "init.scope";

/// syslog's `debug`.
const DEBUG: u8 = 7;

/// Whether an entry looks as if the child that systemd forked, `(sleep)` for example, says that it loads a library. A service that
/// imitates this only hides a debug line of its own.
fn is_loading(fields: &Fields) -> bool {
    let get = |name: &str| fields.get(name).map_or("", String::as_str);
    let name = get("SYSLOG_IDENTIFIER");
    let is_childs = name == EXECUTOR || name.starts_with('(') && name.ends_with(')');
    get("_TRANSPORT") == "journal" && is_childs && get("MESSAGE").contains("hared library '")
}

/// What systemd's child is until it takes the name of what it will run.
const EXECUTOR: &str = "systemd-executor";

/// The fields of one journal entry, by name.
pub type Fields = BTreeMap<String, String>;

/// What an entry says, and about which unit. `None` when it is not about a unit.
pub fn classify(fields: &Fields) -> Option<(String, EventKind)> {
    let get = |name: &str| fields.get(name).map(String::as_str);
    let message = get("MESSAGE").unwrap_or_default();
    let priority = priority_of(fields);
    if let Some(dropped) = dropped(fields) {
        return Some(dropped);
    }

    let is_manager = get("_PID") == Some("1");
    // Between fork and exec, the child logs as "(name)" and on systemd's behalf: exec failures come from there. A service may take
    // the same name, so such an entry may not speak about another unit, or about what only the manager knows. If the process was gone
    // before journald looked, its unit must be found first.
    let is_child = |unit: &str| {
        get("SYSLOG_IDENTIFIER").is_some_and(|name| name.starts_with('('))
            && get("_SYSTEMD_UNIT").is_some_and(|own| own == unit || own == MANAGER_UNIT)
    };
    match get("UNIT") {
        Some(unit) if is_manager || is_child(unit) => {
            let text = message
                .strip_prefix(unit)
                .map_or(message, |rest| rest.trim_start_matches(": "));
            let kind = match is_manager {
                true => classify_manager(fields, unit, priority, text),
                false => EventKind::Manager {
                    priority,
                    message: text.to_owned(),
                },
            };
            Some((unit.to_owned(), kind))
        }
        // Before it becomes the service, the child of newer versions of systemd logs which libraries it loads, without naming the unit.
        _ if priority == DEBUG && is_loading(fields) => None,
        _ => {
            let unit = get("_SYSTEMD_UNIT")?;
            let message = message.to_owned();
            Some((unit.to_owned(), EventKind::Log { priority, message }))
        }
    }
}

/// The syslog priority of an entry.
pub fn priority_of(fields: &Fields) -> u8 {
    let priority = fields.get("PRIORITY").and_then(|it| it.parse().ok());
    priority.unwrap_or(DEFAULT_PRIORITY)
}

/// journald's own message about lines of a unit that it dropped. Only the entry after it says which priority these lines have.
fn dropped(fields: &Fields) -> Option<(String, EventKind)> {
    let is = |name: &str, value: &str| fields.get(name).is_some_and(|it| it == value);
    if !is("_TRANSPORT", JOURNALD) || !is("MESSAGE_ID", JOURNAL_DROPPED) {
        return None;
    }
    let (_, unit) = fields.get("MESSAGE")?.split_once(DROPPED_FROM)?;
    let kind = EventKind::LogDropped {
        lines: fields.get("N_DROPPED")?.parse().ok()?,
        priority: DEFAULT_PRIORITY,
    };
    Some((unit.to_owned(), kind))
}

fn classify_manager(fields: &Fields, unit: &str, priority: u8, text: &str) -> EventKind {
    by_message_id(fields, priority, text)
        .or_else(|| by_text(unit, text))
        .unwrap_or_else(|| EventKind::Manager {
            priority,
            message: text.to_owned(),
        })
}

fn by_message_id(fields: &Fields, priority: u8, text: &str) -> Option<EventKind> {
    let get = |name: &str| fields.get(name).cloned();
    Some(match fields.get("MESSAGE_ID")?.as_str() {
        UNIT_PROCESS_EXIT => process_exited(fields, text)?,
        UNIT_RESTART_SCHEDULED => EventKind::RestartScheduled {
            counter: get("N_RESTARTS")?.parse().ok()?,
        },
        UNIT_FAILURE_RESULT => EventKind::Failed {
            result: get("UNIT_RESULT")?,
        },
        UNIT_SUCCESS => EventKind::Deactivated,
        INVALID_CONFIGURATION => {
            let file = get("CONFIG_FILE").unwrap_or_default();
            let line = get("CONFIG_LINE").and_then(|l| l.parse().ok()).unwrap_or(0);
            let place = format!("{file}:{line}: ");
            EventKind::UnitFile {
                priority,
                message: text.strip_prefix(&place).unwrap_or(text).to_owned(),
                file,
                line,
            }
        }
        _ => return None,
    })
}

/// SIGHUP, SIGINT, SIGPIPE and SIGTERM: signal(7).
const CLEAN_SIGNALS: [i32; 4] = [1, 2, 13, 15];

fn process_exited(fields: &Fields, text: &str) -> Option<EventKind> {
    let get = |name: &str| fields.get(name).cloned();
    let (code, status) = (get("EXIT_CODE")?, get("EXIT_STATUS")?.parse().ok()?);
    let role = process_role(text);
    let is_control = role != "main";
    // A service that one of these signals ends has not failed: systemd.service(5), "SuccessExitStatus=".
    let is_clean = match code.as_str() {
        "exited" => status == 0,
        "killed" => CLEAN_SIGNALS.contains(&status),
        _ => false,
    };
    Some(EventKind::ProcessExited {
        // The command line itself is in an earlier entry. The command of a mount or a swap comes from no setting; systemd calls it
        // n/a.
        command: get("COMMAND")
            .filter(|_| is_control)
            .map(|setting| match setting.as_str() {
                "n/a" => String::new(),
                _ => format!("{setting}="),
            }),
        // An unmet ExecCondition= is not a failure at all.
        is_ignored: is_control
            && !is_clean
            && text.ends_with("(success)")
            && get("COMMAND").as_deref() != Some("ExecCondition"),
        role,
        code,
        status,
    })
}

/// `Main process exited, …` gives `main`; `Control process exited, …` gives `control`.
fn process_role(text: &str) -> String {
    let kind = text.split(" exited,").next().unwrap_or_default();
    kind.strip_suffix(" process").unwrap_or(kind).to_lowercase()
}

fn by_text(unit: &str, text: &str) -> Option<EventKind> {
    if let Some((from, to)) = text
        .strip_prefix("Changed ")
        .and_then(|rest| rest.split_once(" -> "))
    {
        return Some(EventKind::StateChanged {
            from: from.to_owned(),
            to: to.to_owned(),
        });
    }
    if let Some(rest) = text.strip_prefix("Installed new job ") {
        // "Installed new job hello.service/start as 9"
        let (name, _) = rest.rsplit_once(" as ")?;
        let job = name.strip_prefix(unit)?.strip_prefix('/')?.to_owned();
        return Some(EventKind::JobQueued { job });
    }
    if let Some(rest) = text.strip_prefix("Job ")
        && let Some((name, result)) = rest.split_once(" finished, result=")
    {
        // "Job 9 hello.service/start finished, result=done"
        let job = name.rsplit_once('/')?.1.to_owned();
        let result = result.to_owned();
        return Some(EventKind::JobEnded { job, result });
    }
    if let Some(rest) = text.strip_prefix("Got notification message from PID ") {
        return notification(rest, text);
    }
    if let Some(rest) = text.strip_prefix("Killing process ") {
        // "Killing process 130 (svc) with signal SIGABRT."
        let (process, signal) = rest.rsplit_once(" with signal ")?;
        let process = process.split_once(" (")?.1.trim_end_matches(')').to_owned();
        let signal = signal.split([' ', '.']).next()?.to_owned();
        return Some(EventKind::Killing { signal, process });
    }
    let message = || text.to_owned();
    if text.starts_with("Watchdog timeout") || text.starts_with("Watchdog request") {
        return Some(EventKind::WatchdogTimeout { message: message() });
    }
    if text.contains(" timed out. ") || text.starts_with("Service reached runtime time limit") {
        return Some(EventKind::Timeout { message: message() });
    }
    if text.starts_with("Start request repeated too quickly") {
        return Some(EventKind::StartLimitHit);
    }
    // service_verify() in service.c: these messages reject a unit file and name no line.
    if text.ends_with("Refusing.") && !text.contains("PID") {
        return Some(EventKind::UnitFile {
            priority: 3,
            file: String::new(),
            line: 0,
            message: message(),
        });
    }
    None
}

/// "130: READY=1, STATUS=ok" (since v254), "130 (READY=1, STATUS=ok)" (before),
/// "130, but reception only permitted for main PID 129".
fn notification(rest: &str, text: &str) -> Option<EventKind> {
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (pid, rest) = rest.split_at(digits);
    if rest.starts_with(", but") {
        return Some(EventKind::NotificationRefused {
            message: text.to_owned(),
        });
    }
    let list = rest
        .strip_prefix(": ")
        .or_else(|| rest.strip_prefix(" (")?.strip_suffix(')'))?;
    let mut assignments: Vec<String> = Vec::new();
    for piece in list.split(", ") {
        // A status text may contain ", ": only NAME= starts a new assignment.
        match assignments.last_mut() {
            Some(last) if !begins_assignment(piece) => {
                last.push_str(", ");
                last.push_str(piece);
            }
            _ => assignments.push(piece.to_owned()),
        }
    }
    Some(EventKind::Notified {
        pid: pid.parse().ok()?,
        assignments,
    })
}

fn begins_assignment(piece: &str) -> bool {
    piece.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(message: &str, more: &[(&str, &str)]) -> EventKind {
        let mut fields: Fields = [
            ("_PID", "1"),
            ("UNIT", "t.service"),
            ("PRIORITY", "7"),
            ("MESSAGE", message),
        ]
        .iter()
        .chain(more)
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
        fields.insert("_TRANSPORT".into(), "journal".into());
        let (unit, kind) = classify(&fields).expect("it has a unit");
        assert_eq!(unit, "t.service");
        kind
    }

    #[test]
    fn state_changes() {
        assert_eq!(
            manager("t.service: Changed start -> running", &[]),
            EventKind::StateChanged {
                from: "start".into(),
                to: "running".into()
            }
        );
    }

    #[test]
    fn jobs() {
        assert_eq!(
            manager("t.service: Installed new job t.service/start as 9", &[]),
            EventKind::JobQueued {
                job: "start".into()
            }
        );
        assert_eq!(
            manager(
                "t.service: Job 9 t.service/start finished, result=done",
                &[]
            ),
            EventKind::JobEnded {
                job: "start".into(),
                result: "done".into()
            }
        );
    }

    #[test]
    fn notifications_of_both_spellings() {
        let expected = EventKind::Notified {
            pid: 130,
            assignments: vec!["READY=1".into(), "STATUS=half a, b=c, done".into()],
        };
        let new =
            "t.service: Got notification message from PID 130: READY=1, STATUS=half a, b=c, done";
        let old =
            "t.service: Got notification message from PID 130 (READY=1, STATUS=half a, b=c, done)";
        assert_eq!(manager(new, &[]), expected);
        assert_eq!(manager(old, &[]), expected);
    }

    #[test]
    fn a_notification_from_elsewhere_is_refused() {
        let text =
            "Got notification message from PID 131, but reception only permitted for main PID 130";
        assert_eq!(
            manager(&format!("t.service: {text}"), &[]),
            EventKind::NotificationRefused {
                message: text.into()
            }
        );
    }

    #[test]
    fn exits_and_results() {
        assert_eq!(
            manager(
                "t.service: Main process exited, code=dumped, status=6/ABRT",
                &[
                    ("MESSAGE_ID", UNIT_PROCESS_EXIT),
                    ("EXIT_CODE", "dumped"),
                    ("EXIT_STATUS", "6")
                ]
            ),
            EventKind::ProcessExited {
                role: "main".into(),
                code: "dumped".into(),
                status: 6,
                command: None,
                is_ignored: false,
            }
        );
        assert_eq!(
            manager(
                "t.service: Failed with result 'watchdog'.",
                &[
                    ("MESSAGE_ID", UNIT_FAILURE_RESULT),
                    ("UNIT_RESULT", "watchdog")
                ]
            ),
            EventKind::Failed {
                result: "watchdog".into()
            }
        );
    }

    #[test]
    fn a_control_process_names_its_setting_and_whether_its_failure_counts() {
        let exited = |end: &str| {
            let message = format!("t.service: Control process exited, code=exited, status=7{end}");
            let more = [
                ("MESSAGE_ID", UNIT_PROCESS_EXIT),
                ("COMMAND", "ExecStartPre"),
                ("EXIT_CODE", "exited"),
                ("EXIT_STATUS", "7"),
            ];
            match manager(&message, &more) {
                EventKind::ProcessExited {
                    command,
                    is_ignored,
                    ..
                } => (command, is_ignored),
                other => panic!("{other:?}"),
            }
        };
        let setting = Some("ExecStartPre=".to_owned());
        assert_eq!(exited("/NOTRUNNING"), (setting.clone(), false));
        assert_eq!(exited("/NOTRUNNING (success)"), (setting, true));
        let mount = manager(
            "mnt-x.mount: Mount process exited, code=exited, status=32/n/a",
            &[
                ("MESSAGE_ID", UNIT_PROCESS_EXIT),
                ("COMMAND", "n/a"),
                ("EXIT_CODE", "exited"),
                ("EXIT_STATUS", "32"),
            ],
        );
        let EventKind::ProcessExited { command, .. } = mount else {
            panic!("{mount:?}");
        };
        assert_eq!(command.as_deref(), Some(""));
    }

    #[test]
    fn signals_and_deadlines() {
        assert_eq!(
            manager(
                "t.service: Killing process 130 (svc) with signal SIGABRT.",
                &[]
            ),
            EventKind::Killing {
                signal: "SIGABRT".into(),
                process: "svc".into()
            }
        );
        assert!(matches!(
            manager("t.service: Watchdog timeout (limit 10s)!", &[]),
            EventKind::WatchdogTimeout { .. }
        ));
        assert!(matches!(
            manager("t.service: State 'stop-sigterm' timed out. Killing.", &[]),
            EventKind::Timeout { .. }
        ));
        assert_eq!(
            manager("t.service: Start request repeated too quickly.", &[]),
            EventKind::StartLimitHit
        );
        assert!(matches!(
            manager(
                "t.service: Service restart interval 5s expired, scheduling restart.",
                &[]
            ),
            EventKind::Manager { .. }
        ));
    }

    #[test]
    fn unit_file_warnings_name_the_line() {
        assert_eq!(
            manager(
                "/etc/systemd/system/t.service:7: Unknown key 'RestartSecs' in section [Service], ignoring.",
                &[
                    ("MESSAGE_ID", INVALID_CONFIGURATION),
                    ("CONFIG_FILE", "/etc/systemd/system/t.service"),
                    ("CONFIG_LINE", "7")
                ]
            ),
            EventKind::UnitFile {
                priority: 7,
                file: "/etc/systemd/system/t.service".into(),
                line: 7,
                message: "Unknown key 'RestartSecs' in section [Service], ignoring.".into()
            }
        );
    }

    #[test]
    fn a_service_cannot_pose_as_the_manager() {
        let fields: Fields = [
            ("_PID", "130"),
            ("_SYSTEMD_UNIT", "t.service"),
            ("UNIT", "other.service"),
            ("MESSAGE", "Changed start -> running"),
        ]
        .iter()
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
        let (unit, kind) = classify(&fields).expect("it has a unit");
        assert_eq!(unit, "t.service");
        assert!(matches!(kind, EventKind::Log { .. }));
    }

    /// The entry looks as if the child that systemd forks had logged it.
    #[test]
    fn a_service_cannot_pose_as_a_child_of_the_manager() {
        let said = |of: &str, about: &str| {
            let fields = [
                ("_PID", "130"),
                ("_SYSTEMD_UNIT", of),
                ("SYSLOG_IDENTIFIER", "(t)"),
                ("UNIT", about),
                ("MESSAGE", "Changed start -> running"),
            ];
            let fields = fields.map(|(k, v)| (k.to_owned(), v.to_owned()));
            classify(&fields.into_iter().collect()).expect("it has a unit")
        };
        let (unit, kind) = said("t.service", "other.service");
        assert_eq!(unit, "t.service");
        assert!(matches!(kind, EventKind::Log { .. }));
        let (_, kind) = said("t.service", "t.service");
        assert!(matches!(kind, EventKind::Manager { .. }), "{kind:?}");
    }

    #[test]
    fn only_journald_says_what_it_dropped() {
        let said = |transport: &str| {
            let fields = [
                ("_PID", "90"),
                ("_SYSTEMD_UNIT", "systemd-journald.service"),
                ("_TRANSPORT", transport),
                ("MESSAGE_ID", JOURNAL_DROPPED),
                ("PRIORITY", "6"),
                ("MESSAGE", "Suppressed 955 messages from t.service"),
                ("N_DROPPED", "955"),
            ];
            let fields = fields.map(|(k, v)| (k.to_owned(), v.to_owned()));
            classify(&fields.into_iter().collect()).expect("it has a unit")
        };
        let kind = EventKind::LogDropped {
            lines: 955,
            priority: 6,
        };
        assert_eq!(said("driver"), ("t.service".to_owned(), kind));
        let (unit, kind) = said("journal");
        assert_eq!(unit, "systemd-journald.service");
        assert!(matches!(kind, EventKind::Log { .. }));
    }

    /// In the words of v262.
    #[test]
    fn how_a_child_loads_its_libraries_is_not_the_services_log() {
        let said = |identifier: &str, priority: &str, transport: &str, message: &str| {
            let fields = [
                ("_PID", "130"),
                ("_SYSTEMD_UNIT", "t.service"),
                ("_TRANSPORT", transport),
                ("SYSLOG_IDENTIFIER", identifier),
                ("PRIORITY", priority),
                ("MESSAGE", message),
            ];
            let fields = fields.map(|(k, v)| (k.to_owned(), v.to_owned()));
            classify(&fields.into_iter().collect())
        };
        let loaded = "t.service: Loaded shared library 'libmount.so.1' via dlopen().";
        let missing = "t.service: Shared library 'libcrypto.so.4' is not available: no such file";
        for message in [loaded, missing] {
            assert_eq!(said("(sleep)", "7", "journal", message), None);
            assert_eq!(said("systemd-executor", "7", "journal", message), None);
        }
        for (identifier, priority, transport, message) in [
            ("sleep", "7", "journal", loaded),
            ("(sleep", "7", "journal", loaded),
            ("(sleep)", "6", "journal", loaded),
            ("(sleep)", "7", "stdout", loaded),
            ("(sleep)", "7", "journal", "a line of the service's"),
        ] {
            let is_log = |(_, kind)| matches!(kind, EventKind::Log { .. });
            assert!(said(identifier, priority, transport, message).is_some_and(is_log));
        }
    }
}

//! Rules about processes that systemd cannot set up, that the kernel ends, or whose start systemd cannot follow.

use systemd_lab_protocol::EventKind;

use super::{Finding, Look, Rule};
use crate::findings::{OomOutcome, Place};
use crate::names::exit_status;

/// Statuses of processes that systemd could not set up: systemd.exec(5), "Process Exit Codes".
const SETUP_FAILED: std::ops::RangeInclusive<i32> = 200..=245;

/// EXIT_NAMESPACE of the same, and settings that name what has to be mounted: systemd.exec(5).
const NAMESPACE: i32 = 226;
const MOUNTING: [&str; 10] = [
    "ReadWritePaths",
    "ReadOnlyPaths",
    "InaccessiblePaths",
    "ExecPaths",
    "NoExecPaths",
    "BindPaths",
    "BindReadOnlyPaths",
    "TemporaryFileSystem",
    "RootDirectory",
    "RootImage",
];

/// How systemd begins its line about why; the one about the step says less.
const STEP: &str = "Failed at step ";

impl<'a> Look<'a> {
    /// systemd.exec(5), "Process Exit Codes".
    pub(super) fn exec_failed(&self) -> Option<Finding> {
        let (at, status, command) = self.events().find_map(|event| match &event.kind {
            EventKind::ProcessExited {
                code,
                status,
                command,
                is_ignored: false,
                ..
            } if code == "exited" && SETUP_FAILED.contains(status) => {
                Some((self.timeline.time_of(event), *status, command.clone()))
            }
            _ => None,
        })?;
        // Its own words come from the process that failed, which logs as systemd: else the service itself ended so.
        let said = |wanted: &dyn Fn(&str) -> bool| {
            self.events().find_map(|event| match &event.kind {
                EventKind::Manager { priority, message } if *priority <= 4 && wanted(message) => {
                    Some(message.clone())
                }
                _ => None,
            })
        };
        let step = said(&|message| message.starts_with(STEP))?;
        let message = said(&|message| {
            message.starts_with("Failed to ")
                && !message.starts_with(STEP)
                && !message.starts_with("Failed to start ")
        });
        let setting = command.as_deref().and_then(|it| it.split('=').next());
        let rule = Rule::ExecFailed {
            status: exit_status(status),
            message: message.unwrap_or(step),
        };
        let decides = match status {
            203 => setting.unwrap_or("ExecStart"),
            216 => "Group",
            217 => "User",
            200 => "WorkingDirectory",
            NAMESPACE => "ReadWritePaths",
            243 => "LoadCredential",
            _ => setting.unwrap_or("ExecStart"),
        };
        let path = match &rule {
            Rule::ExecFailed { message, .. } if status == NAMESPACE => {
                self.setting_of_path(message)
            }
            _ => None,
        };
        let place = path.or_else(|| self.sources.any(self.unit, &[decides, "ExecStart"]));
        Some(Finding {
            place,
            ..Finding::new(self.unit, rule, [at])
        })
    }

    /// The line that names the path that systemd could not mount.
    fn setting_of_path(&self, message: &str) -> Option<Place> {
        let path = message
            .split([' ', ':', '\'', '"'])
            .find(|word| word.starts_with('/'))?;
        let path = path.trim_end_matches('/');
        let names_it = |value: &str| {
            let mut words = value.split([' ', ':', '"']);
            words.any(|word| word.trim_start_matches(['-', '+']).trim_end_matches('/') == path)
        };
        let mut settings = MOUNTING.iter();
        settings.find_map(|setting| self.sources.setting_with(self.unit, setting, names_it))
    }

    /// systemd.service(5), "OOMPolicy=".
    pub(super) fn out_of_memory(&self) -> Option<Finding> {
        let killed = self.times(
            |kind| matches!(kind, EventKind::Manager { message, .. } if message.contains("killed by the OOM killer")),
        );
        if killed.is_empty() {
            return None;
        }
        let first = killed[0];
        let after =
            |wanted: fn(&EventKind) -> bool| self.times(wanted).iter().any(|at| *at >= first);
        let outcome = match (
            after(|kind| matches!(kind, EventKind::Failed { .. })),
            after(|kind| matches!(kind, EventKind::RestartScheduled { .. })),
        ) {
            (_, true) => OomOutcome::Restarted,
            (true, false) => OomOutcome::NotRestarted,
            (false, false) => OomOutcome::WentOn,
        };
        let rule = Rule::OutOfMemory {
            policy: self.text("OOMPolicy").to_owned(),
            restart: self.text("Restart").to_owned(),
            outcome,
        };
        self.finding(rule, &["OOMPolicy", "MemoryMax"], killed)
    }

    /// systemd.service(5), "PIDFile=".
    pub(super) fn no_pid_file(&self) -> Option<Finding> {
        if self.text("Type") != "forking"
            || self.start_timed_out().is_empty()
                && self
                    .times(|kind| matches!(kind, EventKind::Failed { .. }))
                    .is_empty()
        {
            return None;
        }
        let (at, _) = self.said(|message| message.starts_with("Can't open PID file"))?;
        let file = self.text("PIDFile").to_owned();
        self.finding(Rule::NoPidFile { file }, &["PIDFile"], vec![at])
    }

    /// systemd.service(5), "BusName=".
    pub(super) fn no_bus_name(&self) -> Option<Finding> {
        let timed_out = self.start_timed_out();
        if self.text("Type") != "dbus" || timed_out.is_empty() {
            return None;
        }
        let name = self.text("BusName").to_owned();
        self.finding(Rule::NoBusName { name }, &["BusName", "Type"], timed_out)
    }
}

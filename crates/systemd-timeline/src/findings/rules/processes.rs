//! Rules about processes that systemd cannot set up, that the kernel kills, or whose start systemd cannot follow.

use std::time::Duration;

use systemd_lab_protocol::EventKind;

use super::{Finding, Look, Rule};
use crate::findings::{OomOutcome, Place};
use crate::names::exit_status;

/// Statuses of processes that systemd could not set up: systemd.exec(5), "Process Exit Codes".
pub(super) const SETUP_FAILED: std::ops::RangeInclusive<i32> = 200..=245;

/// EXIT_NAMESPACE of the same section, and the settings that name what systemd has to mount: systemd.exec(5).
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

/// EXIT_EXEC.
const EXEC: i32 = 203;

/// The settings behind each status: systemd.exec(5), "Process Exit Codes".
const SETUP: [(i32, &[&str]); 29] = [
    (200, &["WorkingDirectory"]),
    (201, &["Nice"]),
    (EXEC, &["NoExecPaths"]),
    (
        205,
        &[
            "LimitNOFILE",
            "LimitNPROC",
            "LimitMEMLOCK",
            "LimitCORE",
            "LimitRTPRIO",
        ],
    ),
    (206, &["OOMScoreAdjust"]),
    (208, &["StandardInput", "TTYPath"]),
    (209, &["StandardOutput", "TTYPath"]),
    (210, &["RootDirectory"]),
    (211, &["IOSchedulingClass"]),
    (212, &["TimerSlackNSec"]),
    (213, &["SecureBits"]),
    (214, &["CPUSchedulingPolicy", "CPUSchedulingPriority"]),
    (215, &["CPUAffinity"]),
    (216, &["Group", "SupplementaryGroups"]),
    (217, &["User"]),
    (218, &["CapabilityBoundingSet", "AmbientCapabilities"]),
    (222, &["StandardError", "StandardOutput"]),
    (224, &["PAMName"]),
    (225, &["NetworkNamespacePath", "PrivateNetwork"]),
    (NAMESPACE, &["ReadWritePaths"]),
    (228, &["SystemCallFilter"]),
    (231, &["AppArmorProfile"]),
    (233, &["RuntimeDirectory"]),
    (237, &["KeyringMode"]),
    (238, &["StateDirectory"]),
    (239, &["CacheDirectory"]),
    (240, &["LogsDirectory"]),
    (242, &["NUMAPolicy", "NUMAMask"]),
    (
        243,
        &["LoadCredential", "SetCredential", "ImportCredential"],
    ),
];

fn message_is_denied(rule: &Rule) -> bool {
    matches!(rule, Rule::ExecFailed { message, .. } if message.contains("Permission denied"))
}

/// The beginning of systemd's line that names the step; its other line, which gives the reason, is more useful.
pub(super) const STEP: &str = "Failed at step ";

/// The exit status of a shell or env when a command does not exist, and their words for it.
const NO_COMMAND: i32 = 127;
const NOT_FOUND: [&str; 2] = ["not found", "No such file or directory"];

/// systemd's messages when it cannot use a PID file, or not yet: service_load_pid_file in its service.c.
const UNUSABLE_PID_FILE: [&str; 5] = [
    "Can't open PID file",
    "reference to PID ",
    "Failed to parse PID",
    "is the manager, refusing",
    "does not belong to service, and PID file is not owned by root",
];

/// A program that goes into the background does so within this time after its start.
const AT_ONCE: Duration = Duration::from_secs(5);

/// systemd's message when a command has run out of time, the setting that starts the command, and the setting that bounds
/// it: `service_dispatch_timer` of its service.c, in versions 252 to 257.
const TIMED_OUT: [(&str, &str, &str); 4] = [
    (
        "start-pre operation timed out",
        "ExecStartPre",
        "TimeoutStartSec",
    ),
    (
        "start-post operation timed out",
        "ExecStartPost",
        "TimeoutStartSec",
    ),
    ("Stopping timed out", "ExecStop", "TimeoutStopSec"),
    (
        "State 'stop-post' timed out",
        "ExecStopPost",
        "TimeoutStopSec",
    ),
];

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
        // systemd's reason comes from the process that failed, which logs as systemd; otherwise the service itself exited with this
        // status.
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
        let mut decides: Vec<&str> = SETUP
            .iter()
            .filter(|(of, _)| *of == status)
            .flat_map(|(_, settings)| settings.iter().copied())
            .collect();
        // A program that exists but may not be executed.
        if status == EXEC && !message_is_denied(&rule) {
            decides.clear();
        }
        let command_line = match &command {
            Some(command) => self.line_of_control(command),
            None => self.line_of_main(at),
        };
        let path = match &rule {
            Rule::ExecFailed { message, .. } if status == NAMESPACE => {
                self.setting_of_path(message)
            }
            _ => None,
        };
        let place = path.or_else(|| self.sources.any(self.unit, &decides));
        let commands: Vec<&str> = setting.into_iter().chain(["ExecStart"]).collect();
        let place = place
            .or(command_line)
            .or_else(|| self.sources.any(self.unit, &commands));
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
        // A slice has neither OOMPolicy= nor Restart=: its services have them.
        if self.unit.ends_with(".slice") {
            return None;
        }
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
        let own = self.sources.any(self.unit, &["OOMPolicy", "MemoryMax"]);
        let limit = self.sources.setting(self.unit, "MemoryMax");
        let of_slice = self.slice_limit().filter(|_| limit.is_none());
        let (slice, place) = match of_slice {
            Some((slice, place)) => (Some(slice), Some(place)),
            None => (None, own),
        };
        let rule = Rule::OutOfMemory {
            policy: self.text("OOMPolicy").to_owned(),
            restart: self.text("Restart").to_owned(),
            outcome,
            slice,
        };
        Some(Finding {
            place,
            ..Finding::new(self.unit, rule, killed)
        })
    }

    /// The limited slice that the unit is in, and the line that limits its memory: systemd.slice(5). `a-b.slice` is in
    /// `a.slice`.
    fn slice_limit(&self) -> Option<(String, Place)> {
        let mut stem = self.text("Slice").strip_suffix(".slice")?;
        loop {
            let slice = format!("{stem}.slice");
            if let Some(place) = self.sources.setting(&slice, "MemoryMax") {
                return Some((slice, place));
            }
            stem = stem.rsplit_once('-')?.0;
        }
    }

    /// systemd.service(5), "PIDFile=". systemd logs that the file is not there yet, and waits: many daemons write it a little later.
    pub(super) fn no_pid_file(&self) -> Option<Finding> {
        if self.text("Type") != "forking" {
            return None;
        }
        let mut missing = None;
        let at = self.events().find_map(|event| {
            match &event.kind {
                EventKind::Manager { message, .. }
                    if UNUSABLE_PID_FILE.iter().any(|it| message.contains(it)) =>
                {
                    missing = Some(self.timeline.time_of(event));
                }
                EventKind::StateChanged { to, .. } if to == "running" => missing = None,
                EventKind::Timeout { .. } | EventKind::Failed { .. } => return missing,
                _ => {}
            }
            None
        })?;
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

    /// systemd.service(5), "Type=": with `simple` and `exec`, the main process is the service.
    pub(super) fn goes_into_background(&self) -> Option<Finding> {
        let kind = self.text("Type");
        if !["simple", "exec"].contains(&kind) {
            return None;
        }
        let (mut began, mut ended) = (Duration::ZERO, None);
        let gone = self.events().find_map(|event| {
            let at = self.timeline.time_of(event);
            match &event.kind {
                EventKind::StateChanged { to, .. } if to == "running" => began = at,
                EventKind::ProcessExited {
                    role, code, status, ..
                } if role == "main" => {
                    ended = (code == "exited" && *status == 0).then_some(at);
                }
                // The stop was not requested, and something is left to stop.
                EventKind::StateChanged { from, to }
                    if from == "running" && to == "stop-sigterm" =>
                {
                    return ended.filter(|ended| *ended < began + AT_ONCE);
                }
                EventKind::StateChanged { .. } => ended = None,
                _ => {}
            }
            None
        })?;
        let rule = Rule::GoesIntoBackground {
            kind: kind.to_owned(),
        };
        self.finding(rule, &["Type", "ExecStart"], vec![gone])
    }

    /// systemd.service(5), "TimeoutStartSec=", "TimeoutStopSec=": they also bound each command.
    pub(super) fn command_timed_out(&self) -> Option<Finding> {
        if self.sources.frozen(self.unit).is_some() || self.extension_ran_out().is_some() {
            return None;
        }
        let (at, (_, setting, timeout)) = self.events().find_map(|event| match &event.kind {
            EventKind::Timeout { message } => {
                let mut commands = TIMED_OUT.into_iter();
                let command = commands.find(|(words, ..)| message.starts_with(words))?;
                Some((self.timeline.time_of(event), command))
            }
            _ => None,
        })?;
        let rule = Rule::CommandTimedOut {
            command: setting.to_owned(),
            timeout: timeout.to_owned(),
            timeout_us: self.number(&timeout.replace("Sec", "USec")),
        };
        self.finding(rule, &[setting, timeout], vec![at])
    }

    /// POSIX, "Exit Status for Commands": a shell and env exit with 127 when a command does not exist, and name the command.
    pub(super) fn command_not_found(&self) -> Option<Finding> {
        let mut said = None;
        let (at, command) = self.events().find_map(|event| {
            match &event.kind {
                EventKind::Log { message, .. }
                    if NOT_FOUND.iter().any(|it| message.contains(it)) =>
                {
                    said = Some(message.clone());
                }
                EventKind::ProcessExited {
                    code,
                    status: NO_COMMAND,
                    command,
                    is_ignored: false,
                    ..
                } if code == "exited" => {
                    return Some((self.timeline.time_of(event), command.as_deref()));
                }
                _ => {}
            }
            None
        })?;
        let rule = Rule::CommandNotFound { message: said? };
        let line = match command {
            Some(command) => self.line_of_control(command),
            None => self.line_of_main(at),
        };
        let setting = command.and_then(|it| it.split('=').next());
        let settings = [setting.unwrap_or("ExecStart"), "ExecStart"];
        Some(Finding {
            place: line.or_else(|| self.sources.any(self.unit, &settings)),
            ..Finding::new(self.unit, rule, [at])
        })
    }
}

//! What happened in the guest.
//!
//! There is one event type. Snapshots, diagnosis, command line, JSON and pictures are views of it.
//! You can find the source of every event by hand: [`Event::source`] says where to look.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::preparation::Preparation;

/// One thing that happened, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `CLOCK_MONOTONIC` in the guest, in microseconds. Time 0 is the guest's boot, long before the
    /// scenario: subtract the stamp of [`EventKind::ScenarioBegan`].
    pub at_us: u64,
    /// The unit that the event is about, with its suffix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Where the agent read the event, and so where to find it by hand.
    pub source: Source,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// Where the agent read an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The journal: `journalctl -o json`. systemd itself logs at debug level in the lab (`systemctl
    /// log-level debug`), so that every state change and notification is there. The map holds the
    /// entry's own fields, without those that only say where the entry was logged.
    Journal(BTreeMap<String, String>),
    /// Properties on D-Bus: `systemctl show`.
    Properties,
    /// The kernel's trace of TCP sockets (`sock:inet_sock_set_state`); by hand, `ss -ltn`.
    SocketTrace,
    /// The agent: what the scenario itself did or received.
    Agent,
    /// The guest's console: the kernel's last words.
    Console,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// The agent's greeting; always the first event.
    Hello {
        /// [`crate::PROTOCOL_VERSION`] of the agent.
        protocol: u32,
        /// `uname -r`.
        kernel: String,
        /// systemd's version as its manager reports it, e.g. `257.13-1~deb13u1`.
        systemd: String,
        /// QEMU's version, e.g. `7.2.22`. The guest does not know it: the host adds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        qemu: Option<String>,
    },
    /// The job's files are in place, and the first step is next. This is time 0 of the timeline.
    ScenarioBegan {
        /// The scenario's name.
        name: String,
    },
    /// One of [`crate::Scenario::preparations`] was not possible. The agent carries out no step.
    NotPrepared {
        /// The preparation that was not possible.
        preparation: Preparation,
        /// The reason.
        message: String,
    },
    /// A step begins.
    StepBegan {
        /// Its index in [`crate::Scenario::steps`].
        index: usize,
        /// Its label, if it has one. The guest does not know it: the host adds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
    },
    /// A step has ended.
    StepEnded {
        /// Its index in [`crate::Scenario::steps`].
        index: usize,
        /// Its label, if it has one. The guest does not know it: the host adds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// The step's outcome.
        outcome: StepOutcome,
    },
    /// All steps have ended, a step ended the scenario early, or the machine ended. Always the last event.
    ScenarioEnded,
    /// The machine itself ended, and the scenario with it, e.g. because of a unit's `FailureAction=`, `systemctl reboot` or a
    /// kernel panic. The agent then cannot record effective properties. The host adds this event when it reads the kernel's
    /// last words.
    MachineEnded {
        /// How the machine ended.
        how: MachineEnd,
        /// The kernel's own words, e.g. `Restarting system`.
        message: String,
    },

    /// systemd changed the unit's state, e.g. from `start` to `running`
    /// (the `SubState` names of `systemctl list-units --state=help`).
    StateChanged {
        /// The sub-state before.
        from: String,
        /// The sub-state after.
        to: String,
    },
    /// A job was queued, e.g. `start`.
    JobQueued {
        /// `start`, `stop`, `restart`, `reload`, …
        job: String,
    },
    /// A job has ended. `result` is `done`, `failed`, `timeout`, `canceled`, `dependency`, …:
    /// `JobRemoved` in org.freedesktop.systemd1(5).
    JobEnded {
        /// `start`, `stop`, `restart`, `reload`, …
        job: String,
        /// How it ended.
        result: String,
    },
    /// systemd received a notification: sd_notify(3).
    Notified {
        /// Who sent it.
        pid: u32,
        /// The assignments, in order, e.g. `READY=1`.
        assignments: Vec<String>,
    },
    /// systemd dropped a notification because of `NotifyAccess=`: systemd.service(5).
    NotificationRefused {
        /// systemd's own words.
        message: String,
    },
    /// A process of the unit has ended.
    ProcessExited {
        /// `main` for the main process, else what it was run for, e.g. `start-pre`, `control`.
        role: String,
        /// `exited`, `killed` or `dumped`.
        code: String,
        /// Exit code or signal number.
        status: i32,
        /// For a control process: the setting that it belongs to and its command line, e.g. `ExecStartPre=/usr/bin/mkdir /x`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<String>,
        /// Whether the process failed and systemd carries on anyway, because the command begins with `-`: systemd.service(5),
        /// "Command lines".
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_ignored: bool,
    },
    /// systemd sends a signal to a process of the unit.
    Killing {
        /// e.g. `SIGKILL`.
        signal: String,
        /// The process's name.
        process: String,
    },
    /// No `WATCHDOG=1` came within `WatchdogSec=`, or `WATCHDOG=trigger` was sent.
    WatchdogTimeout {
        /// systemd's own words, e.g. `Watchdog timeout (limit 10s)!`.
        message: String,
    },
    /// Some other deadline passed: `TimeoutStartSec=`, `TimeoutStopSec=`, `RuntimeMaxSec=`, ….
    Timeout {
        /// systemd's own words, e.g. `start operation timed out. Terminating.`
        message: String,
    },
    /// The unit entered `failed`, or is about to be restarted, with this result (`Result` in `systemctl show`).
    Failed {
        /// e.g. `exit-code`, `watchdog`, `timeout`.
        result: String,
    },
    /// The unit ended successfully: `Deactivated successfully.`
    Deactivated,
    /// An automatic restart is due now.
    RestartScheduled {
        /// Which restart this is, counted from 1 (`NRestarts`).
        counter: u32,
    },
    /// `Start request repeated too quickly.`: `StartLimitBurst=` within `StartLimitIntervalSec=`.
    StartLimitHit,
    /// systemd complains about the unit file, e.g. about an unknown setting, or says why it refuses the file.
    UnitFile {
        /// syslog priority: 3 error, 4 warning, ….
        priority: u8,
        /// The file.
        file: String,
        /// The line in the file, counted from 1; 0 if systemd names none.
        line: u32,
        /// systemd's own words, without file and line.
        message: String,
    },
    /// Anything else that systemd logged about the unit.
    Manager {
        /// syslog priority: 3 error, 4 warning, 5 notice, 6 info, 7 debug.
        priority: u8,
        /// systemd's own words, without the unit's name.
        message: String,
    },
    /// A line that the service logged: standard output, standard error, syslog or the journal's own protocol.
    Log {
        /// syslog priority.
        priority: u8,
        /// The line.
        message: String,
    },

    /// journald dropped lines that processes of the unit logged, because there were more than `LogRateLimitBurst=` allows. It reports
    /// this before the next line that it accepts, and so never if no further line comes: systemd.exec(5), "LogRateLimitIntervalSec=".
    LogDropped {
        /// How many lines it dropped.
        lines: u64,
        /// The syslog priority of that next line. journald counts lines of priorities 0 to 2, 3, 4, 5 to 6, and 7 separately. Lines of
        /// priority 7 may be systemd's own: in the lab it logs at debug level, also before it becomes the service.
        priority: u8,
    },

    /// A TCP socket began to listen.
    ListenerOpened {
        /// e.g. `127.0.0.1:7878`.
        address: String,
    },
    /// A TCP socket no longer listens.
    ListenerClosed {
        /// e.g. `127.0.0.1:7878`.
        address: String,
    },

    /// The outcome of a [`crate::Step::Request`].
    Response {
        /// The request's name.
        name: String,
        /// What came back.
        outcome: ResponseOutcome,
    },
    /// The first outcome of a [`crate::Step::Probe`], or one that differs from the outcome of the attempt before. Attempts
    /// with the same outcome are only counted: an hour has thousands. The stamp says when a successful attempt was
    /// answered, or when a failed one began.
    ProbeChanged {
        /// The probe's name.
        name: String,
        /// The outcome of this attempt, and of all attempts until the next such event.
        outcome: ProbeOutcome,
        /// How many attempts came before this one.
        attempts_before: u64,
    },
    /// The scenario has ended, and a [`crate::Step::Probe`] with it.
    ProbeEnded {
        /// The probe's name.
        name: String,
        /// How many attempts there were. An attempt still in progress is not counted.
        attempts: u64,
        /// How many of them failed.
        failed: u64,
    },
    /// The outcome of a [`crate::Step::Run`] or [`crate::Step::RunInBackground`].
    Command {
        /// Program and arguments.
        argv: Vec<String>,
        /// Exit code; 128 and the signal's number when a signal ended it.
        status: i32,
        /// Standard output and standard error, in this order, at most 64 KiB.
        output: String,
    },
    /// The scenario ended before a [`crate::Step::RunInBackground`] did.
    CommandCutOff {
        /// Program and arguments.
        argv: Vec<String>,
    },
    /// A unit's effective properties when the scenario ended: `systemctl show UNIT`.
    /// Times are in microseconds, as on D-Bus.
    Properties {
        /// All readable properties of the unit and its type, as on D-Bus.
        values: BTreeMap<String, serde_json::Value>,
    },
    /// The guest's processor was busy for a long time without a pause, and this unit used most of it; `init.scope` is systemd
    /// itself. Virtual time is then as slow as emulation: a scenario that would take minutes longer ends here.
    ProcessorBusy {
        /// How much processor time the unit used, in microseconds.
        used_us: u64,
        /// How much processor time systemd and journald used, in microseconds.
        system_us: u64,
        /// The length of the busy time, in microseconds.
        over_us: u64,
    },
    /// From this stamp on, the lab did not see what systemd did about this unit, or about any unit if the event names none. This
    /// lasts until the end or until [`EventKind::SightRestored`]. A process in the guest caused it.
    WentBlind {
        /// What caused it.
        how: Blinding,
    },
    /// The lab sees again what systemd does.
    SightRestored,
    /// More was logged than a timeline keeps; later log lines of the unit are left out.
    LogTruncated {
        /// How many lines were left out.
        lines: u64,
    },
    /// The agent itself met an error that is not the service's fault: the lab is broken.
    AgentError {
        /// What went wrong.
        message: String,
    },
}

impl EventKind {
    /// Whether a step with this label begins.
    pub fn begins(&self, label: &str) -> bool {
        matches!(self, EventKind::StepBegan { label: Some(found), .. } if found == label)
    }
}

/// How a machine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineEnd {
    /// It restarted: reboot(2), `RB_AUTOBOOT`.
    Rebooted,
    /// It powered itself off.
    PoweredOff,
    /// Its processor halted.
    Halted,
    /// systemd ended all processes and began again with the same kernel: `systemctl soft-reboot`.
    SoftRebooted,
    /// The kernel panicked.
    Panicked,
    /// It carried on, but a process ended the lab's agent, which sees all of this.
    AgentEnded,
}

/// How the lab was kept from seeing what systemd does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Blinding {
    /// systemd was told to log less: `systemctl log-level`, or a signal (systemd(1), "Signals").
    LogLevel {
        /// e.g. `info`.
        level: String,
    },
    /// systemd was told to log elsewhere: `systemctl log-target`, or a signal.
    LogTarget {
        /// e.g. `null`.
        target: String,
    },
    /// `LogLevelMax=` came into force for the unit while the scenario ran.
    LogLevelMax,
    /// What systemd logs does not reach the journal, or no longer does: journald was stopped or killed, or systemd does not log.
    NoJournal {
        /// What the agent tried, and the result.
        message: String,
    },
    /// systemd executed itself again: `systemctl daemon-reexec`. Meanwhile it logs elsewhere.
    Reexecuted,
    /// systemd itself crashed, and does nothing more.
    ManagerCrashed {
        /// systemd's own words, and which unit's process it was if that is known.
        message: String,
    },
    /// Something that the agent did not send came out of the guest through the agent's port. The run ends there.
    ForeignOutput,
    /// More output came out of the guest than the lab reads. The run ends there.
    TooMuchOutput {
        /// How much the lab reads, in MiB.
        mib: u64,
    },
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum StepOutcome {
    /// It succeeded.
    Done,
    /// Its deadline passed. The scenario ends here.
    DeadlinePassed,
    /// systemd refused it, e.g. a unit with a bad setting. The scenario ends here, unless
    /// [`crate::Scenario::goes_on_when_refused`] is set.
    Refused {
        /// D-Bus error name, e.g. `org.freedesktop.systemd1.BadUnitSetting`, or a Unix error.
        error: String,
        /// systemd's own words.
        message: String,
    },
}

/// The outcome of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum ResponseOutcome {
    /// A whole response.
    Answered {
        /// HTTP status code.
        status: u16,
        /// The body, at most 64 KiB.
        body: String,
    },
    /// Nothing listened (ECONNREFUSED).
    Refused,
    /// The deadline passed.
    TimedOut,
    /// The connection ended before the whole response had arrived.
    Broken {
        /// The error, e.g. `connection reset by peer`.
        error: String,
    },
}

/// The outcome of one attempt of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum ProbeOutcome {
    /// A whole response.
    Answered {
        /// HTTP status code.
        status: u16,
    },
    /// The connection was made; the probe asked for nothing more.
    Connected,
    /// The line began as expected.
    Expected,
    /// A different line came.
    Unexpected {
        /// The line, or as much of it as arrived.
        line: String,
    },
    /// The command ended.
    Exited {
        /// Exit code; 128 and the signal's number when a signal ended it.
        status: i32,
    },
    /// Nothing listened (ECONNREFUSED).
    Refused,
    /// The deadline passed.
    TimedOut,
    /// The connection ended before the whole response had arrived.
    Broken {
        /// The error, e.g. `connection reset by peer`.
        error: String,
    },
}

impl ProbeOutcome {
    /// Whether the service did what was asked: it answered with a status below 400, answered with the expected line, or
    /// accepted the connection; or the command succeeded.
    pub fn is_success(&self) -> bool {
        match self {
            ProbeOutcome::Answered { status } => *status < 400,
            ProbeOutcome::Connected | ProbeOutcome::Expected => true,
            ProbeOutcome::Exited { status } => *status == 0,
            ProbeOutcome::Unexpected { .. } => false,
            ProbeOutcome::Refused | ProbeOutcome::TimedOut | ProbeOutcome::Broken { .. } => false,
        }
    }
}

impl Event {
    /// Whether the event is about this unit.
    pub fn is_about(&self, unit: &str) -> bool {
        self.unit.as_deref() == Some(unit)
    }
}

//! What can be found, with the facts that each finding's text needs.

use serde::Serialize;
use systemd_lab_protocol::event::{Blinding, MachineEnd};

use super::Severity;

/// What was found. The names of the settings in it are systemd's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// `Type=notify`, and the start timed out without `READY=1`.
    NeverReady,
    /// `READY=1` was sent before something listened.
    ReadyBeforeListening {
        /// What listened later.
        address: String,
        /// How much later, in microseconds.
        later_us: u64,
    },
    /// systemd dropped a notification because of `NotifyAccess=`.
    NotificationDropped {
        /// What never came: `READY=1` or `WATCHDOG=1`.
        assignment: String,
        /// The setting's effective value.
        access: String,
    },
    /// `Type=notify-reload`, and `RELOADING=1` came without `MONOTONIC_USEC=`.
    ReloadWithoutStamp,
    /// A reload ran into its deadline.
    ReloadNeverEnds,
    /// The start limit was hit, and nothing sets it: the default.
    DefaultStartLimit {
        /// `StartLimitBurst=`
        burst: u64,
        /// `StartLimitIntervalSec=`, in microseconds.
        interval_us: u64,
    },
    /// `RestartSteps=`: the delay does not go back, however long the service has run.
    StepsNeverReset {
        /// How long it ran before a restart that was delayed more than the first one, in microseconds.
        ran_us: u64,
        /// That delay, in microseconds.
        delay_us: u64,
    },
    /// A stop took until its deadline and ended in SIGKILL.
    StopSignalIgnored {
        /// The deadline, in microseconds.
        timeout_us: u64,
        /// The signal that was ignored.
        signal: String,
        /// The process that was killed in the end, by name.
        process: String,
        /// The signal that ended it.
        ended_by: String,
    },
    /// A stop that was asked for left the unit failed.
    StopCountsAsFailure {
        /// How the main process ended, as `SuccessExitStatus=` takes it.
        status: String,
    },
    /// `Restart=` could not act, because another unit's end had queued a stop job.
    StoppedByDependency {
        /// The setting.
        setting: String,
        /// The other unit.
        other: String,
    },
    /// A start job failed because that of another unit did.
    DependencyFailed {
        /// That unit, if it is known.
        other: Option<String>,
        /// What became of it.
        end: DependencyEnd,
    },
    /// A condition or an assert was not met: nothing was started.
    ConditionUnmet {
        /// systemd's own words.
        message: String,
    },
    /// systemd deleted the unit's job, because units wait for each other.
    OrderingCycle,
    /// A path or a socket unit started the service again and again, up to the start limit.
    TriggeredTooOften {
        /// That unit.
        by: String,
    },
    /// Nothing makes a timer fire for the first time.
    TimerNeverFires {
        /// The service.
        service: String,
    },
    /// The main process ended well at once, and left others that systemd then stopped.
    GoesIntoBackground {
        /// `Type=`
        kind: String,
    },
    /// A command such as `ExecStop=` did not end in time.
    CommandTimedOut {
        /// The setting.
        command: String,
        /// `TimeoutStartSec` or `TimeoutStopSec`.
        timeout: String,
        /// Its value, in microseconds.
        timeout_us: u64,
    },
    /// A shell or env did not find a command.
    CommandNotFound {
        /// Its own words.
        message: String,
    },
    /// `Type=notify`, no `READY=1`, and no time limit for the start.
    StartNeverEnds,
    /// The kernel ended a process for a system call that the unit forbids.
    SystemCallForbidden,
    /// `Type=forking`, and the first process never ended.
    NeverForked,
    /// A socket unit could not listen.
    CannotListen {
        /// systemd's own words.
        message: String,
    },
    /// systemd could not read what it needs to start a process.
    ResourcesFailed {
        /// systemd's own words.
        message: String,
    },
    /// systemd could not set up a process.
    ExecFailed {
        /// The exit status with systemd's name for it.
        status: String,
        /// systemd's own words.
        message: String,
    },
    /// The kernel's OOM killer ended a process.
    OutOfMemory {
        /// `OOMPolicy=`
        policy: String,
        /// `Restart=`
        restart: String,
        /// What systemd made of it.
        outcome: OomOutcome,
        /// The slice whose `MemoryMax=` was used up, if it was not the unit's own.
        slice: Option<String>,
    },
    /// `Type=forking`, and its PID file was not there.
    NoPidFile {
        /// `PIDFile=`
        file: String,
    },
    /// `Type=dbus`, and its name was not taken on the bus in time.
    NoBusName {
        /// `BusName=`
        name: String,
    },
    /// A timer fires, and its service is still active.
    TimerFindsActiveService {
        /// The service.
        service: String,
    },
    /// All processes hung, and nothing ended that.
    HangUnnoticed,
    /// The machine ended, and the run with it.
    MachineEnded {
        /// How.
        how: MachineEnd,
        /// The kernel's last words.
        message: String,
        /// The setting of a unit that did it, e.g. `FailureAction=reboot`.
        setting: Option<String>,
        /// Whether a process asked systemd for it.
        is_asked_for: bool,
    },
    /// A process kept the lab from seeing what systemd did, so that the timeline is not whole.
    WentBlind {
        /// How.
        how: Blinding,
        /// When the lab saw again, in microseconds since the beginning of the run, if it did.
        until_us: Option<u64>,
    },
    /// The processor did not rest.
    ProcessorBusy {
        /// How much of it the unit took, or systemd and journald did, in percent.
        percent: u64,
        /// Whether it was systemd and journald, which the unit kept busy.
        is_system: bool,
        /// For how long, in microseconds.
        over_us: u64,
        /// When the run ended, in microseconds, if that was early because the rest would have taken too long.
        cut_us: Option<u64>,
    },
    /// A crash loop, and a start limit that its restarts are too slow for.
    LimitNeverReached {
        /// `StartLimitBurst=`
        burst: u64,
        /// `StartLimitIntervalSec=`, in microseconds.
        interval_us: u64,
        /// How long so many restarts take at least, in microseconds.
        takes_us: u64,
    },
    /// systemd ignores a setting, because it belongs in another section.
    SettingInWrongSection {
        /// The setting.
        setting: String,
        /// Where it is.
        section: String,
        /// Where it belongs.
        belongs: String,
    },
    /// `WatchdogSec=` is set, and nothing sends `WATCHDOG=1`.
    WatchdogNeverFed {
        /// `WatchdogSec=`, in microseconds.
        limit_us: u64,
    },
    /// The watchdog ended a service that answered.
    WatchdogEndsAnswering {
        /// The probe that was answered.
        probe: String,
        /// `WatchdogSec=`, in microseconds.
        limit_us: u64,
        /// How long before the last `WATCHDOG=1` had come, in microseconds.
        since_us: u64,
    },
    /// `WATCHDOG=1` goes on while the service does not work.
    WatchdogFedRegardless {
        /// The probe that was not answered; none if the main process was stopped.
        probe: Option<String>,
        /// For how long, in microseconds.
        for_us: u64,
    },
    /// Notifications come without a pause.
    NotificationFlood {
        /// What most of them say, e.g. `STATUS=`.
        assignment: String,
        /// How many came each second.
        per_second: u64,
    },
    /// More log lines than journald takes.
    LogFlood {
        /// How many lines came.
        lines: u64,
        /// In how much time, in microseconds.
        over_us: u64,
        /// How many journald takes.
        most: u64,
        /// In how much time, in microseconds.
        interval_us: u64,
    },
    /// A command of `ExecStart=` failed, and its `-` made a success of that.
    FailureIgnored {
        /// How it ended.
        status: String,
        /// `Restart=`, which did nothing.
        restart: String,
    },
    /// One of several commands of a `Type=oneshot` service failed, and those after it were not run.
    OneOfCommandsFailed {
        /// Which, counted from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// How it ended.
        status: String,
    },
    /// `RestartPreventExitStatus=` kept systemd from restarting the unit.
    RestartPrevented {
        /// How the main process ended.
        status: String,
        /// `Restart=`
        restart: String,
    },
    /// A process asked systemd to stop the unit, so that `Restart=` does not act.
    StoppedOnRequest {
        /// `Restart=`
        restart: String,
    },
    /// What the service asked for with `EXTEND_TIMEOUT_USEC=` was over before it was done.
    ExtensionRanOut {
        /// How much it last asked for, in microseconds.
        asked_us: u64,
        /// How long before the timeout, in microseconds.
        since_us: u64,
        /// What took too long: `start`, `stop` or `reload`; `run` with `RuntimeMaxSec=`.
        phase: String,
    },
    /// `ExecStop=` ended the main process in a way that counts as a failure.
    StopCommandEnds {
        /// How the main process ended.
        status: String,
    },
    /// The commands of a `Type=oneshot` service took longer than `TimeoutStartSec=`.
    OneshotTimedOut {
        /// `TimeoutStartSec=`, in microseconds.
        timeout_us: u64,
    },
    /// The watchdog ended a service that had set a limit of its own with `WATCHDOG_USEC=`.
    WatchdogShortened {
        /// That limit, in microseconds.
        limit_us: u64,
        /// `WatchdogSec=` as the unit file has it, if it has it.
        written: Option<String>,
    },
    /// systemd ignores a line of a unit file.
    LineIgnored {
        /// systemd's own words.
        message: String,
    },
    /// systemd refuses the unit: what its file says cannot be.
    UnitRefused {
        /// systemd's own words.
        message: String,
    },
    /// A command beside the main process failed, and left the unit failed.
    CommandFailed {
        /// The setting.
        setting: String,
        /// How it ended.
        status: String,
    },
    /// A command line has what only a shell knows, and no shell runs it.
    NoShell {
        /// The setting.
        setting: String,
        /// What a shell would act on, e.g. `&&`.
        word: String,
    },
    /// The main process ended while a reload ran.
    ReloadEnds {
        /// How it ended.
        status: String,
        /// The signal that systemd itself sent for the reload, with `Type=notify-reload`.
        signal: Option<String>,
    },
    /// The unit has as many processes and threads as it may have.
    TooManyTasks {
        /// `TasksMax=`
        limit: u64,
    },
    /// A socket or a path unit started its service too often, and was stopped.
    TriggerLimitHit {
        /// `TriggerLimitBurst=`
        burst: u64,
        /// `TriggerLimitIntervalSec=`, in microseconds.
        interval_us: u64,
    },
}

/// What became of a unit that another one needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DependencyEnd {
    /// Its start failed.
    Failed,
    /// It was not active, and `Requisite=` does not start it.
    NotActive,
    /// systemd skipped its start: a condition was not met.
    Skipped,
    /// An assert of it was not met.
    AssertFailed,
    /// Its own start failed because of what it needs.
    NotStarted,
}

/// What systemd made of an OOM kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OomOutcome {
    /// It restarted the unit.
    Restarted,
    /// The unit failed, and stayed so.
    NotRestarted,
    /// The unit went on without the process.
    WentOn,
}

impl Rule {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Rule::ReadyBeforeListening { .. }
            | Rule::ReloadWithoutStamp
            | Rule::StepsNeverReset { .. }
            | Rule::StopSignalIgnored { .. }
            | Rule::StopCountsAsFailure { .. }
            | Rule::HangUnnoticed
            | Rule::LimitNeverReached { .. }
            | Rule::WatchdogEndsAnswering { .. }
            | Rule::WatchdogFedRegardless { .. }
            | Rule::NotificationFlood { .. }
            | Rule::LogFlood { .. }
            | Rule::FailureIgnored { .. }
            | Rule::RestartPrevented { .. }
            | Rule::StoppedOnRequest { .. }
            | Rule::StopCommandEnds { .. }
            | Rule::LineIgnored { .. }
            | Rule::NoShell { .. }
            | Rule::WentBlind {
                how: Blinding::Reexecuted,
                ..
            } => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

//! The kinds of findings, with the facts that their text needs.

use serde::Serialize;
use systemd_lab_protocol::event::{Blinding, MachineEnd};

use super::Severity;

/// What was found. Settings in it have systemd's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// `Type=notify`, and the start timed out without `READY=1`.
    NeverReady,
    /// `READY=1` was sent before something listened.
    ReadyBeforeListening {
        /// The address that something listened on later.
        address: String,
        /// How much later, in microseconds.
        later_us: u64,
    },
    /// systemd dropped a notification because of `NotifyAccess=`.
    NotificationDropped {
        /// The missing assignment: `READY=1` or `WATCHDOG=1`.
        assignment: String,
        /// The setting's effective value.
        access: String,
    },
    /// `Type=notify-reload`, and `RELOADING=1` came without `MONOTONIC_USEC=`.
    ReloadWithoutStamp,
    /// A reload ran into its deadline.
    ReloadNeverEnds,
    /// The start limit was hit, and no setting defines it: it is the default.
    DefaultStartLimit {
        /// `StartLimitBurst=`
        burst: u64,
        /// `StartLimitIntervalSec=`, in microseconds.
        interval_us: u64,
    },
    /// `RestartSteps=`: the delay does not shrink again, however long the service has run.
    StepsNeverReset {
        /// How long the service ran before a restart with a longer delay than the first one, in microseconds.
        ran_us: u64,
        /// That delay, in microseconds.
        delay_us: u64,
    },
    /// A stop reached its deadline and ended in SIGKILL.
    StopSignalIgnored {
        /// The deadline, in microseconds.
        timeout_us: u64,
        /// The signal that was ignored.
        signal: String,
        /// The name of the process that was killed in the end.
        process: String,
        /// The signal that ended it.
        ended_by: String,
    },
    /// A stop reached its deadline, and no SIGKILL followed.
    StopLeavesProcesses {
        /// The deadline, in microseconds.
        timeout_us: u64,
        /// The signal that was ignored.
        signal: String,
        /// The signal that `FinalKillSignal=` put in the place of SIGKILL; `None` if `SendSIGKILL=no` forbids both.
        instead: Option<String>,
        /// The name of a process that still ran after the stop, if one did.
        process: Option<String>,
    },
    /// A requested stop left the unit failed.
    StopCountsAsFailure {
        /// How the main process ended, in the spelling of `SuccessExitStatus=`.
        status: String,
    },
    /// `Restart=` could not act, because another unit's end had queued a stop job.
    StoppedByDependency {
        /// The setting.
        setting: String,
        /// The other unit.
        other: String,
    },
    /// A start job failed because the start job of another unit did.
    DependencyFailed {
        /// That unit, if it is known.
        other: Option<String>,
        /// What happened to that unit.
        end: DependencyEnd,
    },
    /// A job of the unit took longer than the unit allows.
    JobTimedOut {
        /// The job: `start`, `stop`, …
        job: String,
        /// `JobTimeoutSec` or `JobRunningTimeoutSec`.
        setting: String,
        /// Its value, in microseconds.
        timeout_us: u64,
        /// Whether systemd had begun to carry the job out. The end of the job does not undo that.
        has_begun: bool,
        /// A unit of `After=` that a start still waited for.
        waited_for: Option<String>,
    },
    /// A condition or an assert was not met: nothing was started.
    ConditionUnmet {
        /// systemd's own words.
        message: String,
    },
    /// systemd deleted the unit's job because of an ordering cycle.
    OrderingCycle,
    /// A path or a socket unit started the service again and again, up to the start limit.
    TriggeredTooOften {
        /// The path or socket unit.
        by: String,
    },
    /// Nothing makes the timer fire for the first time.
    TimerNeverFires {
        /// The service.
        service: String,
    },
    /// The main process exited successfully at once, and left other processes that systemd then stopped.
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
        /// The shell's or env's own words.
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
    /// systemd itself could not do what it has to do before it can start a process, e.g. read a file.
    ResourcesFailed {
        /// systemd's own words.
        message: String,
        /// The unit was up until then, and the process is one of its stop.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_stop: bool,
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
        /// How systemd reacted.
        outcome: OomOutcome,
        /// The slice whose `MemoryMax=` was used up, if it was not the unit's own limit.
        slice: Option<String>,
    },
    /// `Type=forking`, but its PID file was missing.
    NoPidFile {
        /// `PIDFile=`
        file: String,
    },
    /// `Type=dbus`, but the service did not take its name on the bus in time.
    NoBusName {
        /// `BusName=`
        name: String,
    },
    /// The timer fires while its service is still active.
    TimerFindsActiveService {
        /// The service.
        service: String,
    },
    /// All processes hung, and nothing reacted.
    HangUnnoticed,
    /// The machine ended during the run.
    MachineEnded {
        /// How the machine ended.
        how: MachineEnd,
        /// The kernel's last words.
        message: String,
        /// The setting of a unit that ended it, e.g. `FailureAction=reboot`.
        setting: Option<String>,
        /// Whether a process asked systemd to end it.
        is_asked_for: bool,
    },
    /// A process kept the lab from seeing what systemd did, so the timeline is incomplete.
    WentBlind {
        /// What caused it.
        how: Blinding,
        /// When the lab could see again, in microseconds since the beginning of the run, if it could.
        until_us: Option<u64>,
    },
    /// The processor did not rest.
    ProcessorBusy {
        /// How much of the processor's time the unit used, or systemd and journald did, in percent.
        percent: u64,
        /// Whether it was systemd and journald, which the unit kept busy.
        is_system: bool,
        /// For how long, in microseconds.
        over_us: u64,
        /// When the run ended, in microseconds, if it ended early because the rest would have taken too long.
        cut_us: Option<u64>,
    },
    /// A crash loop whose restarts are too slow for its start limit.
    LimitNeverReached {
        /// `StartLimitBurst=`
        burst: u64,
        /// `StartLimitIntervalSec=`, in microseconds.
        interval_us: u64,
        /// The shortest time that this many restarts take, in microseconds.
        takes_us: u64,
    },
    /// systemd ignores a setting because it is in the wrong section.
    SettingInWrongSection {
        /// The setting.
        setting: String,
        /// The section that it is in.
        section: String,
        /// The section that it belongs in.
        belongs: String,
    },
    /// `WatchdogSec=` is set, but nothing sends `WATCHDOG=1`.
    WatchdogNeverFed {
        /// `WatchdogSec=`, in microseconds.
        limit_us: u64,
    },
    /// The watchdog ended a service that still answered.
    WatchdogEndsAnswering {
        /// The probe that got answers.
        probe: String,
        /// `WatchdogSec=`, in microseconds.
        limit_us: u64,
        /// How long before that the last `WATCHDOG=1` came, in microseconds.
        since_us: u64,
    },
    /// `WATCHDOG=1` continues while the service does not work.
    WatchdogFedRegardless {
        /// The probe that got no answer; `None` if the main process was stopped.
        probe: Option<String>,
        /// For how long, in microseconds.
        for_us: u64,
    },
    /// Notifications come without a pause.
    NotificationFlood {
        /// The assignment that most of them have, e.g. `STATUS=`.
        assignment: String,
        /// How many came each second.
        per_second: u64,
    },
    /// More log lines than journald accepts.
    LogFlood {
        /// How many lines came.
        lines: u64,
        /// In how much time, in microseconds.
        over_us: u64,
        /// How many lines journald accepts.
        most: u64,
        /// In how much time, in microseconds.
        interval_us: u64,
    },
    /// A command of `ExecStart=` failed, and its `-` turned that into a success.
    FailureIgnored {
        /// How it ended.
        status: String,
        /// `Restart=`, which had no effect.
        restart: String,
    },
    /// One of several commands of a `Type=oneshot` service failed, so the following ones did not run.
    OneOfCommandsFailed {
        /// The number of the command, counted from 1.
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
    /// A process asked systemd to stop the unit, so `Restart=` does not act.
    StoppedOnRequest {
        /// `Restart=`
        restart: String,
    },
    /// The time that the service asked for with `EXTEND_TIMEOUT_USEC=` ran out before the service was done.
    ExtensionRanOut {
        /// The time that it last asked for, in microseconds.
        asked_us: u64,
        /// How long before the timeout it asked, in microseconds.
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
    /// The watchdog ended a service that had set its own limit with `WATCHDOG_USEC=`.
    WatchdogShortened {
        /// That limit, in microseconds.
        limit_us: u64,
        /// `WatchdogSec=` as the unit file has it, if it sets it.
        written: Option<String>,
    },
    /// systemd ignores a line of a unit file.
    LineIgnored {
        /// systemd's own words.
        message: String,
    },
    /// systemd refuses the unit because its file is contradictory or incomplete.
    UnitRefused {
        /// systemd's own words.
        message: String,
    },
    /// A command other than the main process failed, and left the unit failed.
    CommandFailed {
        /// The setting.
        setting: String,
        /// How it ended.
        status: String,
    },
    /// A command line contains shell syntax, but no shell runs it.
    NoShell {
        /// The setting.
        setting: String,
        /// The word that a shell would act on, e.g. `&&`.
        word: String,
    },
    /// The main process ended during a reload.
    ReloadEnds {
        /// How it ended.
        status: String,
        /// The signal that systemd itself sent for the reload, with `Type=notify-reload`.
        signal: Option<String>,
    },
    /// The unit has reached its limit of processes and threads.
    TooManyTasks {
        /// `TasksMax=`
        limit: u64,
    },
    /// A socket or a path unit started its service too often, and systemd stopped it.
    TriggerLimitHit {
        /// `TriggerLimitBurst=`
        burst: u64,
        /// `TriggerLimitIntervalSec=`, in microseconds.
        interval_us: u64,
    },
}

/// What happened to a unit that another unit needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DependencyEnd {
    /// Its start failed.
    Failed,
    /// It was not active, and `Requisite=` does not start it.
    NotActive,
    /// systemd skipped its start because a condition was not met.
    Skipped,
    /// One of its asserts was not met.
    AssertFailed,
    /// Its own start failed because of a unit that it needs.
    NotStarted,
}

/// How systemd reacted to an OOM kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OomOutcome {
    /// It restarted the unit.
    Restarted,
    /// The unit failed, and stayed failed.
    NotRestarted,
    /// The unit carried on without the process.
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
            | Rule::StopLeavesProcesses { .. }
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

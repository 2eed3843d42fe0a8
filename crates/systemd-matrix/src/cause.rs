//! The causes that end a service, and how each is caused for real.

use serde::{Deserialize, Serialize};
use systemd_lab::names::{SIGABRT, SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGSEGV, SIGTERM};

use crate::group::Action;

/// The settings of `Restart=`, in the order of the manual's table.
pub const SETTINGS: [&str; 7] = [
    "no",
    "always",
    "on-success",
    "on-failure",
    "on-abnormal",
    "on-abort",
    "on-watchdog",
];

/// `EXIT_EXEC`: the exit status of systemd's child when it cannot run the program. systemd.exec(5), "Process Exit
/// Codes".
const EXIT_EXEC: i32 = 203;

/// Why a service ends; one row each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The main process exits with 0.
    ExitZero,
    /// SIGHUP ends the main process.
    Sighup,
    /// SIGINT ends the main process.
    Sigint,
    /// SIGTERM ends the main process, but systemd did not send it.
    Sigterm,
    /// SIGPIPE ends the main process.
    Sigpipe,
    /// The main process exits with 1.
    ExitOne,
    /// SIGKILL ends the main process.
    Sigkill,
    /// SIGSEGV ends the main process, and the kernel dumps its core.
    CoreDump,
    /// `READY=1` does not come within `TimeoutStartSec=`.
    StartTimeout,
    /// The main process has exited, but `ExecStop=` does not finish within `TimeoutStopSec=`. No one requested a stop.
    StopTimeout,
    /// `RuntimeMaxSec=` passes.
    RuntimeLimit,
    /// `WATCHDOG=1` does not come within `WatchdogSec=`.
    Watchdog,
    /// The kernel kills the main process because it uses more memory than `MemoryMax=`.
    OutOfMemory,
    /// The main process exits with 0 before `READY=1`.
    Protocol,
    /// The program does not exist.
    NoProgram,
    /// systemd cannot prepare the process: a file from `EnvironmentFile=` is missing.
    Resources,
    /// The command of `ExecCondition=` fails.
    Condition,
    /// Started once too often: `StartLimitBurst=`.
    StartLimit,
    /// `systemctl stop`, then SIGKILL after `TimeoutStopSec=`.
    StoppedByHand,
}

/// How a unit must have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Its main process: `exited`, `killed` or `dumped`, with this exit code or signal.
    Process(&'static str, i32),
    /// It never had a main process.
    NoProcess,
    /// A start was refused.
    Limit,
    /// It has not ended.
    RunsOn,
}

/// The parts of a cause's units, and how they must end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Means {
    /// Lines for `[Service]`.
    pub(crate) service: &'static str,
    pub(crate) action: Action,
    pub(crate) end: End,
    /// The unit's `Result`, as the manual describes it.
    pub(crate) result: &'static str,
}

/// `Type=exec`: a unit is `running` only when its program runs, so that no signal hits systemd's own code
/// before that. By default, systemd makes services ignore SIGPIPE.
pub(crate) const SLEEPER: &str = "Type=exec\nExecStart=/usr/bin/sleep infinity\nIgnoreSIGPIPE=no";
pub(crate) const EXITS_WITH_0: &str = "Type=exec\nExecStart=/usr/bin/true";
pub(crate) const EXITS_WITH_1: &str = "Type=exec\nExecStart=/usr/bin/false";
pub(crate) const NEVER_PINGS: &str = "Type=exec\nExecStart=/usr/bin/sleep infinity\nWatchdogSec=1s";
const NEVER_READY: &str = "Type=notify\nExecStart=/usr/bin/sleep infinity\nTimeoutStartSec=1s";
const NEVER_STOPS: &str =
    "Type=exec\nExecStart=/usr/bin/true\nExecStop=/usr/bin/sleep infinity\nTimeoutStopSec=1s";
const RUNS_TOO_LONG: &str = "Type=exec\nExecStart=/usr/bin/sleep infinity\nRuntimeMaxSec=1s";
/// tail looks for the beginning of the last line, and must keep all of an endless line.
const TAKES_MEMORY: &str = "Type=exec\nExecStart=/usr/bin/tail /dev/zero\nMemoryMax=4M";
const ENDS_BEFORE_READY: &str = "Type=notify\nExecStart=/usr/bin/true";
const NO_PROGRAM: &str = "Type=exec\nExecStart=/usr/bin/no-such-program";
const NO_ENVIRONMENT: &str =
    "Type=exec\nExecStart=/usr/bin/true\nEnvironmentFile=/etc/no-such-file";
const CONDITION_FAILS: &str = "Type=exec\nExecCondition=/usr/bin/false\nExecStart=/usr/bin/true";
/// SIGCONT does not end a process: this looks like a service that ignores the request to stop.
const IGNORES_STOP: &str =
    "Type=exec\nExecStart=/usr/bin/sleep infinity\nKillSignal=SIGCONT\nTimeoutStopSec=1s";

impl Cause {
    /// All causes, in the order of the table.
    pub const ALL: [Cause; 19] = [
        Cause::ExitZero,
        Cause::Sighup,
        Cause::Sigint,
        Cause::Sigterm,
        Cause::Sigpipe,
        Cause::ExitOne,
        Cause::Sigkill,
        Cause::CoreDump,
        Cause::StartTimeout,
        Cause::StopTimeout,
        Cause::RuntimeLimit,
        Cause::Watchdog,
        Cause::OutOfMemory,
        Cause::Protocol,
        Cause::NoProgram,
        Cause::Resources,
        Cause::Condition,
        Cause::StartLimit,
        Cause::StoppedByHand,
    ];

    /// The row's label.
    pub fn label(self) -> &'static str {
        match self {
            Cause::ExitZero => "exit code 0",
            Cause::Sighup => "SIGHUP",
            Cause::Sigint => "SIGINT",
            Cause::Sigterm => "SIGTERM",
            Cause::Sigpipe => "SIGPIPE",
            Cause::ExitOne => "exit code 1",
            Cause::Sigkill => "SIGKILL",
            Cause::CoreDump => "core dump",
            Cause::StartTimeout => "start timeout",
            Cause::StopTimeout => "stop timeout",
            Cause::RuntimeLimit => "runtime limit",
            Cause::Watchdog => "watchdog",
            Cause::OutOfMemory => "out of memory",
            Cause::Protocol => "protocol error",
            Cause::NoProgram => "no such program",
            Cause::Resources => "no environment file",
            Cause::Condition => "condition not met",
            Cause::StartLimit => "start limit",
            Cause::StoppedByHand => "`systemctl stop`",
        }
    }

    /// How the cause is caused, in one line.
    pub(crate) fn means_in_words(self) -> &'static str {
        match self {
            Cause::ExitZero => "the program ends with exit code 0",
            Cause::Sighup => "the main process gets SIGHUP, not from systemd",
            Cause::Sigint => "the main process gets SIGINT, not from systemd",
            Cause::Sigterm => "the main process gets SIGTERM, not from systemd",
            Cause::Sigpipe => "the main process gets SIGPIPE, with `IgnoreSIGPIPE=no`",
            Cause::ExitOne => "the program ends with exit code 1",
            Cause::Sigkill => "the main process gets SIGKILL, not from systemd",
            Cause::CoreDump => "the main process gets SIGSEGV, and the kernel dumps its core",
            Cause::StartTimeout => "`Type=notify`, and no `READY=1` within `TimeoutStartSec=`",
            Cause::StopTimeout => {
                "the program ends by itself, then `ExecStop=` takes longer than `TimeoutStopSec=`"
            }
            Cause::RuntimeLimit => "the service runs for longer than `RuntimeMaxSec=`",
            Cause::Watchdog => "no `WATCHDOG=1` within `WatchdogSec=`",
            Cause::OutOfMemory => "the kernel kills the main process: more than `MemoryMax=`",
            Cause::Protocol => {
                "`Type=notify`, and the program ends with exit code 0 before `READY=1`"
            }
            Cause::NoProgram => "`ExecStart=` names a program that is not there",
            Cause::Resources => "`EnvironmentFile=` names a file that is not there",
            Cause::Condition => "the command of `ExecCondition=` ends with exit code 1",
            Cause::StartLimit => "`StartLimitBurst=1`, and a second start",
            Cause::StoppedByHand => "stopped by hand, and killed when `TimeoutStopSec=` has passed",
        }
    }

    /// The beginning of its units' names, e.g. `core-dump`.
    pub(crate) fn stem(self) -> String {
        let letters = self.label().chars().filter(|c| *c != '`');
        letters.collect::<String>().to_lowercase().replace(' ', "-")
    }

    /// `StartLimitBurst=` of its units: otherwise, a service that ends by itself would be restarted forever.
    pub(crate) fn start_limit(self) -> u32 {
        match self {
            Cause::StartLimit => 1,
            _ => 2,
        }
    }

    pub(crate) fn means(self) -> Means {
        let itself = |service, end, result| Means {
            service,
            action: Action::Nothing,
            end,
            result,
        };
        let exited = |code| End::Process("exited", code);
        let killed = |signal| End::Process("killed", signal);
        let signalled = |signal, end, result| Means {
            service: SLEEPER,
            action: Action::Signal(signal),
            end,
            result,
        };
        match self {
            Cause::ExitZero => itself(EXITS_WITH_0, exited(0), "success"),
            Cause::Sighup => signalled(SIGHUP, killed(SIGHUP), "success"),
            Cause::Sigint => signalled(SIGINT, killed(SIGINT), "success"),
            Cause::Sigterm => signalled(SIGTERM, killed(SIGTERM), "success"),
            Cause::Sigpipe => signalled(SIGPIPE, killed(SIGPIPE), "success"),
            Cause::ExitOne => itself(EXITS_WITH_1, exited(1), "exit-code"),
            Cause::Sigkill => signalled(SIGKILL, killed(SIGKILL), "signal"),
            Cause::CoreDump => signalled(SIGSEGV, End::Process("dumped", SIGSEGV), "core-dump"),
            Cause::StartTimeout => itself(NEVER_READY, killed(SIGTERM), "timeout"),
            Cause::StopTimeout => itself(NEVER_STOPS, exited(0), "timeout"),
            Cause::RuntimeLimit => itself(RUNS_TOO_LONG, killed(SIGTERM), "timeout"),
            Cause::Watchdog => itself(NEVER_PINGS, End::Process("dumped", SIGABRT), "watchdog"),
            Cause::OutOfMemory => itself(TAKES_MEMORY, killed(SIGKILL), "oom-kill"),
            Cause::Protocol => itself(ENDS_BEFORE_READY, exited(0), "protocol"),
            Cause::NoProgram => itself(NO_PROGRAM, exited(EXIT_EXEC), "exit-code"),
            Cause::Resources => itself(NO_ENVIRONMENT, End::NoProcess, "resources"),
            Cause::Condition => itself(CONDITION_FAILS, End::NoProcess, "exec-condition"),
            Cause::StartLimit => Means {
                action: Action::StartAgain,
                ..itself(EXITS_WITH_0, End::Limit, "start-limit-hit")
            },
            Cause::StoppedByHand => Means {
                action: Action::Stop,
                ..itself(IGNORES_STOP, killed(SIGKILL), "timeout")
            },
        }
    }
}

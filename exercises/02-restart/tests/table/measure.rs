//! Asks systemd for the table: one unit for each cell, which ends as its row says, and is or is not started again.
//!
//! A unit must have ended by the cause that its row claims, and with the `Result` that goes with it. One that ended in
//! another way makes the whole measurement fail: no cell is ever the answer to another question.

use std::panic;
use std::thread;
use std::time::Duration;

use systemd_lab::protocol::event::StepOutcome;
use systemd_lab::protocol::{Event, EventKind, Scenario};
use systemd_lab::{GuestFile, Lab, LabError, Timeline};

use super::{CAUSES, Cause, SETTINGS, Table, cells};

// As in signal(7), for x86-64.
const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;
const SIGPIPE: i32 = 13;
const SIGTERM: i32 = 15;

/// The rows are shared out to this many VMs, since each computes on one core: about 14 s of wall time with one, 9 s with
/// two.
const VMS: usize = 2;

/// `RestartSec=` of all units: longer than all rows take together (about 3 s of virtual time). So nothing is restarted while other
/// units have yet to end, and the rows do not disturb each other. Idle time costs nothing.
const RESTART_SEC: Duration = Duration::from_secs(60);

/// How long systemd is watched after the last unit has ended: what it wants to restart has then been restarted,
/// even if the rows take ten times as long.
const WATCHED: Duration = Duration::from_secs(2 * RESTART_SEC.as_secs());

/// Bounds each wait for a unit to come up or to end, which takes a second or two.
const DEADLINE: Duration = Duration::from_secs(30);

/// `StartLimitBurst=`: the start and one restart. A service that ends by itself would be restarted forever.
const STARTS: u32 = 2;

/// `StartLimitIntervalSec=`: longer than the whole measurement in virtual time.
const START_LIMIT_INTERVAL: Duration = Duration::from_secs(3600);

/// A unit that has ended is in one of these states, restart or not.
const ENDED: [&str; 3] = ["dead", "failed", "auto-restart"];

/// In the guest; one line, so that there is nothing to wait for but bash itself. All of it is built into bash.
/// Asking systemd instead, unit by unit, costs a connection for each.
const SIGNAL_MAIN_PROCESSES: &str = "signal=$1; shift; for unit; do read -r pid < /sys/fs/cgroup/system.slice/$unit/cgroup.procs && kill -$signal $pid || exit 1; done";

/// What a row's units are made of, and how they must end.
struct Row {
    /// Lines for `[Service]`.
    service: &'static str,
    /// What to send to the main process, once it runs, for those that do not end by themselves.
    signal: Option<i32>,
    /// `exited`, `killed` or `dumped`.
    code: &'static str,
    /// Exit code or signal.
    status: i32,
    /// The unit's `Result`.
    result: &'static str,
}

/// `Type=exec`: a unit is `running` when its program does, so that no signal hits systemd's own code before it.
/// systemd has services ignore SIGPIPE unless it is told otherwise.
const SLEEPER: &str = "Type=exec\nExecStart=/usr/bin/sleep infinity\nIgnoreSIGPIPE=no";
const NEVER_READY: &str = "Type=notify\nExecStart=/usr/bin/sleep infinity\nTimeoutStartSec=1s";
const NEVER_PINGS: &str = "Type=exec\nExecStart=/usr/bin/sleep infinity\nWatchdogSec=1s";
/// tail looks for the beginning of the last line, and must keep all of a line that never ends.
const TAKES_MEMORY: &str = "Type=exec\nExecStart=/usr/bin/tail /dev/zero\nMemoryMax=4M";

impl Row {
    fn of(cause: Cause) -> Row {
        match cause {
            Cause::ExitZero => Row::itself(
                "Type=exec\nExecStart=/usr/bin/true",
                ("exited", 0),
                "success",
            ),
            Cause::Sighup => Row::signalled(SIGHUP, "killed", "success"),
            Cause::Sigint => Row::signalled(SIGINT, "killed", "success"),
            Cause::Sigterm => Row::signalled(SIGTERM, "killed", "success"),
            Cause::Sigpipe => Row::signalled(SIGPIPE, "killed", "success"),
            Cause::ExitOne => Row::itself(
                "Type=exec\nExecStart=/usr/bin/false",
                ("exited", 1),
                "exit-code",
            ),
            Cause::Sigkill => Row::signalled(SIGKILL, "killed", "signal"),
            Cause::CoreDump => Row::signalled(SIGSEGV, "dumped", "core-dump"),
            Cause::StartTimeout => Row::itself(NEVER_READY, ("killed", SIGTERM), "timeout"),
            Cause::Watchdog => Row::itself(NEVER_PINGS, ("dumped", SIGABRT), "watchdog"),
            Cause::OutOfMemory => Row::itself(TAKES_MEMORY, ("killed", SIGKILL), "oom-kill"),
        }
    }

    /// A service that ends, or is ended by systemd or the kernel, without anybody's doing.
    fn itself(service: &'static str, end: (&'static str, i32), result: &'static str) -> Row {
        Row {
            service,
            signal: None,
            code: end.0,
            status: end.1,
            result,
        }
    }

    fn signalled(signal: i32, code: &'static str, result: &'static str) -> Row {
        Row {
            service: SLEEPER,
            signal: Some(signal),
            code,
            status: signal,
            result,
        }
    }
}

/// Has systemd answer every cell. The same table comes every time, so that it is measured once and remembered.
///
/// # Errors
///
/// What keeps the lab from running, and [`LabError::Host`] when a unit did not end as its row claims.
pub(crate) fn measure(lab: &Lab) -> Result<Table, LabError> {
    let of_vm = |vm| CAUSES.into_iter().skip(vm).step_by(VMS);
    let timelines = thread::scope(|scope| {
        let run = |vm| scope.spawn(move || run(lab, &of_vm(vm).collect::<Vec<_>>()));
        let threads: Vec<_> = (0..VMS).map(run).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(result) => result,
            Err(panicked) => panic::resume_unwind(panicked),
        };
        threads
            .into_iter()
            .map(join)
            .collect::<Result<Vec<_>, LabError>>()
    })?;
    let mut table = Table(Default::default());
    for (cause, column) in cells() {
        let row = cause as usize;
        let timeline = &timelines[row % VMS];
        table.0[row][column] = is_restarted(timeline, cause, SETTINGS[column])?;
    }
    Ok(table)
}

fn run(lab: &Lab, causes: &[Cause]) -> Result<Timeline, LabError> {
    let mut files = Vec::new();
    let mut scenario = Scenario::new("what Restart= does");
    for cause in causes {
        let row = Row::of(*cause);
        let units = SETTINGS.map(|setting| unit_name(*cause, setting));
        for (unit, setting) in units.iter().zip(SETTINGS) {
            files.push(unit_file(unit, unit_text(&row, setting)));
        }
        // One job for the row: seven would take seven connections to systemd.
        let target = format!("{}.target", stem(*cause));
        files.push(unit_file(
            &target,
            format!("[Unit]\nWants={}\n", units.join(" ")),
        ));
        scenario = scenario.start(&target);
        if let Some(signal) = row.signal {
            scenario = wait_for_all(scenario, &units, &["running"]);
            let signal = signal.to_string();
            let mut argv = vec![
                "/usr/bin/bash",
                "-c",
                SIGNAL_MAIN_PROCESSES,
                "bash",
                &signal,
            ];
            argv.extend(units.iter().map(String::as_str));
            scenario = scenario.run(&argv, DEADLINE);
        }
        scenario = wait_for_all(scenario, &units, &ENDED);
    }
    let timeline = lab.run_remembered(&scenario.sleep(WATCHED), &files)?;
    let is_undone = |event: &&Event| matches!(&event.kind, EventKind::StepEnded { outcome, .. } if *outcome != StepOutcome::Done);
    match timeline.events().iter().find(is_undone) {
        Some(event) => Err(wrong(&format!("{:?}", event.kind))),
        None => Ok(timeline),
    }
}

fn wait_for_all(scenario: Scenario, units: &[String], states: &[&str]) -> Scenario {
    units.iter().fold(scenario, |scenario, unit| {
        scenario.wait_for_state(unit, states, DEADLINE)
    })
}

/// Looks for the whole way to a second start: the end that the row claims, then systemd's decision, then the start.
fn is_restarted(timeline: &Timeline, cause: Cause, setting: &str) -> Result<bool, LabError> {
    let unit = unit_name(cause, setting);
    let row = Row::of(cause);
    let events: Vec<&Event> = timeline.of(&unit).collect();
    let restart = events
        .iter()
        .position(|event| matches!(event.kind, EventKind::RestartScheduled { .. }));
    let (before, after) = events.split_at(restart.unwrap_or(events.len()));

    let exits: Vec<_> = before.iter().filter_map(|event| main_exit(event)).collect();
    let results: Vec<_> = before.iter().filter_map(|event| result(event)).collect();
    if exits != [(row.code, row.status)] || results != [row.result] {
        return Err(wrong(&format!(
            "{unit} ended as {exits:?} with result {results:?}, and should end as {:?} with result {:?}",
            (row.code, row.status),
            row.result
        )));
    }
    if restart.is_some() {
        // That systemd has decided so is not enough: a process must have been started.
        let is_start = |event: &&Event| matches!(&event.kind, EventKind::StateChanged { to, .. } if to == "start");
        return match after.iter().copied().find(is_start) {
            Some(_) => Ok(true),
            None => Err(wrong(&format!("{unit} is to be restarted and never is"))),
        };
    }
    let last_state = before.iter().rev().find_map(|event| match &event.kind {
        EventKind::StateChanged { to, .. } => Some((timeline.time_of(event), to.as_str())),
        _ => None,
    });
    let end = timeline
        .events()
        .last()
        .map(|event| timeline.time_of(event));
    match (last_state, end) {
        (Some((at, "dead" | "failed")), Some(end)) if end > at + RESTART_SEC => Ok(false),
        _ => Err(wrong(&format!(
            "{unit} is neither restarted nor at rest but {last_state:?}"
        ))),
    }
}

fn main_exit(event: &Event) -> Option<(&str, i32)> {
    match &event.kind {
        EventKind::ProcessExited {
            role, code, status, ..
        } if role == "main" => Some((code, *status)),
        _ => None,
    }
}

fn result(event: &Event) -> Option<&str> {
    match &event.kind {
        EventKind::Failed { result } => Some(result),
        EventKind::Deactivated => Some("success"),
        _ => None,
    }
}

/// e.g. `core-dump`.
fn stem(cause: Cause) -> String {
    cause.name().to_lowercase().replace(' ', "-")
}

/// e.g. `core-dump-on-abort.service`.
fn unit_name(cause: Cause, setting: &str) -> String {
    format!("{}-{setting}.service", stem(cause))
}

fn unit_text(row: &Row, setting: &str) -> String {
    format!(
        "[Unit]\nStartLimitIntervalSec={}\nStartLimitBurst={STARTS}\n\n[Service]\n{}\nRestart={setting}\nRestartSec={}\n",
        START_LIMIT_INTERVAL.as_secs(),
        row.service,
        RESTART_SEC.as_secs()
    )
}

fn unit_file(name: &str, text: String) -> GuestFile {
    GuestFile::text(format!("/etc/systemd/system/{name}"), text)
}

fn wrong(what: &str) -> LabError {
    LabError::Host {
        message: format!(
            "the table of Restart= was not measured: {what}; this is a fault of the workshop, please report it"
        ),
    }
}

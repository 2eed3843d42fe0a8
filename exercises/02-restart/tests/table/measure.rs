//! Asks systemd for the table: one unit for each cell, which ends as its row says and is or is not started again.
//!
//! Each unit must have ended by the cause that its row claims, with the result that systemd gives to it: a cell that was
//! measured for another cause is an error, never an answer.

use std::thread;
use std::time::Duration;

use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{GuestFile, Lab, LabError, Timeline};

use super::{CAUSES, Cause, Cells, SETTINGS, Table};

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;
const SIGPIPE: i32 = 13;
const SIGTERM: i32 = 15;

/// Before the restart: long enough for the units of a row to have ended before the first of them is due again.
const RESTART_SEC: Duration = Duration::from_secs(60);

/// How long the guest is left alone at the end: what is to be restarted has been restarted by then.
const SETTLE: Duration = Duration::from_secs(70);

/// Longer than any unit takes to come up or to end, in virtual time.
const LONG: Duration = Duration::from_secs(60);

const AFTER_END: [&str; 3] = ["auto-restart", "dead", "failed"];

/// What a unit of a row has in `[Service]`, and what shall come of it.
struct Row {
    service: &'static str,
    /// Sent to the main process as soon as it runs.
    signal: Option<i32>,
    code: &'static str,
    status: i32,
    result: &'static str,
}

const SLEEPER: &str = "Type=exec\nExecStart=/usr/bin/sleep infinity";

fn row(cause: Cause) -> Row {
    let ends = |service, code, status, result| Row { service, signal: None, code, status, result };
    let killed = |signal, code, result| Row { service: SLEEPER, signal: Some(signal), code, status: signal, result };
    match cause {
        Cause::ExitZero => ends("Type=exec\nExecStart=/usr/bin/true", "exited", 0, "success"),
        Cause::Sighup => killed(SIGHUP, "killed", "success"),
        Cause::Sigint => killed(SIGINT, "killed", "success"),
        Cause::Sigterm => killed(SIGTERM, "killed", "success"),
        Cause::Sigpipe => Row { service: "Type=exec\nExecStart=/usr/bin/sleep infinity\nIgnoreSIGPIPE=no", ..killed(SIGPIPE, "killed", "success") },
        Cause::ExitOne => ends("Type=exec\nExecStart=/usr/bin/false", "exited", 1, "exit-code"),
        Cause::Sigkill => killed(SIGKILL, "killed", "signal"),
        Cause::CoreDump => killed(SIGSEGV, "dumped", "core-dump"),
        Cause::StartTimeout => ends("Type=notify\nExecStart=/usr/bin/sleep infinity\nTimeoutStartSec=1s", "killed", SIGTERM, "timeout"),
        Cause::Watchdog => ends("Type=exec\nExecStart=/usr/bin/sleep infinity\nWatchdogSec=1s", "dumped", SIGABRT, "watchdog"),
        Cause::OutOfMemory => ends("Type=exec\nExecStart=/usr/bin/tail /dev/zero\nMemoryMax=4M", "killed", SIGKILL, "oom-kill"),
    }
}

fn unit_name(cause: Cause, setting: &str) -> String {
    format!("{}-{setting}.service", cause.name().to_lowercase().replace(' ', "-"))
}

pub(crate) fn measure(lab: &Lab) -> Result<Table, LabError> {
    let burst: u32 = std::env::var("BURST").ok().and_then(|b| b.parse().ok()).unwrap_or(1);
    let vms: usize = std::env::var("VMS").ok().and_then(|b| b.parse().ok()).unwrap_or(2);
    let parts: Vec<Vec<Cause>> = (0..vms).map(|i| CAUSES.iter().copied().skip(i).step_by(vms).collect()).collect();
    let answers = thread::scope(|scope| {
        let handles: Vec<_> = parts.iter().map(|part| scope.spawn(move || run(lab, part, burst))).collect();
        handles.into_iter().map(|h| h.join().expect("no panic")).collect::<Vec<_>>()
    });
    let mut cells: Cells<bool> = Default::default();
    for (i, answer) in answers.into_iter().enumerate() {
        let timeline = answer?;
        if let Ok(dir) = std::env::var("DUMP") {
            std::fs::write(format!("{dir}/{i}.json"), timeline.to_json_lines()).expect("dump");
        }
        for &cause in &parts[i] {
            for (column, setting) in SETTINGS.iter().enumerate() {
                match verdict(&timeline, cause, setting) {
                    Ok(x) => cells[cause as usize][column] = x,
                    Err(e) => println!("{e}"),
                }
            }
        }
    }
    Ok(Table(cells))
}

fn run(lab: &Lab, causes: &[Cause], burst: u32) -> Result<Timeline, LabError> {
    let mut files = Vec::new();
    let mut scenario = Scenario::new("restart table");
    if causes.contains(&Cause::CoreDump) {
        scenario = scenario.run(&["/usr/bin/bash", "-c", "cat /proc/sys/kernel/core_pattern; ulimit -c; cat /sys/fs/cgroup/cgroup.controllers"], LONG);
    }
    for &cause in causes {
        let row = row(cause);
        let units: Vec<String> = SETTINGS.iter().map(|setting| unit_name(cause, setting)).collect();
        for (unit, setting) in units.iter().zip(SETTINGS) {
            files.push(GuestFile::text(format!("/etc/systemd/system/{unit}"), format!(
                "[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst={burst}\n[Service]\n{}\nRestart={setting}\nRestartSec={}s\n", row.service, RESTART_SEC.as_secs())));
        }
        let target = format!("{}.target", cause.name().to_lowercase().replace(' ', "-"));
        files.push(GuestFile::text(format!("/etc/systemd/system/{target}"), format!("[Unit]\nWants={}\n", units.join(" "))));
        scenario = scenario.start(&target);
        if let Some(signal) = row.signal {
            for unit in &units {
                scenario = scenario.wait_for_state(unit, &["running"], LONG);
            }
            let script = format!("for unit; do read -r pid < /sys/fs/cgroup/system.slice/$unit/cgroup.procs && kill -{signal} $pid || exit 1; done");
            let argv: Vec<&str> = ["/usr/bin/bash", "-c", &script, "bash"].into_iter().chain(units.iter().map(String::as_str)).collect();
            scenario = scenario.run(&argv, LONG);
        }
        for unit in &units {
            scenario = scenario.wait_for_state(unit, &AFTER_END, LONG);
        }
    }
    let began = std::time::Instant::now();
    let mut n = 0;
    lab.run_live(&scenario.sleep(SETTLE), &files, |event| { n += 1; if std::env::var("LIVE").is_ok() { eprintln!("{:.2} {n} {}", began.elapsed().as_secs_f64(), serde_json::to_string(&(event.at_us, &event.unit, &event.kind)).expect("json")); } })
}

fn verdict(timeline: &Timeline, cause: Cause, setting: &str) -> Result<bool, String> {
    let unit = unit_name(cause, setting);
    let row = row(cause);
    let exit = timeline.of(&unit).find_map(|event| match &event.kind {
        EventKind::ProcessExited { role, code, status } if role == "main" => Some((code.as_str(), *status)),
        _ => None,
    });
    let result = timeline.of(&unit).find_map(|event| match &event.kind {
        EventKind::Failed { result } => Some(result.as_str()),
        EventKind::Deactivated => Some("success"),
        _ => None,
    });
    if exit != Some((row.code, row.status)) || result != Some(row.result) {
        return Err(format!("{unit}: {exit:?} {result:?}"));
    }
    Ok(timeline.first(&unit, |kind| matches!(kind, EventKind::RestartScheduled { .. })).is_some())
}

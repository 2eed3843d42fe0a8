//! How fast the lab is, measured on the machine that this runs on.
//!
//! `cargo bench -p systemd-lab` takes about ten minutes, half of them for one run in real time.
//! `cargo bench -p systemd-lab -- --quick` leaves out that run and the set-up from scratch.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{GuestFile, Lab, LabError, RunOptions, Timeline};

/// Enough runs for a median that one busy moment does not change.
const RUNS: usize = 11;

/// Set-up from scratch downloads 60 MB each time, so a few runs must be enough.
const SETUP_RUNS: usize = 3;

/// How long an idle guest is left alone: so long that the time to restore it does not matter.
const IDLE: Duration = Duration::from_secs(10 * 3600);

/// `StartLimitIntervalSec=` of the watchdog scenario, which lets all of it pass.
const START_LIMIT_INTERVAL: Duration = Duration::from_secs(300);

/// Four times the watchdog's 10 s and three restarts, with some to spare.
const GIVEN_UP_DEADLINE: Duration = Duration::from_secs(120);

/// The run in real time takes five minutes and a boot.
const REAL_TIME_DEADLINE: Duration = Duration::from_secs(900);

const UNIT: &str = "hung.service";

/// Reports that it is ready and never pings: the watchdog kills it every 10 s, and systemd gives up
/// at the fifth start.
const UNIT_FILE: &str = "\
[Unit]
Description=Hangs
StartLimitIntervalSec=5min
StartLimitBurst=4

[Service]
Type=notify
ExecStart=/usr/local/bin/hung --hang
WatchdogSec=10s
Restart=on-failure
RestartSec=5s
";

fn main() -> Result<(), LabError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--hang") {
        hang();
    }
    if arguments.iter().any(|argument| argument == "--open") {
        return Lab::open().map(drop);
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");

    println!(
        "{:<58}{:>12}{:>14}",
        "median of the runs", "measured", "to reach"
    );
    let lab = Lab::open()?;

    let first_event = median(RUNS, || first_event(&lab))?;
    row(
        "restore to the first guest event",
        seconds(first_event),
        "<= 0.10 s",
    );

    let (scenario, files) = watchdog_scenario();
    let virtual_time = median(RUNS, || {
        timed(|| lab.run(&scenario, &files).map(check_given_up))
    })?;
    row(
        "watchdog missed 4 times, 300 s of guest time",
        seconds(virtual_time),
        "<= 2.00 s",
    );

    let idle = Scenario::new("idle").sleep(IDLE);
    let idle_time = median(RUNS, || timed(|| lab.run(&idle, &[]).map(drop)))?;
    let speed = IDLE.as_secs_f64() / idle_time.as_secs_f64();
    row(
        "idle: virtual seconds per wall second",
        format!("{speed:.0}"),
        ">= 1500",
    );

    let exported = exported_size()?;
    row(
        "exported image",
        format!("{:.1} MB", exported as f64 / 1e6),
        "<= 64 MB",
    );

    if !quick {
        let setup = median(SETUP_RUNS, set_up_from_nothing)?;
        row(
            "image and snapshot from nothing",
            seconds(setup),
            "<= 45.00 s",
        );

        let options = RunOptions::default()
            .in_real_time()
            .deadline(REAL_TIME_DEADLINE);
        let real_time = timed(|| lab.run_with(&scenario, &files, options).map(check_given_up))?;
        row(
            "the watchdog scenario, booted from scratch in real time",
            seconds(real_time),
            "",
        );
        let ratio = real_time.as_secs_f64() / virtual_time.as_secs_f64();
        row(
            "that many times faster than real time",
            format!("{ratio:.0}"),
            ">= 50",
        );
    }
    Ok(())
}

/// What this program does in the guest.
fn hang() -> ! {
    if let (Ok(socket), Some(path)) = (UnixDatagram::unbound(), std::env::var_os("NOTIFY_SOCKET")) {
        let _ = socket.send_to(b"READY=1", Path::new(&path));
    }
    loop {
        std::thread::park();
    }
}

fn watchdog_scenario() -> (Scenario, Vec<GuestFile>) {
    let rest = START_LIMIT_INTERVAL - Duration::from_secs(60);
    let scenario = Scenario::new("watchdog missed four times")
        .start(UNIT)
        .wait_for_state(UNIT, &["failed"], GIVEN_UP_DEADLINE)
        .sleep(rest)
        .observe(UNIT);
    let this = std::env::current_exe().unwrap_or_default();
    let files = vec![
        GuestFile::program("/usr/local/bin/hung", this),
        GuestFile::text(format!("/etc/systemd/system/{UNIT}"), UNIT_FILE),
    ];
    (scenario, files)
}

/// A benchmark of something that did not happen is worthless.
fn check_given_up(timeline: Timeline) {
    let timeouts = timeline
        .of(UNIT)
        .filter(|event| matches!(event.kind, EventKind::WatchdogTimeout { .. }))
        .count();
    let given_up = timeline
        .first(UNIT, |kind| matches!(kind, EventKind::StartLimitHit))
        .is_some();
    assert!(
        timeouts == 4 && given_up,
        "{timeouts} watchdog timeouts, given up: {given_up}"
    );
}

fn first_event(lab: &Lab) -> Result<Duration, LabError> {
    let began = Instant::now();
    let mut first = None;
    let options = RunOptions::default().on_event(|_| {
        first.get_or_insert_with(|| began.elapsed());
    });
    lab.run_with(&Scenario::new("nothing"), &[], options)?;
    Ok(first.unwrap_or_default())
}

fn exported_size() -> Result<u64, LabError> {
    let directory = temporary_directory();
    let file = directory.path().join("image");
    Lab::options().export_image(&file)?;
    Ok(fs::metadata(&file).map_or(0, |meta| meta.len()))
}

/// In a separate process, which has its own cache.
fn set_up_from_nothing() -> Result<Duration, LabError> {
    let cache = temporary_directory();
    let this = std::env::current_exe().unwrap_or_default();
    let began = Instant::now();
    let status = Command::new(this)
        .arg("--open")
        .env("SYSTEMD_LAB_CACHE", cache.path())
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "setting up from nothing fails"
    );
    Ok(began.elapsed())
}

fn temporary_directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary directory: {error}"))
}

fn timed(run: impl FnOnce() -> Result<(), LabError>) -> Result<Duration, LabError> {
    let began = Instant::now();
    run()?;
    Ok(began.elapsed())
}

fn median(
    runs: usize,
    mut run: impl FnMut() -> Result<Duration, LabError>,
) -> Result<Duration, LabError> {
    let mut times = (0..runs).map(|_| run()).collect::<Result<Vec<_>, _>>()?;
    times.sort();
    Ok(times[times.len() / 2])
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

fn row(what: &str, measured: String, to_reach: &str) {
    println!("{what:<58}{measured:>12}{to_reach:>14}");
}

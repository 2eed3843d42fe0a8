//! What this service withstands, under real systemd and in virtual time.

use std::error::Error;
use std::time::Duration;

use systemd_lab::experiment::{Experiment, Fault, Probe, Recovery};
use systemd_lab::{GuestFile, Lab};

const URL: &str = "http://127.0.0.1:8080/";

/// The signal that nobody can handle, by signal(7).
const SIGKILL: i32 = 9;

/// `RestartSec=2s`, up to 250 ms of systemd's timer slack, and at most a second until the probe asks.
const SOON: Duration = Duration::from_millis(3_500);

fn own_service() -> Experiment {
    let program = GuestFile::program(
        "/usr/local/bin/own-service",
        env!("CARGO_BIN_EXE_own-service"),
    );
    Experiment::new("units/own.service")
        .file(program)
        .probe(Probe::get(URL))
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

#[test]
fn it_comes_back_soon_after_it_was_killed() -> Result<(), Box<dyn Error>> {
    let experiment = own_service().fault(seconds(10), Fault::Kill(SIGKILL));
    let timeline = experiment.run(&Lab::open()?)?;
    let summary = experiment.summary(&timeline);
    assert!(
        matches!(summary.faults[0].answering, Some(Recovery::After(time)) if time < SOON),
        "{}",
        experiment.text(&timeline)
    );
    Ok(())
}

/// `WatchdogSec=10s` since its last ping, which is five seconds old at most when it hangs; then [`SOON`].
const WITH_WATCHDOG: Duration = Duration::from_secs(10).saturating_add(SOON);

/// Without its drop-in, this service has no watchdog: no one notices when it hangs. The saved timeline says so, and the test
/// shows what differs when that changes. `SYSTEMD_LAB_SAVED=write cargo test` writes it.
#[test]
fn nobody_helps_it_when_it_hangs() -> Result<(), Box<dyn Error>> {
    let experiment = own_service()
        .fault(seconds(10), Fault::Freeze)
        .lasting(seconds(300));
    let timeline = experiment.run(&Lab::open()?)?;
    experiment.check_saved("tests/saved/hangs.timeline", &timeline)?;
    Ok(())
}

#[test]
fn with_a_watchdog_it_comes_back_by_itself() -> Result<(), Box<dyn Error>> {
    let watchdog = GuestFile::copy(
        "/etc/systemd/system/own.service.d/watchdog.conf",
        "units/watchdog.conf",
    );
    let experiment = own_service()
        .file(watchdog)
        .fault(seconds(10), Fault::Freeze)
        .lasting(seconds(300));
    let timeline = experiment.run(&Lab::open()?)?;
    let summary = experiment.summary(&timeline);
    assert!(
        matches!(summary.faults[0].answering, Some(Recovery::After(time)) if time < WITH_WATCHDOG),
        "{}",
        experiment.text(&timeline)
    );
    Ok(())
}

#[test]
fn three_crashes_in_an_hour_cost_half_a_percent_at_the_most() -> Result<(), Box<dyn Error>> {
    let crashes = [10, 25, 40].map(|minute| seconds(minute * 60));
    let experiment = crashes
        .into_iter()
        .fold(own_service(), |experiment, at| {
            experiment.fault(at, Fault::Kill(SIGKILL))
        })
        .lasting(seconds(3600));
    let timeline = experiment.run(&Lab::open()?)?;
    let summary = experiment.summary(&timeline);
    assert_eq!(summary.restarts, 3);
    assert!(summary.availability() >= Some(0.995), "{summary:?}");
    Ok(())
}

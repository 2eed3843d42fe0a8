//! How late systemd restarts a service: the table of the page "Delays and start limits".

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Context, ensure};
use measured::Measured;
use systemd_lab::protocol::Scenario;
use systemd_matrix::trial::{self, Memory, Series, Trial};

use super::bench::Bench;
use super::item::Item;
use super::unit::{self, is_exit, is_restart};

/// Values of `RestartSec=`, and the same as durations: under, at and above the slack of 250 ms.
const SETTINGS: [(&str, Duration); 4] = [
    ("100ms", Duration::from_millis(100)),
    ("250ms", Duration::from_millis(250)),
    ("1s", Duration::from_secs(1)),
    ("5s", Duration::from_secs(5)),
];

const UNIT: &str = "late.service";

/// How long the service runs. Neither this time nor its sum with a delay is near a multiple of 250 ms.
const LIFE: &str = "0.09";

/// The page says that restarts happen at multiples of this.
const GRID: Duration = Duration::from_millis(250);

/// The time from a timer to the stamp of systemd's log line: 8 ms, or 15 ms if the agent reads the journal at the same time, because
/// the guest has one processor. This is a tenth of the grid, so other times are not mistaken for a multiple.
const SOON: Duration = Duration::from_millis(25);

/// Longer than the service runs, plus the longest delay.
const WATCHED: Duration = Duration::from_secs(8);

const TABLE: &str = "slack.md";

pub(super) fn items() -> Vec<Item> {
    vec![Item::files([TABLE], measure)]
}

fn measure(bench: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let lab = bench.lab()?;
    let mut table = String::from(
        "| setting | the service ended at | restart due at | restarted at | late by |\n|---|---|---|---|---|\n",
    );
    let trial = |(setting, _): (&str, Duration)| {
        let unit = format!(
            "[Service]\nExecStart=/usr/bin/sleep {LIFE}\nRestart=always\nRestartSec={setting}\n"
        );
        let scenario = Scenario::new(setting).start(UNIT).sleep(WATCHED);
        Trial::new(scenario, vec![unit::file(UNIT, &unit)])
    };
    // Each has its own guest, because the time of the end decides how late the restart is.
    let series = SETTINGS.map(|setting| Series::new("how late", vec![trial(setting)]));
    let seen = trial::run(&lab, &series, Memory::Used, |_, _| {})?;
    for ((setting, delay), seen) in SETTINGS.into_iter().zip(seen.iter().flatten()) {
        let timeline = seen.run();
        let ended = unit::first(timeline, UNIT, is_exit);
        let ended = ended.with_context(|| format!("with {setting}, it did not end"))?;
        let restarted = unit::first(timeline, UNIT, is_restart);
        let restarted = restarted.with_context(|| format!("with {setting}, no restart"))?;
        let due = ended + delay;
        let off_the_grid = restarted.as_micros() % GRID.as_micros();
        ensure!(
            (due..=due + GRID + SOON).contains(&restarted) && off_the_grid <= SOON.as_micros(),
            "with RestartSec={setting}, {UNIT} ended at {ended:?} and was restarted at {restarted:?}; correct limits.md"
        );
        let _ = writeln!(
            table,
            "| `RestartSec={setting}` | {} | {} | {} | {} |",
            exact(ended),
            exact(due),
            exact(restarted),
            exact(restarted.saturating_sub(due))
        );
    }
    let with = lab.measured_with()?;
    Ok(vec![Measured::text(TABLE, &table, &with)])
}

fn exact(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

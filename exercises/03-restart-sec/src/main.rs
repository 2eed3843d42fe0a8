//! Stage 03: delays between restarts, and when to give up.
//!
//! A start of the web front end is expensive: it loads its data for two seconds. Then it asks the database (its address
//! is in the environment variable `DATABASE`), and while the database is down the start fails with exit code 1. As the
//! unit is now, systemd tries again after 100 ms, forever, and nobody gets an alert. The program is right as it is:
//! edit the units, and leave this file alone.
//!
//! The task, in `units/exercise-03.service` and `units/exercise-03-alert@.service`:
//!
//! 1. The service survives an outage without a person: the database comes two minutes after the first start, and three
//!    minutes after the first start `GET /` on 127.0.0.1:7878 is answered with `Hello World!`.
//! 2. Restarts come soon after a hiccup and less often in an outage: 20 s before the first restart, 40 s before the
//!    second, 80 s before all others.
//! 3. Four starts in five minutes and no more: if the database never comes, systemd gives up (`start limit hit`)
//!    instead of starting a fifth time. The machine itself keeps running.
//! 4. When systemd gives up, and not before, there is exactly one alert: systemd starts an instance of the template
//!    `exercise-03-alert@.service`, which logs a line with the name of the unit that failed.
//! 5. `systemctl stop` during the wait for a restart is not a failure: no alert, no further start.
//! 6. systemd refuses a start by hand while the five minutes last, and no longer. After `systemctl reset-failed`, and
//!    with the database up, it works.
//!
//! From a terminal, while nothing listens on that port: `DATABASE=127.0.0.1:7879 cargo run -p exercise-03`. The
//! database is `exercise-03 database`; its unit is complete.

mod config;
mod data;
mod database;
mod ending;
mod log;
mod server;
mod signals;
mod web;

use std::env;
use std::process::ExitCode;

use anyhow::{Context, anyhow};

use crate::config::Config;
use crate::ending::Failure;
use crate::signals::StopSignals;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::error(format_args!("{:#}", failure.error()));
            ExitCode::from(failure.code())
        }
    }
}

/// Plays the role that the first argument names.
async fn run() -> Result<(), Failure> {
    // Before anything else, so that SIGTERM never kills the service.
    let stop = StopSignals::register().context("cannot listen for signals")?;

    let config = Config::load().map_err(Failure::Configuration)?;
    match env::args().nth(1).as_deref() {
        None | Some("web") => web::run(config, stop).await,
        Some("database") => database::run(config, stop).await,
        Some(other) => Err(Failure::Configuration(anyhow!("no such role: {other}"))),
    }
}

//! Stage 03: delays between restarts, and when to give up.
//!
//! A start of the web front end is expensive: two seconds in which it loads its data. Then it asks the database (its
//! address is in the environment variable `DATABASE`), and while that is down the start fails with exit code 1. As the
//! unit is now, systemd tries again after 100 ms, forever, and nobody hears of it. Nothing is wrong with the program:
//! all that decides what happens is in the units, and nothing here needs a change.
//!
//! What to reach, in `units/exercise-03.service` and `units/exercise-03-alert@.service`:
//!
//! 1. An outage is survived without a person: the database comes two minutes after the first start, and three minutes
//!    after the first start `GET /` on 127.0.0.1:7878 is answered with `Hello World!`.
//! 2. Soon after a hiccup, patient in an outage: 20 s before the first restart, 40 s before the second, 80 s before all
//!    others.
//! 3. Four starts in five minutes and no more: when the database never comes, systemd gives up on it (`start limit
//!    hit`) instead of a fifth start. The machine itself runs on.
//! 4. Then, and not before, there is exactly one alert: systemd starts an instance of the template
//!    `exercise-03-alert@.service`, which logs a line with the name of the unit that failed.
//! 5. `systemctl stop` during the wait for a restart is not a failure: no alert, no further start.
//! 6. A start by hand is refused while the five minutes last, and no longer. After `systemctl reset-failed`, and with the
//!    database up, it works.
//!
//! By hand, while nothing listens on that port: `DATABASE=127.0.0.1:7879 cargo run -p exercise-03`. The database is
//! `exercise-03 database`; its unit is given.

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
    // First of all, so that there is no moment in which SIGTERM kills the service.
    let stop = StopSignals::register().context("cannot listen for signals")?;

    let config = Config::load().map_err(Failure::Configuration)?;
    match env::args().nth(1).as_deref() {
        None | Some("web") => web::run(config, stop).await,
        Some("database") => database::run(config, stop).await,
        Some(other) => Err(Failure::Configuration(anyhow!("no such role: {other}"))),
    }
}

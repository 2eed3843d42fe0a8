//! Stage 03, solved: the service survives an outage, and a crash loop ends.
//!
//! The start is expensive (it loads data for two seconds) and fails while the database is down. The units decide what
//! happens then:
//!
//! | Setting | Why |
//! |---|---|
//! | `RestartSec=`, `RestartSteps=`, `RestartMaxDelaySec=` | 20, 40, 80 s: soon after a hiccup, less often in an outage |
//! | `StartLimitBurst=`, `StartLimitIntervalSec=` | four starts in five minutes, then a person is needed |
//! | `OnFailure=`, `RestartMode=direct` | the person gets one alert |
//!
//! `units/solution-03.service`, `units/solution-03-alert@.service`.

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

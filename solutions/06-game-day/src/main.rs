//! Stage 06, solved: a shop that keeps its promises on a bad day.
//!
//! | Promise | What keeps it |
//! |---|---|
//! | the page is answered | it needs no database (`server.rs`), so neither does the self-test: a database that hangs is not a reason to restart the web front end |
//! | no long outage | `RestartSec=2s` without growth, a watchdog for each service, and a deadline for each question (`client.rs`) |
//! | no order is lost | `OK` comes after `Store::write` (`database.rs`) |
//! | no crash loop | a worker that waits for the database instead of ending (`worker.rs`) |
//! | one alert | `OnFailure=`, `RestartMode=direct`, `RestartPreventExitStatus=65` and `78` |
//! | the operator is obeyed | `PartOf=` the target |
//!
//! The units are `units/solution-06*`.

mod client;
mod config;
mod data;
mod database;
mod ending;
mod faults;
mod log;
mod notify;
mod self_test;
mod server;
mod signals;
mod store;
mod watchdog;
mod web;
mod worker;

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

    match env::args().nth(1).as_deref() {
        None | Some("web") => {
            let config = Config::load().map_err(Failure::Configuration)?;
            web::run(config, stop).await
        }
        Some("worker") => worker::run(stop).await,
        Some("database") => database::run(stop).await,
        Some(other) => Err(Failure::Configuration(anyhow!("no such role: {other}"))),
    }
}

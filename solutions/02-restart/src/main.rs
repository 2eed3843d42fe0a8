//! Stage 02, solved: one binary, three roles, three restart policies.
//!
//! | Role | Unit | systemd restarts it |
//! |---|---|---|
//! | `web` (also without an argument) | `units/solution-02.service` | always |
//! | `worker` | `units/solution-02-worker.service` | when it failed, not when its work is done |
//! | `database` | `units/solution-02-database.service` | only when something was in the way, never after a crash |
//!
//! A configuration error is never worth another try. Exit codes tell systemd what it cannot see: `ending.rs`.

mod config;
mod database;
mod ending;
mod log;
mod server;
mod signals;
mod web;
mod worker;

use std::env;
use std::process::ExitCode;

use anyhow::{Context, anyhow};

use crate::config::Config;
use crate::ending::{Done, Failure};
use crate::signals::StopSignals;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(done) => ExitCode::from(done.code()),
        Err(failure) => {
            log::error(format_args!("{:#}", failure.error()));
            ExitCode::from(failure.code())
        }
    }
}

/// Plays the role that the first argument names.
async fn run() -> Result<Done, Failure> {
    // Before anything else, so that SIGTERM never kills the service.
    let stop = StopSignals::register().context("cannot listen for signals")?;

    let config = Config::load().map_err(Failure::Configuration)?;
    match env::args().nth(1).as_deref() {
        None | Some("web") => web::run(config, stop).await,
        Some("worker") => worker::run(config, stop).await,
        Some("database") => database::run(config, stop).await,
        Some(other) => Err(Failure::Configuration(anyhow!("no such role: {other}"))),
    }
}

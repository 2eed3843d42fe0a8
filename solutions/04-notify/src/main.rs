//! Stage 04, solved: a service that tells systemd when it is ready.
//!
//! It answers `GET /` with `Hello World!` on 127.0.0.1:7878, after a warm-up of two seconds in which
//! it loads its data. systemd hears from it through sd_notify(3):
//!
//! | When | What | Why |
//! |---|---|---|
//! | a part has arrived | `STATUS=`, `EXTEND_TIMEOUT_USEC=` | slow is not a failure, stalled is |
//! | data loaded, and bound | `READY=1`, `STATUS=` | units ordered after this one may start |
//! | SIGHUP | `RELOADING=1`, `MONOTONIC_USEC=`, then `READY=1`, `STATUS=` | `systemctl reload` waits until it is done |
//! | SIGTERM or Ctrl-C | `STOPPING=1`, `STATUS=` | shows why the service still runs |
//!
//! All of it is in `web.rs`; its unit is `units/solution-04.service`.

mod config;
mod data;
mod database;
mod ending;
mod log;
mod notify;
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

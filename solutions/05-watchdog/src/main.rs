//! Stage 05, solved: systemd notices a service that hangs, and restarts it.
//!
//! systemd sees a process end. It does not see that a process no longer answers; `WatchdogSec=` is for that:
//!
//! | When | What | Why |
//! |---|---|---|
//! | every 5 s, if `GET /` is answered | `WATCHDOG=1` | a ping that proves what matters |
//! | no answer within 4 s | `STATUS=`, `WATCHDOG=trigger`, a line in the journal | at once, and with the reason |
//! | the executor hangs, or SIGSTOP | nothing | after 10 s without a ping systemd acts by itself |
//!
//! The self-test is in `self_test.rs`, the ping in `watchdog.rs`; the unit is `units/solution-05.service`.

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
mod watchdog;
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

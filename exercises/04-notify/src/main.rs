//! Stage 04: a service that tells systemd when it is ready.
//!
//! It answers `GET /` with `Hello World!` on 127.0.0.1:7878, after a warm-up of two seconds in which it loads its data.
//! It stops and reloads well, but tells systemd nothing yet: a unit that starts after it finds a closed port.
//!
//! The task, here and in `units/exercise-04.service`; every message is one of sd_notify(3):
//!
//! 1. `Type=notify-reload`. `READY=1` only when the listener is bound **and** the data is loaded. No `WatchdogSec=`
//!    yet: that is stage 05.
//! 2. `STATUS=` that a person can read: at least one while the data loads (`loading data: part 2 of 4`), a new one with
//!    or after `READY=1`, a new one with or after `STOPPING=1`.
//! 3. On SIGTERM and Ctrl-C: `STOPPING=1` at once, new connections are refused, and requests in flight get up to 5 s,
//!    including those that are only half-sent. Exit code 0. The same during the warm-up, but then without delay:
//!    nothing is in flight. (Everything except `STOPPING=1` works already.)
//! 4. `TimeoutStartSec=10s`: if the data stalls, systemd ends the start.
//! 5. A warm-up that takes longer gets more time, part by part: for each part that arrives, ask for 5 s more with
//!    `EXTEND_TIMEOUT_USEC=5000000`. With `DATA_PARTS=60` the start succeeds after 30 s; if part 30 never arrives
//!    (`DATA_STALL_AT=30`), systemd ends the start after about 19.5 s.
//! 6. `systemctl reload` sends SIGHUP and waits. First send `RELOADING=1` with `MONOTONIC_USEC=`, the time at which you
//!    send it; then read the configuration again; then send `READY=1` and a new `STATUS=`. The listener stays open, and
//!    no request is dropped. A configuration that cannot be read changes nothing: the service goes on with the old one,
//!    and `STATUS=` says so: a text that differs from the one after a good reload. (Reading the configuration again
//!    works already.)
//! 7. All of this in this order. If the port is taken: no `READY=1`, and a failure.
//! 8. In a terminal, without `NOTIFY_SOCKET`, everything works as before, also SIGHUP and Ctrl-C: no error.
//!
//! Look for `TODO` in `web.rs`; you do not need to change any other file here.

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

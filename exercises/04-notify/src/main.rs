//! Stage 04: a service that tells systemd when it is ready.
//!
//! It answers `GET /` with `Hello World!` on 127.0.0.1:7878, after a warm-up of two seconds in which
//! it loads its data. It stops and reloads well, but says nothing to systemd yet: a unit that is
//! started after it is refused.
//!
//! What to reach, here and in `units/exercise-04.service`; every message is one of sd_notify(3):
//!
//! 1. `Type=notify-reload`. `READY=1` only when the listener is bound **and** the data is loaded. No `WatchdogSec=` yet:
//!    that is stage 05.
//! 2. `STATUS=` that a person can read: at least one while the data loads
//!    (`loading data: part 2 of 4`), a new one with or after `READY=1`, a new one with or after
//!    `STOPPING=1`.
//! 3. On SIGTERM and Ctrl-C: `STOPPING=1` at once, new connections are refused, and requests in flight
//!    get up to 5 s, also half-sent ones. Exit code 0. During the warm-up as well, but then
//!    without delay: nothing is in flight. (All but `STOPPING=1` works already.)
//! 4. `TimeoutStartSec=10s`: when the data stalls, systemd ends the start.
//! 5. A longer warm-up than that is kept alive, part by part: each one that arrives asks for 5 s more
//!    with `EXTEND_TIMEOUT_USEC=5000000`. With `DATA_PARTS=60` the start succeeds after 30 s; when
//!    part 30 never arrives (`DATA_STALL_AT=30`), it is ended after about 19.5 s.
//! 6. `systemctl reload` sends SIGHUP and waits: first `RELOADING=1` with `MONOTONIC_USEC=`, the time at
//!    which you say it; then the configuration is read again; then `READY=1` and a new `STATUS=`. The
//!    listener stays open, and no request is dropped. A configuration that cannot be read changes
//!    nothing: the old one stays, the service goes on, and `STATUS=` says so, in other words than when
//!    all is well. (Reading it again works already.)
//! 7. All of this in this order. When the port is taken: no `READY=1`, and a failure.
//! 8. In a terminal, without `NOTIFY_SOCKET`, all is as before: no error.
//!
//! The places are in `web.rs`; no other file here needs a change.

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

//! Stage 05: systemd notices a service that hangs, and restarts it.
//!
//! It is the service of stage 04, with two ways to fail on demand (`faults.rs`) and one slow but honest request:
//! `GET /report` takes 3 s, in which its thread does nothing else. When the service hangs, systemd sees a process that
//! runs.
//!
//! The task, here and in `units/exercise-05.service`; every message is one of sd_notify(3):
//!
//! 1. `WatchdogSec=10s`, and `WATCHDOG=1` often enough for a healthy service. Slow is not a failure: a report takes
//!    3 s, the database may take 3 s for an answer (not both at once), and ten minutes of that pass without a kill.
//!    Neither is a stop: requests in flight get up to 5 s and are answered, exit code 0.
//! 2. `WATCHDOG=1` only after a self-test that succeeded: `GET /` on 127.0.0.1:7878, through the front door, is
//!    answered with status 200 within 4 s. If it is not, or if nobody can connect: a `STATUS=` that says why and a line
//!    of priority err, then at once `WATCHDOG=trigger` (systemd kills the service as soon as it reads that), and no
//!    further `WATCHDOG=1`. So a deadlock (`GET /fault/deadlock`) is noticed within 10 s, and the service answers again
//!    within 40 s.
//! 3. The same when the executor is blocked (`GET /fault/block`), but then nobody can say why. The runtime keeps its
//!    one thread (`current_thread`): a runtime with more threads hangs only once all of them are blocked.
//! 4. The same when the process is stopped (SIGSTOP).
//! 5. The same, with the reason, when the database takes connections and no longer answers, or is gone (`GET /` is then
//!    answered with 503), provided that the database works again by the next start.
//! 6. systemd gives up on a service that hangs at every start after four starts within five minutes, with one alert.
//!    (The unit has this from stage 03.)
//! 7. Without `WatchdogSec=`, and so in a terminal, there is no self-test.
//!
//! Look for `TODO` in `web.rs`; add a module or two of your own. You do not need to change `server.rs` and `faults.rs`.

mod config;
mod data;
mod database;
mod ending;
mod faults;
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

//! Stage 02: one binary, three roles, three ways to come back.
//!
//! `exercise-02 web` (also without an argument) is the service of stage 01, `exercise-02 worker` does a few items and ends,
//! `exercise-02 database` stands for a database. A wrong `/etc/hello-world.conf` ends any of them.
//!
//! What to reach, here, in `prediction.md` and in the three units `units/exercise-02*.service`:
//!
//! 1. First predict: `prediction.md` is a table of what each setting of `Restart=` does after each kind of end. Fill it
//!    in; the check runs all 77 cells and shows where systemd does otherwise.
//! 2. The web front end keeps nothing: it comes back after SIGKILL, after a core dump (SIGABRT), and also when it ended
//!    cleanly without systemd having stopped it.
//! 3. The worker comes back after SIGKILL, but not when its work is done: with exit code 0, or with exit code 10 when it
//!    has skipped broken items. Both are successes.
//! 4. The database does not come back after SIGKILL or a core dump: its data may be damaged, and a person looks first.
//!    When another one still uses its address, nothing has been touched: it ends with exit code 75 (EX_TEMPFAIL), which is a
//!    failure, and is started again until the address is free. (`RestartSec=5s` is there for that; stage 03 says more.)
//! 5. A configuration error ends all three with exit code 78 (EX_CONFIG): a failure, and never worth another try.
//!
//! What comes back does so within 20 s.
//!
//! Exit codes are in `ending.rs`; no other source file needs a change.

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
    // First of all, so that there is no moment in which SIGTERM kills the service.
    let stop = StopSignals::register().context("cannot listen for signals")?;

    let config = Config::load().map_err(Failure::Configuration)?;
    match env::args().nth(1).as_deref() {
        None | Some("web") => web::run(config, stop).await,
        Some("worker") => worker::run(config, stop).await,
        Some("database") => database::run(config, stop).await,
        Some(other) => Err(Failure::Configuration(anyhow!("no such role: {other}"))),
    }
}

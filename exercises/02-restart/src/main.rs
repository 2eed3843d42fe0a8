//! Stage 02: one binary, three roles, three restart policies.
//!
//! `exercise-02 web` (the default without an argument) is the service of stage 01, `exercise-02 worker` processes a few
//! items and ends, `exercise-02 database` stands for a database. A wrong `/etc/hello-world.conf` ends any of them.
//!
//! The task, here, in `prediction.md` and in the three units `units/exercise-02*.service`:
//!
//! 1. First predict: `prediction.md` is a table of what each setting of `Restart=` does after each kind of end. Fill it
//!    in; the check runs all 77 cells and shows where systemd does something else.
//! 2. The web front end keeps no data: systemd restarts it after SIGKILL, after a core dump (SIGABRT), and also after a
//!    clean end that no stop job asked for.
//! 3. systemd restarts the worker after SIGKILL, but not when its work is done: with exit code 0, or with exit code 10
//!    if it has skipped broken items. Both are successes.
//! 4. systemd does not restart the database after SIGKILL or a core dump: its data may be damaged, and a person looks
//!    first. If another process still uses its address, the database has touched nothing: it ends with exit code 75
//!    (EX_TEMPFAIL), which is a failure, and systemd starts it again until the address is free. (That is what
//!    `RestartSec=5s` is for; stage 03 says more.)
//! 5. A configuration error ends all three with exit code 78 (EX_CONFIG): a failure, and never worth another try.
//!
//! Every restart comes within 20 s.
//!
//! The exit codes are in `ending.rs`; you do not need to change any other source file.

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

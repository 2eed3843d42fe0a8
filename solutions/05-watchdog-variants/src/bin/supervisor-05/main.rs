//! Stage 05, solved with a supervisor: every task reports to it through one channel, and it alone
//! speaks to systemd, by hand over a datagram socket.
//!
//! The self-test is a client of hyper's, on a connection of its own for each test.

#[path = "../../../../05-watchdog/src/config.rs"]
mod config;
#[path = "../../../../05-watchdog/src/data.rs"]
mod data;
#[path = "../../../../05-watchdog/src/database.rs"]
mod database;
#[path = "../../../../05-watchdog/src/ending.rs"]
mod ending;
#[path = "../../../../05-watchdog/src/faults.rs"]
mod faults;
#[path = "../../../../05-watchdog/src/log.rs"]
mod log;
mod manager;
mod probe;
#[path = "../../../../05-watchdog/src/server.rs"]
mod server;
#[path = "../../../../05-watchdog/src/signals.rs"]
mod signals;
mod supervisor;

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
            log::error(format_args!("fatal: {:#}", failure.error()));
            ExitCode::from(failure.code())
        }
    }
}

async fn run() -> Result<(), Failure> {
    let stop = StopSignals::register().context("signals")?;
    let config = Config::load().map_err(Failure::Configuration)?;
    let role = env::args().nth(1).unwrap_or_else(|| "web".to_owned());
    match role.as_str() {
        "web" => supervisor::run(config, stop).await,
        "database" => database::run(config, stop).await,
        _ => Err(Failure::Configuration(anyhow!("not a role: {role}"))),
    }
}

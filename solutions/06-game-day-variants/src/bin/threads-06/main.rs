//! Stage 06, solved with threads: the database serves each client on a thread of its own, and another one tests it. The
//! worker ends when the database is away, and systemd restarts it after a while.

#[path = "../../../../06-game-day/src/client.rs"]
mod client;
#[path = "../../../../06-game-day/src/config.rs"]
mod config;
#[path = "../../../../06-game-day/src/data.rs"]
mod data;
mod database;
#[path = "../../../../06-game-day/src/ending.rs"]
mod ending;
#[path = "../../../../06-game-day/src/faults.rs"]
mod faults;
#[path = "../../../../06-game-day/src/log.rs"]
mod log;
#[path = "../../../../06-game-day/src/notify.rs"]
mod notify;
#[path = "../../../../06-game-day/src/self_test.rs"]
mod self_test;
#[path = "../../../../06-game-day/src/server.rs"]
mod server;
#[path = "../../../../06-game-day/src/signals.rs"]
mod signals;
#[path = "../../../../06-game-day/src/store.rs"]
mod store;
#[path = "../../../../06-game-day/src/watchdog.rs"]
mod watchdog;
#[path = "../../../../06-game-day/src/web.rs"]
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
            log::error(format_args!("fatal: {:#}", failure.error()));
            ExitCode::from(failure.code())
        }
    }
}

async fn run() -> Result<(), Failure> {
    let stop = StopSignals::register().context("signals")?;
    let role = env::args().nth(1).unwrap_or_else(|| "web".to_owned());
    match role.as_str() {
        "web" => web::run(Config::load().map_err(Failure::Configuration)?, stop).await,
        "database" => database::run(stop).await,
        "worker" => worker::run(stop).await,
        _ => Err(Failure::Configuration(anyhow!("not a role: {role}"))),
    }
}

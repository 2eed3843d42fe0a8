//! Stage 03, with the same code in another order: it listens first and loads after that, so early clients wait in the
//! listener's queue instead of being refused. On several threads of tokio.
//!
//! The stage is about units. Here the delays are written in other units of time, the instance of the alert has the
//! name without `.service`, and the alert is written by `systemd-cat`.

#[path = "../../../03-restart-sec/src/config.rs"]
mod config;
#[path = "../../../03-restart-sec/src/data.rs"]
mod data;
#[path = "../../../03-restart-sec/src/database.rs"]
mod database;
#[path = "../../../03-restart-sec/src/ending.rs"]
mod ending;
#[path = "../../../03-restart-sec/src/log.rs"]
mod log;
#[path = "../../../03-restart-sec/src/server.rs"]
mod server;
#[path = "../../../03-restart-sec/src/signals.rs"]
mod signals;

use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::config::Config;
use crate::data::Data;
use crate::ending::Failure;
use crate::server::Server;
use crate::signals::StopSignals;

/// Where the service listens.
const ADDRESS: &str = "127.0.0.1:7878";

/// How long requests in flight may take to finish; half of the unit's `TimeoutStopSec=`.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match env::args().nth(1).as_deref() {
        None | Some("web") => web().await,
        Some("database") => database().await,
        Some(other) => Err(Failure::Configuration(anyhow!("what is {other}?"))),
    };
    let Err(failure) = ended else {
        return ExitCode::SUCCESS;
    };
    log::error(format_args!("ends early: {:#}", failure.error()));
    ExitCode::from(failure.code())
}

async fn database() -> Result<(), Failure> {
    let stop = StopSignals::register().context("signals")?;
    let config = Config::load().map_err(Failure::Configuration)?;
    database::run(config, stop).await
}

async fn web() -> Result<(), Failure> {
    let mut stop = StopSignals::register().context("signals")?;
    let config = Config::load().map_err(Failure::Configuration)?;
    let listener = TcpListener::bind(ADDRESS).await.context(ADDRESS)?;

    let data = tokio::select! {
        data = Data::load(config, |part| log::info(format_args!("{part} has come"))) => data?,
        // A client in the queue has no answer to lose yet.
        () = stop.received() => return Ok(()),
    };
    let server = Server::new(listener, Arc::new(data));
    log::info("loaded, answering");
    server.serve_until(stop.received()).await;
    if timeout(DRAIN_DEADLINE, server.drain()).await.is_err() {
        log::warning("some requests were not finished in time");
    }
    Ok(())
}

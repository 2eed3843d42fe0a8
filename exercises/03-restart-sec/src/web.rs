//! The web front end: loads its data, then answers. You do not need to change this file.
//!
//! It keeps nothing between requests, so systemd may restart it, whatever has happened.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::config::Config;
use crate::data::{Data, Part};
use crate::ending::Failure;
use crate::log;
use crate::server::Server;
use crate::signals::StopSignals;

/// Where the service listens.
const ADDRESS: &str = "127.0.0.1:7878";

/// How long requests in flight may take to finish. Shorter than the unit's `TimeoutStopSec=`, so that the service ends
/// them, and not SIGKILL.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// Loads, serves until it is stopped, drains.
pub(crate) async fn run(config: Config, mut stop: StopSignals) -> Result<(), Failure> {
    let data = tokio::select! {
        data = Data::load(config, report_part) => data?,
        () = stop.received() => {
            report_stopping("stopping before all data was loaded");
            return Ok(());
        }
    };

    // Not before there is an answer: until now, clients are refused and can try again.
    let listener = TcpListener::bind(ADDRESS)
        .await
        .with_context(|| format!("cannot listen on {ADDRESS}"))?;
    let server = Server::new(listener, Arc::new(data));
    log::info(format_args!("serving http://{ADDRESS}/"));
    server.serve_until(stop.received()).await;

    report_stopping("finishing requests in flight");
    if timeout(DRAIN_DEADLINE, server.drain()).await.is_err() {
        log::warning(format_args!(
            "gave up on requests unfinished after {DRAIN_DEADLINE:?}"
        ));
    }
    Ok(())
}

/// A part has arrived.
fn report_part(part: Part) {
    log::info(format_args!("loading data: {part}"));
}

/// Reports a stop when it begins, not when it is over.
fn report_stopping(status: &str) {
    log::info(status);
}

//! The web front end: loads its data, then answers. Given: nothing here needs a change.
//!
//! It keeps nothing between requests, so it may be started again whatever has happened.

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

/// How long requests in flight may take to finish. Shorter than the unit's `TimeoutStopSec=`, so that
/// it is the service that ends them and not SIGKILL.
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

    // Only now that there is an answer: until here, clients are refused and may come again.
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

/// Says at once that the service stops, not when it has stopped.
fn report_stopping(status: &str) {
    log::info(status);
}

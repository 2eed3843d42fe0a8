//! The web front end: the service of stage 01. You do not need to change this file.
//!
//! It keeps nothing between requests, so systemd may restart it, whatever has happened.

use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::config::Config;
use crate::ending::{Done, Failure};
use crate::log;
use crate::server::Server;
use crate::signals::StopSignals;

/// Where the service listens.
const ADDRESS: &str = "127.0.0.1:7878";

/// How long requests in flight may take to finish. Shorter than the unit's `TimeoutStopSec=`, so that the service ends
/// them, and not SIGKILL.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// Serves until it is stopped, then drains.
pub(crate) async fn run(config: Config, mut stop: StopSignals) -> Result<Done, Failure> {
    let listener = TcpListener::bind(ADDRESS)
        .await
        .with_context(|| format!("cannot listen on {ADDRESS}"))?;
    let server = Server::new(listener, &config.greeting);
    log::info(format_args!("serving http://{ADDRESS}/"));
    server.serve_until(stop.received()).await;

    log::info("finishing requests in flight");
    if timeout(DRAIN_DEADLINE, server.drain()).await.is_err() {
        log::warning(format_args!(
            "gave up on requests unfinished after {DRAIN_DEADLINE:?}"
        ));
    }
    Ok(Done::Completely)
}

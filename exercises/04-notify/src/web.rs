//! The web front end: loads its data, answers, reloads, stops. It tells systemd nothing yet.
//!
//! It keeps nothing between requests, so systemd may restart it, whatever has happened.

use std::convert::Infallible;
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
use crate::signals::{ReloadSignal, StopSignals};

/// Where the service listens.
const ADDRESS: &str = "127.0.0.1:7878";

/// How long requests in flight may take to finish. Shorter than the unit's `TimeoutStopSec=`, so that the service ends
/// them, and not SIGKILL.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// Loads, serves until it is stopped, drains.
pub(crate) async fn run(config: Config, mut stop: StopSignals) -> Result<(), Failure> {
    let reload = ReloadSignal::register().context("cannot listen for SIGHUP")?;

    let data = tokio::select! {
        data = Data::load(config, report_part) => Arc::new(data?),
        () = stop.received() => {
            report_stopping("stopping before all data was loaded");
            return Ok(());
        }
    };

    // Not before there is an answer: until now, clients are refused and can try again.
    let listener = TcpListener::bind(ADDRESS)
        .await
        .with_context(|| format!("cannot listen on {ADDRESS}"))?;
    let server = Server::new(listener, Arc::clone(&data));
    log::info(format_args!("serving http://{ADDRESS}/"));

    // TODO: the listener is bound, the data loaded. Tell systemd that the service is ready, with a new status.
    tokio::select! {
        () = server.serve_until(stop.received()) => {}
        never = reload_on_demand(reload, &data) => match never {},
    }

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
    let status = format!("loading data: {part}");
    log::info(&status);
    // TODO: tell systemd this status, and that the start may take 5 s more from now.
}

/// Reads the configuration again at each SIGHUP. The service answers requests all the while.
async fn reload_on_demand(mut reload: ReloadSignal, data: &Data) -> Infallible {
    loop {
        reload.received().await;
        // TODO: tell systemd that the reload begins, with the time stamp that it expects.
        match Config::load() {
            Ok(config) => data.reconfigure(config),
            // Keep what worked until now.
            Err(error) => log::error(format_args!("the configuration stays as it was: {error:#}")),
        }
        // TODO: tell systemd that the reload has ended, with a status that says how.
    }
}

/// Reports a stop when it begins, not when it is over.
fn report_stopping(status: &str) {
    log::info(status);
    // TODO: tell systemd that the service is stopping, with this status.
}

// TODO: one function that sends a notification, for all these places. `sd_notify::notify` takes a
// slice of `sd_notify::NotifyState` and does nothing without `NOTIFY_SOCKET`. What should the service
// do when it fails?

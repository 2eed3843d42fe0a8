//! The web front end: loads its data, says that it is ready, answers and tests itself, reloads, stops.
//!
//! It keeps nothing between requests, so systemd may restart it, whatever has happened.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::config::Config;
use crate::data::{Data, Part};
use crate::ending::Failure;
use crate::log;
use crate::notify::tell_systemd;
use crate::self_test;
use crate::server::Server;
use crate::signals::{ReloadSignal, StopSignals};
use crate::watchdog;

/// Where the service listens.
const ADDRESS: &str = "127.0.0.1:7878";

/// How long the next part may take to arrive: 5 s, in the microseconds of `EXTEND_TIMEOUT_USEC=`.
/// Ten times what a part takes, so only a part that stalls runs out of it.
const NEXT_PART_DEADLINE_USEC: u32 = 5_000_000;

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

    // Bound, and all data loaded: units that systemd starts after this one get their answers.
    tell_systemd(&[
        NotifyState::Ready,
        NotifyState::Status("answering requests"),
    ]);
    tokio::select! {
        () = server.serve_until(stop.received()) => {}
        never = reload_on_demand(reload, &data) => match never {},
        // Ends with the serving: during a stop the self-test would fail, and rightly so.
        never = watchdog::run(async || self_test::run(ADDRESS).await) => match never {},
    }

    report_stopping("finishing requests in flight");
    if timeout(DRAIN_DEADLINE, server.drain()).await.is_err() {
        log::warning(format_args!(
            "gave up on requests unfinished after {DRAIN_DEADLINE:?}"
        ));
    }
    Ok(())
}

/// A part has arrived: only this earns the start more time. A timer could ask for it as well, but it would go on asking
/// after the data has stalled.
fn report_part(part: Part) {
    let status = format!("loading data: {part}");
    log::info(&status);
    tell_systemd(&[
        NotifyState::Status(&status),
        NotifyState::ExtendTimeoutUsec(NEXT_PART_DEADLINE_USEC),
    ]);
}

/// Reads the configuration again at each SIGHUP. The service answers requests all the while.
async fn reload_on_demand(mut reload: ReloadSignal, data: &Data) -> Infallible {
    loop {
        reload.received().await;
        // The stamp tells systemd that this answers its request and not an earlier one.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell_systemd(&[NotifyState::Reloading, now]),
            Err(error) => log::warning(format_args!("cannot read the clock: {error}")),
        }
        let status = match Config::load() {
            Ok(config) => {
                data.reconfigure(config);
                "answering requests, with the configuration read again".to_owned()
            }
            // Keep what worked until now.
            Err(error) => {
                log::error(format_args!("the configuration stays as it was: {error:#}"));
                format!("answering requests; the configuration stays as it was: {error:#}")
            }
        };
        tell_systemd(&[NotifyState::Ready, NotifyState::Status(&status)]);
    }
}

/// Reports a stop when it begins, not when it is over.
fn report_stopping(status: &str) {
    log::info(status);
    tell_systemd(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

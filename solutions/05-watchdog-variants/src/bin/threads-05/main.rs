//! Stage 05, solved with a self-test in a thread of its own: blocking sockets, its own deadline, its
//! own pings. The service runs on tokio's other kind of runtime.
//!
//! Whatever hangs in tokio, this thread does not, so it is the one that triggers. The unit gets its
//! watchdog from a drop-in.

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
mod guard;
#[path = "../../../../05-watchdog/src/log.rs"]
mod log;
#[path = "../../../../05-watchdog/src/notify.rs"]
mod notify;
#[path = "../../../../05-watchdog/src/server.rs"]
mod server;
#[path = "../../../../05-watchdog/src/signals.rs"]
mod signals;

use std::convert::Infallible;
use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::config::Config;
use crate::data::Data;
use crate::ending::Failure;
use crate::guard::Guard;
use crate::notify::tell_systemd;
use crate::server::Server;
use crate::signals::{ReloadSignal, StopSignals};

/// Where the service listens.
const ADDRESS: &str = "127.0.0.1:7878";

/// The start may take this much longer with each part that arrives: 5 s, in microseconds.
const EXTENSION_USEC: u32 = 5_000_000;

/// For the requests in flight at a stop. The unit allows for twice as much.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// For tasks that still run after that. There is nothing more to wait for, and one that blocks its
/// thread would hold up the end.
const LEFTOVERS_DEADLINE: Duration = Duration::ZERO;

fn main() -> ExitCode {
    let runtime = Builder::new_multi_thread()
        // With two, one blocked thread would not be a hang: the other one answers.
        .worker_threads(1)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(play());
            runtime.shutdown_timeout(LEFTOVERS_DEADLINE);
            result
        }
        Err(error) => Err(Failure::Other(error.into())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::error(format_args!("cannot go on: {:#}", failure.error()));
            ExitCode::from(failure.code())
        }
    }
}

async fn play() -> Result<(), Failure> {
    let stop = StopSignals::register().context("cannot listen for signals")?;
    let config = Config::load().map_err(Failure::Configuration)?;
    match env::args().nth(1).as_deref() {
        Some("web") | None => web(config, stop).await,
        Some("database") => database::run(config, stop).await,
        Some(role) => Err(Failure::Configuration(anyhow!("cannot play {role}"))),
    }
}

async fn web(config: Config, mut stop: StopSignals) -> Result<(), Failure> {
    let hangup = ReloadSignal::register().context("cannot listen for SIGHUP")?;
    let loading = Data::load(config, |part| {
        tell_systemd(&[
            NotifyState::ExtendTimeoutUsec(EXTENSION_USEC),
            NotifyState::Status(&format!("has {part}")),
        ]);
    });
    let data = tokio::select! {
        data = loading => Arc::new(data?),
        () = stop.received() => {
            tell_systemd(&[NotifyState::Stopping, NotifyState::Status("stops before the start")]);
            return Ok(());
        }
    };
    let listener = TcpListener::bind(ADDRESS)
        .await
        .with_context(|| format!("cannot listen on {ADDRESS}"))?;
    let server = Server::new(listener, Arc::clone(&data));
    tell_systemd(&[NotifyState::Ready, NotifyState::Status("up")]);

    let guard = match sd_notify::watchdog_enabled() {
        Some(limit) => Some(Guard::post(limit).context("cannot start the guard")?),
        None => None,
    };
    tokio::select! {
        () = server.serve_until(stop.received()) => {}
        never = reloads(hangup, &data) => match never {},
    }
    // From here on the listener goes away, and a failed test means nothing.
    drop(guard);

    tell_systemd(&[
        NotifyState::Stopping,
        NotifyState::Status("last requests are being answered"),
    ]);
    if timeout(DRAIN_DEADLINE, server.drain()).await.is_err() {
        log::warning("some requests were not answered");
    }
    Ok(())
}

async fn reloads(mut hangup: ReloadSignal, data: &Data) -> Infallible {
    loop {
        hangup.received().await;
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell_systemd(&[NotifyState::Reloading, now]),
            Err(error) => log::warning(format_args!("no time stamp: {error}")),
        }
        let result = Config::load();
        let status = match &result {
            Ok(_) => "up, with a new configuration".to_owned(),
            Err(error) => format!("up, with the old configuration: {error:#}"),
        };
        match result {
            Ok(config) => data.reconfigure(config),
            Err(_) => log::error(&status),
        }
        tell_systemd(&[NotifyState::Ready, NotifyState::Status(&status)]);
    }
}

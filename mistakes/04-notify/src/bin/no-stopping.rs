//! Mistake: `STOPPING=1` is never sent. The service stops well, but systemd cannot tell a service
//! that finishes its requests from one that has not heard.

#[path = "../../../../solutions/04-notify/src/data.rs"]
mod data;
#[path = "../../../../solutions/04-notify/src/server.rs"]
mod server;
#[path = "../../../../solutions/04-notify/src/signals.rs"]
mod signals;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::data::{Data, Part};
use crate::server::Server;
use crate::signals::StopSignals;

/// Where the service listens.
const ADDRESS: &str = "127.0.0.1:7878";

/// How long the next part may take to arrive: 5 s, in the microseconds of `EXTEND_TIMEOUT_USEC=`.
/// Ten times what a part takes, so that only one that stalls is given up.
const NEXT_PART_DEADLINE_USEC: u32 = 5_000_000;

/// How long requests in flight may take to finish. Shorter than the unit's `TimeoutStopSec=`, so that
/// it is the service that ends them and not SIGKILL.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Loads, serves, drains.
async fn run() -> anyhow::Result<()> {
    // First of all, so that there is no moment in which SIGTERM kills the service.
    let mut stop = StopSignals::register().context("cannot listen for signals")?;

    let data = tokio::select! {
        data = Data::load(report_part) => data,
        () = stop.received() => {
            report_stopping("Stopping before all data was loaded");
            return Ok(());
        }
    };

    // Only now that there is an answer: until here, clients are refused and may come again.
    let listener = TcpListener::bind(ADDRESS)
        .await
        .with_context(|| format!("cannot listen on {ADDRESS}"))?;
    let server = Server::new(listener, data);
    println!("serving http://{ADDRESS}/");

    // Bound, and all data loaded: what systemd starts after this unit will be answered.
    tell_systemd(&[
        NotifyState::Ready,
        NotifyState::Status("Answering requests"),
    ]);
    server.serve_until(stop.received()).await;

    report_stopping("Finishing requests in flight");
    if timeout(DRAIN_DEADLINE, server.drain()).await.is_err() {
        eprintln!("gave up on requests unfinished after {DRAIN_DEADLINE:?}");
    }
    Ok(())
}

/// A part has arrived: this, and nothing else, earns the start more time. A timer could ask for it
/// as well, but it would go on asking when the data stalls.
fn report_part(part: Part) {
    let status = format!("Loading data: {part}");
    println!("{status}");
    tell_systemd(&[
        NotifyState::Status(&status),
        NotifyState::ExtendTimeoutUsec(NEXT_PART_DEADLINE_USEC),
    ]);
}

/// Says why the service still runs.
fn report_stopping(status: &str) {
    println!("{status}");
    tell_systemd(&[NotifyState::Status(status)]);
}

/// Sends a notification; does nothing when no service manager listens, as in a terminal.
fn tell_systemd(state: &[NotifyState]) {
    // The service can do its work without being heard: no reason to end it.
    if let Err(error) = sd_notify::notify(state) {
        eprintln!("cannot notify systemd: {error}");
    }
}

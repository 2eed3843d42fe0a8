//! Stage 04: a service that tells systemd when it is ready.
//!
//! It answers `GET /` with `Hello World!` on 127.0.0.1:7878, after a warm-up of two seconds in which
//! it loads its data. It stops well, but says nothing to systemd yet: a unit that is started after it
//! is refused.
//!
//! What to reach, here and in `units/exercise-04.service`; every message is one of sd_notify(3):
//!
//! 1. `Type=notify`. `READY=1` only when the listener is bound **and** the data is loaded.
//! 2. `STATUS=` that a person can read: at least one while the data loads
//!    (`Loading data: part 2 of 4`), a new one with or after `READY=1`, a new one with or after
//!    `STOPPING=1`.
//! 3. On SIGTERM and Ctrl-C: `STOPPING=1` at once, no new connections, and up to 5 s for the requests
//!    in flight, also for those sent only in part. Exit code 0. During the warm-up as well, but then
//!    without delay: nothing is in flight. (All but `STOPPING=1` works already.)
//! 4. `TimeoutStartSec=10s`: when the data stalls, systemd ends the start.
//! 5. A longer warm-up than that is kept alive, part by part: each one that arrives asks for 5 s more
//!    with `EXTEND_TIMEOUT_USEC=5000000`. With `DATA_PARTS=60` the start succeeds after 30 s; when
//!    part 30 never arrives (`DATA_STALL_AT=30`), it is ended after about 19.5 s.
//! 6. In a terminal, without `NOTIFY_SOCKET`, all is as before: no error.
//!
//! `data.rs`, `server.rs` and `signals.rs` need no change.

mod data;
mod server;
mod signals;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::data::{Data, Part};
use crate::server::Server;
use crate::signals::StopSignals;

/// Where the service listens.
const ADDRESS: &str = "127.0.0.1:7878";

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

    // TODO: bound, and all data loaded. Tell systemd that it is ready, with a new status.
    server.serve_until(stop.received()).await;

    report_stopping("Finishing requests in flight");
    if timeout(DRAIN_DEADLINE, server.drain()).await.is_err() {
        eprintln!("gave up on requests unfinished after {DRAIN_DEADLINE:?}");
    }
    Ok(())
}

/// A part has arrived.
fn report_part(part: Part) {
    let status = format!("Loading data: {part}");
    println!("{status}");
    // TODO: tell systemd this status, and that the start may take 5 s more from now.
}

/// Says at once that the service stops, not when it has stopped.
fn report_stopping(status: &str) {
    println!("{status}");
    // TODO: tell systemd that the service is stopping, with this status.
}

// TODO: one function that sends a notification, for all three places. `sd_notify::notify` takes a
// slice of `sd_notify::NotifyState` and does nothing without `NOTIFY_SOCKET`. What should the service
// do when it fails?

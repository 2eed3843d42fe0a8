//! Stage 01, solved: a plain service.
//!
//! It answers `GET /` with `Hello World!` on 127.0.0.1:7878. What makes it a service and not just a program:
//!
//! | When | What | Why |
//! |---|---|---|
//! | always | lines with priorities | `journalctl -p err` shows what matters |
//! | SIGTERM or Ctrl-C | answers what is in flight, for 5 s at most | systemd sends SIGKILL after its timeout |
//! | it cannot work | one line that says why, exit code 1 | systemd goes by the exit code, people by the line |
//!
//! Its unit is `units/solution-01.service`.

mod log;
mod server;
mod signals;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::time::timeout;

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
            log::error(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Serves, drains.
async fn run() -> anyhow::Result<()> {
    // Before anything else, so that SIGTERM never kills the service.
    let mut stop = StopSignals::register().context("cannot listen for signals")?;

    let listener = TcpListener::bind(ADDRESS)
        .await
        .with_context(|| format!("cannot listen on {ADDRESS}"))?;
    let server = Server::new(listener);
    log::info(format_args!("serving http://{ADDRESS}/"));
    server.serve_until(stop.received()).await;

    log::info("finishing requests in flight");
    if timeout(DRAIN_DEADLINE, server.drain()).await.is_err() {
        log::warning(format_args!(
            "gave up on requests unfinished after {DRAIN_DEADLINE:?}"
        ));
    }
    Ok(())
}

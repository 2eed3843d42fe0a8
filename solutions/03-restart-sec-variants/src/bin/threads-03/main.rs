//! Stage 03, solved with threads: the code of `threads-02`, and loading without tokio as well.
//!
//! The stage is about units. Here the service's unit is as a packager would leave it, and three drop-ins change one
//! thing each. systemd itself tells the alert which unit failed (`MONITOR_UNIT`), and the alert's priority is in its
//! unit, not in the line.

#[path = "../../../../03-restart-sec/src/config.rs"]
mod config;
#[path = "../../../../02-restart-variants/src/bin/threads-02/http.rs"]
mod http;
#[path = "../../../../02-restart-variants/src/bin/threads-02/journal.rs"]
mod journal;
mod load;
#[path = "../../../../03-restart-sec/src/signals.rs"]
mod signals;
#[path = "../../../../02-restart-variants/src/bin/threads-02/stop.rs"]
mod stop;

use std::env;
use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Error, anyhow};

use crate::config::Config;
use crate::http::Server;
use crate::load::Source;
use crate::stop::Stop;

/// Where the web front end listens.
const WEB_ADDRESS: &str = "127.0.0.1:7878";

/// Where the database listens.
const DATABASE_ADDRESS: &str = "127.0.0.1:7879";

/// How long requests in flight may take to finish; half of the unit's `TimeoutStopSec=`.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// For an error about which we know nothing.
const FAILED: u8 = 1;

/// EX_TEMPFAIL of sysexits(3): nothing has been touched.
const TRY_AGAIN: u8 = 75;

/// EX_CONFIG of sysexits(3): a person has to change something first.
const WRONGLY_CONFIGURED: u8 = 78;

fn main() -> ExitCode {
    match play() {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, error)) => {
            journal::error(format_args!("{error:#}"));
            ExitCode::from(code)
        }
    }
}

/// An error comes with its exit code.
fn play() -> Result<(), (u8, Error)> {
    let stop = Stop::on_signals().map_err(|error| (FAILED, error.into()))?;
    let config = Config::load().map_err(|error| (WRONGLY_CONFIGURED, error))?;
    match env::args().nth(1).as_deref() {
        None | Some("web") => web(config, &stop).map_err(|error| (FAILED, error)),
        Some("database") => database(config, &stop),
        Some(other) => Err((WRONGLY_CONFIGURED, anyhow!("{other} is not a role"))),
    }
}

fn web(config: Config, stop: &Stop) -> anyhow::Result<()> {
    let Some(source) = Source::load(config, stop)? else {
        journal::info("stopped while loading");
        return Ok(());
    };
    let greeting = move || match source.greeting() {
        Ok(greeting) => Some(greeting),
        Err(error) => {
            journal::warning(format_args!("no answer: {error:#}"));
            None
        }
    };
    let server = TcpListener::bind(WEB_ADDRESS)
        .and_then(|listener| Server::start(listener, greeting))
        .with_context(|| format!("cannot serve on {WEB_ADDRESS}"))?;
    journal::info(format_args!("web front end is up: {WEB_ADDRESS}"));

    stop.wait();
    let lost = server.drain(DRAIN_DEADLINE);
    if lost > 0 {
        journal::warning(format_args!("{lost} requests were not finished in time"));
    }
    Ok(())
}

fn database(config: Config, stop: &Stop) -> Result<(), (u8, Error)> {
    let listener = TcpListener::bind(DATABASE_ADDRESS).map_err(|error| {
        let code = match error.kind() {
            ErrorKind::AddrInUse => TRY_AGAIN,
            _ => FAILED,
        };
        (code, anyhow!(error).context(DATABASE_ADDRESS))
    })?;
    // Ends with the process.
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            // One that goes away early needs no answer. So few bytes never wait for a slow client.
            let _ = client.write_all(config.greeting.as_bytes());
        }
    });
    journal::info(format_args!("database is up: {DATABASE_ADDRESS}"));
    stop.wait();
    Ok(())
}

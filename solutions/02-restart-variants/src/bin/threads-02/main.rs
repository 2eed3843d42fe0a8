//! Stage 02, solved with threads and blocking sockets: no hyper, and tokio only for the two signals.
//!
//! How it ended is one enumeration whose numbers are the exit codes. Its units call exit codes by the names that
//! `systemd-analyze exit-status` lists, and put what is about restarts into drop-ins.

#[path = "../../../../02-restart/src/config.rs"]
mod config;
mod end;
mod http;
mod journal;
#[path = "../../../../02-restart/src/signals.rs"]
mod signals;
mod stop;

use std::env;
use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};

use crate::config::Config;
use crate::end::{End, OrEnd, Unfinished};
use crate::http::Server;
use crate::stop::Stop;

/// Where the web front end listens.
const WEB_ADDRESS: &str = "127.0.0.1:7878";

/// Where the database listens.
const DATABASE_ADDRESS: &str = "127.0.0.1:7879";

/// How long the worker takes for an item, as its description says.
const ITEM_TIME: Duration = Duration::from_secs(1);

/// How long requests in flight may take to finish; half of the unit's `TimeoutStopSec=`.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let end = play().unwrap_or_else(|unfinished| {
        journal::error(format_args!("{:#}", unfinished.why));
        unfinished.end
    });
    ExitCode::from(end as u8)
}

fn play() -> Result<End, Unfinished> {
    let stop = Stop::on_signals()
        .context("no signal can be received")
        .or_end(End::Failed)?;
    let config = Config::load().or_end(End::WronglyConfigured)?;
    let role = env::args().nth(1).unwrap_or_else(|| "web".to_owned());
    match role.as_str() {
        "web" => web(&config, &stop),
        "worker" => Ok(work(&config, &stop)),
        "database" => database(&config, &stop),
        _ => Err(anyhow!("{role} is not a role: web, worker, database"))
            .or_end(End::WronglyConfigured),
    }
}

fn web(config: &Config, stop: &Stop) -> Result<End, Unfinished> {
    let greeting = config.greeting.clone();
    let server = TcpListener::bind(WEB_ADDRESS)
        .and_then(|listener| Server::start(listener, move || Some(greeting.clone())))
        .with_context(|| format!("cannot serve on {WEB_ADDRESS}"))
        .or_end(End::Failed)?;
    journal::info(format_args!("web front end is up: {WEB_ADDRESS}"));

    stop.wait();
    let lost = server.drain(DRAIN_DEADLINE);
    if lost > 0 {
        journal::warning(format_args!("{lost} requests were not finished in time"));
    }
    Ok(End::Finished)
}

fn work(config: &Config, stop: &Stop) -> End {
    let mut end = End::Finished;
    for number in 1..=config.items {
        if stop.wait_at_most(ITEM_TIME) {
            // The next run does what is left.
            return End::Finished;
        }
        if config.broken == Some(number) {
            journal::warning(format_args!("could not do #{number}, going on without"));
            end = End::FinishedWithSkips;
        } else {
            journal::info(format_args!("#{number} is done"));
        }
    }
    end
}

fn database(config: &Config, stop: &Stop) -> Result<End, Unfinished> {
    let listener = TcpListener::bind(DATABASE_ADDRESS).map_err(|error| Unfinished {
        end: match error.kind() {
            // The data belongs to the process that is there; it has not been opened.
            ErrorKind::AddrInUse => End::TryAgain,
            _ => End::Failed,
        },
        why: anyhow!(error).context(format!("no database on {DATABASE_ADDRESS}")),
    })?;
    let greeting: Arc<str> = config.greeting.as_str().into();
    // Ends with the process: a client gets its answer at once, and nothing is in flight for long.
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let greeting = Arc::clone(&greeting);
            // One that goes away early needs no answer.
            thread::spawn(move || client.write_all(greeting.as_bytes()));
        }
    });
    journal::info(format_args!("database is up: {DATABASE_ADDRESS}"));
    stop.wait();
    Ok(End::Finished)
}

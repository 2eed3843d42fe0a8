//! Stage 02, solved without hyper on several threads of tokio: a table of roles, each a function in a module.
//!
//! There is no type for how a role can end. The exit code travels with the error, as a context that `main` finds
//! again, and a role that ends well returns its code. Its units say the same in other settings: the worker's has
//! `Restart=always` and names the ends that are final, the database's has `Restart=on-failure` and names what is
//! dangerous.

#[path = "../../../../02-restart/src/config.rs"]
mod config;
mod database;
mod exit_code;
mod web;
mod worker;

use std::env;
use std::io;
use std::pin::Pin;
use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::config::Config;
use crate::exit_code::{CONFIGURATION, Code};

/// A role that runs, until it ends with an exit code that is not a failure.
type Running = Pin<Box<dyn Future<Output = anyhow::Result<Code>>>>;

/// Starts a role.
type Start = fn(Config, Stop) -> Running;

/// Changes when the service is to stop.
type Stop = watch::Receiver<()>;

/// The first is the one without an argument.
const ROLES: [(&str, Start); 3] = [
    ("web", |config, stop| Box::pin(web::run(config, stop))),
    ("worker", |config, stop| Box::pin(worker::run(config, stop))),
    ("database", |config, stop| {
        Box::pin(database::run(config, stop))
    }),
];

#[tokio::main]
async fn main() -> ExitCode {
    let code = match run().await {
        Ok(code) => code,
        Err(error) => {
            // sd-daemon(3): the journal takes `<3>` as the priority, an error.
            eprintln!("<3>giving up: {error:#}");
            Code::of(&error)
        }
    };
    code.into()
}

async fn run() -> anyhow::Result<Code> {
    let stop = stop_on_signals().context("signal handlers")?;
    let config = Config::load().context(CONFIGURATION)?;
    let wanted = env::args().nth(1);
    let (_, role) = ROLES
        .iter()
        .find(|(name, _)| wanted.as_deref().is_none_or(|wanted| wanted == *name))
        .with_context(|| format!("unknown role {wanted:?}"))
        .context(CONFIGURATION)?;
    role(config, stop).await
}

/// From here on SIGTERM and SIGINT do not kill the process.
fn stop_on_signals() -> io::Result<Stop> {
    let (running, stop) = watch::channel(());
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind)?;
        let running = running.clone();
        tokio::spawn(async move {
            signals.recv().await;
            running.send_replace(());
        });
    }
    Ok(stop)
}

/// Completes when the service is to stop.
async fn stopped(mut stop: Stop) {
    // An error means that nobody can ask for it any more, which is the end as well.
    let _ = stop.changed().await;
}

//! Stage 04, solved without hyper and without sd-notify: threads, blocking sockets, and the
//! notification as what it is, a datagram.
//!
//! Threads talk to `main` through one channel: two wait for signals, one loads the data. Each
//! connection has a thread as well. Tokio runs only what was given: signals, and the data.

#[path = "../../../../04-notify/src/config.rs"]
mod config;
#[path = "../../../../04-notify/src/data.rs"]
mod data;
mod database;
#[path = "../../../../04-notify/src/ending.rs"]
mod ending;
mod http;
#[path = "../../../../04-notify/src/log.rs"]
mod log;
mod notify;
#[path = "../../../../04-notify/src/signals.rs"]
mod signals;

use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::runtime::{Builder, Runtime};

use crate::config::Config;
use crate::data::Data;
use crate::ending::Failure;
use crate::notify::notify;
use crate::signals::{ReloadSignal, StopSignals};

/// How long requests in flight may take to finish; half of the unit's `TimeoutStopSec=`.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// What `main` waits for.
enum Event {
    Loaded(anyhow::Result<Data>),
    Reload,
    Stop,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::error(format_args!("{:#}", failure.error()));
            ExitCode::from(failure.code())
        }
    }
}

fn run() -> Result<(), Failure> {
    // Leaked: it lives as long as the process, for threads that nobody waits for use it to the end.
    let runtime: &'static Runtime = Box::leak(Box::new(
        Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("no runtime")?,
    ));
    let (events, next_event) = mpsc::channel();
    // Registered here and not in the threads: before anything else happens.
    let _guard = runtime.enter();
    let stop = StopSignals::register().context("cannot listen for signals")?;
    spawn_stop_thread(runtime, stop, events.clone());

    let config = Config::load().map_err(Failure::Configuration)?;
    match env::args().nth(1).as_deref() {
        Some("database") => {
            database::spawn(config)?;
            // Here a stop is the only event.
            next_event.recv().context("nobody listens for signals")?;
            Ok(())
        }
        Some("web") | None => {
            let reload = ReloadSignal::register().context("cannot listen for SIGHUP")?;
            spawn_reload_thread(runtime, reload, events.clone());
            web(runtime, config, events, &next_event).map_err(Failure::from)
        }
        Some(role) => Err(Failure::Configuration(anyhow!("unknown role: {role}"))),
    }
}

fn web(
    runtime: &'static Runtime,
    config: Config,
    events: Sender<Event>,
    next_event: &mpsc::Receiver<Event>,
) -> anyhow::Result<()> {
    notify("STATUS=Starting");
    spawn_loading_thread(runtime, config, events);
    let mut reload_is_due = false;
    let data = loop {
        match next_event.recv()? {
            Event::Loaded(data) => break Arc::new(data.context("cannot load the data")?),
            // There is nothing yet that a new configuration could replace.
            Event::Reload => reload_is_due = true,
            Event::Stop => {
                notify("STOPPING=1\nSTATUS=Stopped while loading");
                return Ok(());
            }
        }
    };

    let server = http::Server::start(runtime, Arc::clone(&data))?;
    notify("READY=1\nSTATUS=Serving");
    log::info("ready");
    if reload_is_due {
        reload(&data);
    }

    loop {
        match next_event.recv()? {
            Event::Stop => break,
            Event::Reload => reload(&data),
            // There is one loading thread, and it has ended.
            Event::Loaded(_) => {}
        }
    }
    notify("STOPPING=1");
    notify("STATUS=Finishing requests");
    server.stop(DRAIN_DEADLINE)
}

fn spawn_stop_thread(runtime: &'static Runtime, mut stop: StopSignals, events: Sender<Event>) {
    thread::spawn(move || {
        runtime.block_on(stop.received());
        // Nobody listens any more when the service is ending by itself; so everywhere below.
        let _ = events.send(Event::Stop);
    });
}

fn spawn_reload_thread(runtime: &'static Runtime, mut hangup: ReloadSignal, events: Sender<Event>) {
    thread::spawn(move || {
        loop {
            runtime.block_on(hangup.received());
            if events.send(Event::Reload).is_err() {
                return;
            }
        }
    });
}

fn spawn_loading_thread(runtime: &'static Runtime, config: Config, events: Sender<Event>) {
    thread::spawn(move || {
        let data = runtime.block_on(Data::load(config, |part| {
            notify("EXTEND_TIMEOUT_USEC=5000000");
            notify(&format!(
                "STATUS=Part {} of {} is here",
                part.number, part.of
            ));
        }));
        let _ = events.send(Event::Loaded(data));
    });
}

/// Reads the configuration again. In the meantime the connections' threads go on answering.
fn reload(data: &Data) {
    notify(&format!(
        "RELOADING=1\nMONOTONIC_USEC={}",
        notify::monotonic_usec()
    ));
    let status = match Config::load() {
        Ok(config) => {
            data.reconfigure(config);
            "Serving, reloaded".to_owned()
        }
        Err(error) => {
            log::warning(format_args!("not reloaded: {error:#}"));
            // A status is one line.
            format!("Serving, not reloaded: {error:#}").replace('\n', " ")
        }
    };
    notify("READY=1");
    notify(&format!("STATUS={status}"));
}

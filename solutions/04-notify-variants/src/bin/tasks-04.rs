//! Stage 04, solved on several threads of tokio, with one task for each concern and watch channels
//! between them.
//!
//! It listens from the beginning and lets early clients wait for the data. Its unit bounds start and
//! stop with one `TimeoutSec=`.

#[path = "../../../04-notify/src/config.rs"]
mod config;
#[path = "../../../04-notify/src/data.rs"]
mod data;
#[path = "../../../04-notify/src/database.rs"]
mod database;
#[path = "../../../04-notify/src/ending.rs"]
mod ending;
#[path = "../../../04-notify/src/log.rs"]
mod log;
#[path = "../../../04-notify/src/signals.rs"]
mod signals;

use std::convert::Infallible;
use std::env;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use sd_notify::NotifyState;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::data::Data;
use crate::ending::Failure;
use crate::signals::{ReloadSignal, StopSignals};

/// systemd hears first that the service is ready, and people a moment later.
const WORDS_DELAY: Duration = Duration::from_millis(100);

/// Where the service listens.
const PORT: u16 = 7878;

/// The most that systemd should wait for the next part.
const PART_DEADLINE: Duration = Duration::from_secs(5);

/// Before the next try when no connection can be accepted: most likely file descriptors have run out.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The most that a request in flight may take once the service stops.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// The same when the data is not there yet. A client that waits for it gets a 503, which takes no time.
const EARLY_DRAIN_DEADLINE: Duration = Duration::from_millis(100);

/// Empty until all data is loaded; closed without data when it never will be.
type Loaded = watch::Receiver<Option<Arc<Data>>>;

/// How long the requests in flight may take, once the service is to stop.
type Stop = watch::Receiver<Option<Duration>>;

#[tokio::main]
async fn main() -> ExitCode {
    match play_role().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::error(format_args!("giving up: {:#}", failure.error()));
            ExitCode::from(failure.code())
        }
    }
}

async fn play_role() -> Result<(), Failure> {
    let stop = StopSignals::register().context("no way to hear SIGTERM")?;
    let config = Config::load().map_err(Failure::Configuration)?;
    match env::args().nth(1).as_deref().unwrap_or("web") {
        "web" => web(config, stop).await,
        "database" => database::run(config, stop).await,
        role => Err(Failure::Configuration(anyhow!("`{role}` is not a role"))),
    }
}

async fn web(config: Config, mut stop_signals: StopSignals) -> Result<(), Failure> {
    let hangup = ReloadSignal::register().context("no way to hear SIGHUP")?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT))
        .await
        .with_context(|| format!("port {PORT} is not available"))?;

    let (publish, loaded) = watch::channel(None);
    let (stopping, stop) = watch::channel(None);
    let server = tokio::spawn(serve(listener, loaded.clone(), stop));
    let mut caretaker = tokio::spawn(load_and_reload(config, publish, hangup));

    tokio::select! {
        ended = &mut caretaker => match ended.map_err(panicked)?? {},
        () = stop_signals.received() => {}
    }
    // It must have ended before `STOPPING=1`: a `READY=1` after that would be a lie.
    caretaker.abort();
    if let Err(error) = caretaker.await
        && error.is_panic()
    {
        return Err(panicked(error).into());
    }
    notify(&[NotifyState::Status("Stopping"), NotifyState::Stopping]);
    let deadline = match *loaded.borrow() {
        Some(_) => DRAIN_DEADLINE,
        None => EARLY_DRAIN_DEADLINE,
    };
    stopping.send_replace(Some(deadline));
    server.await.map_err(panicked)?;
    Ok(())
}

/// Loads the data, declares the service ready, and reloads on demand.
async fn load_and_reload(
    config: Config,
    publish: watch::Sender<Option<Arc<Data>>>,
    mut hangup: ReloadSignal,
) -> anyhow::Result<Infallible> {
    let (parts, mut arrived) = mpsc::unbounded_channel();
    let reporting = async {
        while let Some(part) = arrived.recv().await {
            notify(&[NotifyState::Custom(&format!("STATUS=Warming up: {part}"))]);
            // 5 s fit into 32 bits of microseconds many times.
            let extension = u32::try_from(PART_DEADLINE.as_micros()).unwrap_or(u32::MAX);
            notify(&[NotifyState::ExtendTimeoutUsec(extension)]);
        }
    };
    let loading = Data::load(config, move |part| {
        // The other half listens for as long as this one lives.
        let _ = parts.send(part);
    });
    // Wait for both: messages about the parts must come before `READY=1`.
    let (data, ()) = tokio::join!(loading, reporting);
    let data = Arc::new(data.context("loading failed")?);

    publish.send_replace(Some(Arc::clone(&data)));
    notify(&[NotifyState::Ready]);
    // Sent again, it changes nothing, and comes with a text for people.
    tokio::time::sleep(WORDS_DELAY).await;
    notify(&[NotifyState::Ready, NotifyState::Status("All data loaded")]);
    loop {
        hangup.received().await;
        reload(&data);
    }
}

fn reload(data: &Data) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => log::error(format_args!("no time stamp for the reload: {error}")),
    }
    match Config::load() {
        Ok(config) => {
            data.reconfigure(config);
            notify(&[NotifyState::Status("Configuration reloaded")]);
        }
        Err(error) => {
            log::error(format_args!("reload failed: {error:#}"));
            let status = format!("Reload failed, old configuration still holds: {error:#}");
            notify(&[NotifyState::Status(&status)]);
        }
    }
    notify(&[NotifyState::Ready]);
}

/// Accepts connections until the service stops, then waits for those that are open.
async fn serve(listener: TcpListener, loaded: Loaded, stop: Stop) {
    let mut connections = JoinSet::new();
    let mut stopping = pin!(stopped(stop.clone()));
    let deadline = loop {
        tokio::select! {
            deadline = &mut stopping => break deadline,
            // Forgets those that have ended.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (loaded, stop) = (loaded.clone(), stop.clone());
                    connections.spawn(serve_connection(stream, loaded, stop));
                }
                Err(error) => {
                    log::warning(format_args!("accept: {error}"));
                    sleep(ACCEPT_RETRY_DELAY).await;
                }
            },
        }
    };

    drop(listener);
    // Passing the deadline drops the set, and with it every connection.
    let _ = timeout(deadline, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

async fn serve_connection(stream: TcpStream, loaded: Loaded, stop: Stop) {
    let service = service_fn(move |request| respond(request, loaded.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);

    tokio::select! {
        // A client that goes away is not a reason to stop.
        _ = connection.as_mut() => return,
        _ = stopped(stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Completes when the service is to stop, with the time that is left for requests.
async fn stopped(mut stop: Stop) -> Duration {
    match stop.wait_for(Option::is_some).await {
        Ok(deadline) => deadline.unwrap_or_default(),
        // `web` is gone, which is a stop as well.
        Err(_) => Duration::ZERO,
    }
}

/// Waits until there is an answer.
async fn respond(
    request: Request<Incoming>,
    mut loaded: Loaded,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::default();
    *response.status_mut() = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => match greeting(&mut loaded).await {
            Ok(greeting) => {
                *response.body_mut() = Full::from(greeting);
                StatusCode::OK
            }
            Err(error) => {
                log::warning(format_args!("no answer: {error:#}"));
                StatusCode::SERVICE_UNAVAILABLE
            }
        },
        (_, "/") => StatusCode::METHOD_NOT_ALLOWED,
        _ => StatusCode::NOT_FOUND,
    };
    Ok(response)
}

async fn greeting(loaded: &mut Loaded) -> anyhow::Result<String> {
    let data = loaded
        .wait_for(Option::is_some)
        .await
        .context("stopped while the data was loading")?
        .clone();
    data.context("there is no data")?.greeting().await
}

fn panicked(error: JoinError) -> anyhow::Error {
    anyhow!(error).context("a task has died")
}

/// A service without a service manager works all the same.
fn notify(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        log::warning(format_args!("notify: {error}"));
    }
}

//! Stage 04, solved on several threads of tokio, with one task for each concern and watch channels
//! between them.
//!
//! It listens from the beginning and lets early clients wait for the data.

#[path = "../../../04-notify/src/data.rs"]
mod data;

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use sd_notify::NotifyState;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::data::Data;

/// Where the service listens.
const PORT: u16 = 7878;

/// The most that systemd shall wait for the next part.
const PART_DEADLINE: Duration = Duration::from_secs(5);

/// Before the next try when no connection can be accepted: most likely file descriptors have run out.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The most that a request in flight may take once the service stops.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// Empty until all data is loaded; closed without data when it never will be.
type Loaded = watch::Receiver<Option<Arc<Data>>>;

/// True once the service is to stop.
type Stop = watch::Receiver<bool>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("solution-04-tasks: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).await?;

    let (data, loaded) = watch::channel(None);
    let (stopping, stop) = watch::channel(false);
    let server = tokio::spawn(serve(listener, loaded, stop));
    let loading = tokio::spawn(load(data));

    stop_requested(&mut terminate, &mut interrupt).await;
    loading.abort();
    notify(&[NotifyState::Status("Stopping"), NotifyState::Stopping]);
    stopping.send_replace(true);
    join(server).await
}

async fn stop_requested(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Loads the data and declares the service ready.
async fn load(loaded: watch::Sender<Option<Arc<Data>>>) {
    let (parts, mut arrived) = mpsc::unbounded_channel();
    let reporting = tokio::spawn(async move {
        while let Some(part) = arrived.recv().await {
            notify(&[NotifyState::Custom(&format!("STATUS=Warming up: {part}"))]);
            // 5 s fit into 32 bits of microseconds many times.
            let extension = u32::try_from(PART_DEADLINE.as_micros()).unwrap_or(u32::MAX);
            notify(&[NotifyState::ExtendTimeoutUsec(extension)]);
        }
    });
    let data = Data::load(move |part| {
        // The other task ends after this one.
        let _ = parts.send(part);
    })
    .await;

    // What is said about the parts must be said before `READY=1`.
    if join(reporting).await.is_ok() {
        loaded.send_replace(Some(Arc::new(data)));
        notify(&[NotifyState::Ready]);
        notify(&[NotifyState::Status("All data loaded")]);
    }
}

/// Accepts connections until the service stops, then waits for those that are open.
async fn serve(listener: TcpListener, loaded: Loaded, stop: Stop) {
    let mut connections = JoinSet::new();
    let mut stopping = pin!(stopped(stop.clone()));
    loop {
        tokio::select! {
            () = &mut stopping => break,
            // Forgets those that have ended.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (loaded, stop) = (loaded.clone(), stop.clone());
                    connections.spawn(serve_connection(stream, loaded, stop));
                }
                Err(error) => {
                    eprintln!("accept: {error}");
                    sleep(ACCEPT_RETRY_DELAY).await;
                }
            },
        }
    }

    drop(listener);
    // Passing the deadline drops the set, and with it every connection.
    let _ = timeout(DRAIN_DEADLINE, async {
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
        // A client that goes away is no reason to stop.
        _ = connection.as_mut() => return,
        () = stopped(stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

async fn stopped(mut stop: Stop) {
    // An error means that `main` is gone, which is a stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits until there is an answer.
async fn respond(
    request: Request<Incoming>,
    mut loaded: Loaded,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::default();
    if request.uri().path() != "/" {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    }
    let data = match loaded.wait_for(Option::is_some).await {
        Ok(data) => data.clone(),
        Err(_stopped_while_loading) => None,
    };
    match data {
        Some(data) => *response.body_mut() = Full::from(data.greeting().to_owned()),
        None => *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
    }
    Ok(response)
}

async fn join<T>(task: JoinHandle<T>) -> io::Result<T> {
    task.await.map_err(io::Error::other)
}

/// A service without a service manager works all the same.
fn notify(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        eprintln!("notify: {error}");
    }
}

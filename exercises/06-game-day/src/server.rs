//! The HTTP side of the service: answers requests, and finishes them before the service ends.
//!
//! You do not need to change this file. It does not know about systemd, signals or deadlines: `main` says when to serve
//! and when to drain, and how long that may take.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::client;
use crate::data::Data;
use crate::faults::Fault;
use crate::log;

/// How long a client may take to send a request's header. Plenty for a slow network; but clients that never finish must
/// not pile up and use all connections.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait after `accept` has failed. Most likely no file descriptor is free. One becomes free when a
/// connection ends; until then, trying again at once would only burn CPU.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The most bytes that an order may have: its number.
const LONGEST_ORDER: usize = 16;

/// What all requests share.
struct Shared {
    data: Arc<Data>,
    /// How often clients have requested `/`.
    visits: Arc<Mutex<u64>>,
}

/// Answers requests with the data.
pub(crate) struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
    /// Knows every open connection, so that [`Server::drain`] can wait for them.
    connections: GracefulShutdown,
}

impl Server {
    /// A server needs its data: without it, there is no right answer.
    pub(crate) fn new(listener: TcpListener, data: Arc<Data>) -> Self {
        Self {
            listener,
            shared: Arc::new(Shared {
                data,
                visits: Arc::new(Mutex::new(0)),
            }),
            connections: GracefulShutdown::new(),
        }
    }

    /// Accepts connections and answers their requests, until `stop` completes.
    pub(crate) async fn serve_until(&self, stop: impl Future<Output = ()>) {
        if let Some(fault) = Fault::at_start() {
            fault.strike(&self.shared.visits);
        }
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => return,
            };
            match accepted {
                Ok((stream, _client)) => self.spawn_connection(stream),
                Err(error) => {
                    log::warning(format_args!("cannot accept a connection: {error}"));
                    sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
    }

    /// Refuses new connections, and completes when the requests in flight are answered.
    ///
    /// A client that never finishes its request can delay this forever: give it a deadline.
    pub(crate) async fn drain(self) {
        drop(self.listener);
        self.connections.shutdown().await;
    }

    fn spawn_connection(&self, stream: TcpStream) {
        let shared = Arc::clone(&self.shared);
        let connection = http1::Builder::new()
            // Without a timer, hyper silently leaves out every timeout.
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_READ_TIMEOUT)
            .serve_connection(
                TokioIo::new(stream),
                service_fn(move |request| {
                    let shared = Arc::clone(&shared);
                    async move { Ok::<_, Infallible>(respond(request, &shared).await) }
                }),
            );

        // Before `spawn`: the drain must also wait for a connection whose task has not run yet.
        let connection = self.connections.watch(connection);
        tokio::spawn(async move {
            // The client went away or does not speak HTTP: its problem, not a reason to stop.
            if let Err(error) = connection.await {
                log::info(format_args!("connection ended early: {error}"));
            }
        });
    }
}

async fn respond(request: Request<Incoming>, shared: &Shared) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if let Some(fault) = Fault::asked_by(path) {
        fault.strike(&shared.visits);
        return empty_response(StatusCode::OK);
    }
    match (path, request.method()) {
        ("/", &Method::GET) => page(shared).await,
        ("/orders", &Method::GET) => orders().await,
        ("/orders", &Method::POST) => order(request).await,
        ("/" | "/orders", _) => empty_response(StatusCode::METHOD_NOT_ALLOWED),
        _ => empty_response(StatusCode::NOT_FOUND),
    }
}

/// The front page: the greeting, and how many customers have ordered.
// TODO: what does a customer see who only looks, while the database is away?
async fn page(shared: &Shared) -> Response<Full<Bytes>> {
    *shared.visits.lock().await += 1;
    match client::ask("COUNT").await {
        Ok(orders) => {
            let greeting = shared.data.greeting();
            Response::new(Full::from(format!("{greeting} {orders} orders so far.\n")))
        }
        Err(error) => refusal(&error),
    }
}

/// The numbers of all orders.
async fn orders() -> Response<Full<Bytes>> {
    match client::ask("LIST").await {
        Ok(numbers) => Response::new(Full::from(numbers)),
        Err(error) => refusal(&error),
    }
}

/// Takes an order. 201 is a promise: this order is not lost.
async fn order(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let body = Limited::new(request.into_body(), LONGEST_ORDER);
    let Ok(body) = body.collect().await else {
        return empty_response(StatusCode::BAD_REQUEST);
    };
    let body = body.to_bytes();
    let number = std::str::from_utf8(&body).map(str::parse::<u32>);
    let Ok(Ok(number)) = number else {
        return empty_response(StatusCode::BAD_REQUEST);
    };
    match client::ask(&format!("ADD {number}")).await {
        Ok(answer) if answer == "OK" => empty_response(StatusCode::CREATED),
        Ok(_) => empty_response(StatusCode::INSUFFICIENT_STORAGE),
        Err(error) => refusal(&error),
    }
}

/// What customers are told while the database does not answer: they can try again.
fn refusal(error: &anyhow::Error) -> Response<Full<Bytes>> {
    log::warning(format_args!("{error:#}"));
    empty_response(StatusCode::SERVICE_UNAVAILABLE)
}

fn empty_response(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

//! The HTTP side of the service: answers requests, and finishes them before the service ends.
//!
//! You do not need to change this file. It does not know about systemd, signals or deadlines: `main` says when to serve
//! and when to drain, and how long that may take.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::log;

/// How long a client may take to send a request's header. Plenty for a slow network; but clients that never finish must
/// not pile up and use all connections.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait after `accept` has failed. Most likely no file descriptor is free. One becomes free when a
/// connection ends; until then, trying again at once would only burn CPU.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Answers requests.
pub(crate) struct Server {
    listener: TcpListener,
    greeting: Arc<str>,
    /// Knows every open connection, so that [`Server::drain`] can wait for them.
    connections: GracefulShutdown,
}

impl Server {
    /// A server for what the listener accepts; it answers with the greeting.
    pub(crate) fn new(listener: TcpListener, greeting: &str) -> Self {
        Self {
            listener,
            greeting: greeting.into(),
            connections: GracefulShutdown::new(),
        }
    }

    /// Accepts connections and answers their requests, until `stop` completes.
    pub(crate) async fn serve_until(&self, stop: impl Future<Output = ()>) {
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
        let greeting = Arc::clone(&self.greeting);
        let connection = http1::Builder::new()
            // Without a timer, hyper silently leaves out every timeout.
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_READ_TIMEOUT)
            .serve_connection(
                TokioIo::new(stream),
                service_fn(move |request| {
                    let response = respond(&request, &greeting);
                    async { Ok::<_, Infallible>(response) }
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

fn respond(request: &Request<Incoming>, greeting: &str) -> Response<Full<Bytes>> {
    if request.uri().path() != "/" {
        return empty_response(StatusCode::NOT_FOUND);
    }
    if request.method() != Method::GET {
        return empty_response(StatusCode::METHOD_NOT_ALLOWED);
    }
    Response::new(Full::from(greeting.to_owned()))
}

fn empty_response(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

//! Stage 01, solved on several threads of tokio, with a task for each connection and a watch channel that tells them
//! to stop.
//!
//! Connections that are idle, or in the middle of a header, are counted as in flight. Its error has a second line, as
//! information.

use std::convert::Infallible;
use std::env;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// What is allowed.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> ExitCode {
    let address = env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:7878".to_owned());
    let listener = match TcpListener::bind(&address).await {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("<3>bind({address}) failed");
            eprintln!("<6>{error:?}");
            return ExitCode::FAILURE;
        }
    };
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        eprintln!("<3>no signals");
        return ExitCode::FAILURE;
    };
    let (stopping, watcher) = watch::channel(false);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(connection(stream, watcher.clone()));
            }
            Some(_) = connections.join_next() => {}
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    drop(listener);
    let _ = stopping.send(true);
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(DRAIN_DEADLINE, all).await.is_err() {
        eprintln!("<4>some clients never finished");
    }
    ExitCode::SUCCESS
}

async fn connection(stream: TcpStream, mut stopping: watch::Receiver<bool>) {
    let service = service_fn(async |request| Ok::<_, Infallible>(respond(&request)));
    let mut connection =
        pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

fn respond(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("Hello World!"));
    if request.uri().path() != "/" {
        *response.body_mut() = Full::default();
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

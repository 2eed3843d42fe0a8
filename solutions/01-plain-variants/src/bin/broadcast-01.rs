//! Stage 01, solved on several threads of tokio with hyper's connections alone: no `GracefulShutdown`, but a set of
//! tasks, each of which hears about the stop and shuts down its own connection.
//!
//! It logs to standard output, as pairs of names and values. Its unit limits the stop with `TimeoutSec=`, and has more
//! settings than it needs.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use http_body_util::{Either, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

/// Where the service listens.
const ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7878));

/// How many clients may wait to be accepted. No more come at once to such a small service.
const BACKLOG: u32 = 128;

/// How long the drain may take: what the unit's bound leaves, and a reserve of the same length.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// How long a client may take for the header of its request.
const HEADER_TIME: Duration = Duration::from_secs(20);

/// Until the next try to accept, when there is no file descriptor for it.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

type Body = Either<Full<Bytes>, Empty<Bytes>>;

#[tokio::main]
async fn main() -> ExitCode {
    say(6, format_args!("event=begin"));
    match run().await {
        Ok(Drained::All) => {
            say(6, format_args!("event=end"));
            ExitCode::SUCCESS
        }
        Ok(Drained::AllBut(lost)) => {
            say(4, format_args!("event=end lost_connections={lost}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(
                3,
                format_args!("event=failure address={ADDRESS} error={error:?}"),
            );
            ExitCode::FAILURE
        }
    }
}

/// How the drain went.
enum Drained {
    All,
    AllBut(usize),
}

async fn run() -> io::Result<Drained> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = listen()?;
    say(6, format_args!("event=listening address={ADDRESS}"));

    // Its capacity is that of a message which is sent once.
    let (stop, _) = broadcast::channel(1);
    let mut connections = JoinSet::new();
    let signal = loop {
        tokio::select! {
            client = accepted(&listener) => {
                connections.spawn(serve(client, stop.subscribe()));
            }
            // Forgets those that have ended.
            Some(_) = connections.join_next() => {}
            _ = terminate.recv() => break "SIGTERM",
            _ = interrupt.recv() => break "SIGINT",
        }
    };
    say(
        6,
        format_args!(
            "event=drain signal={signal} connections={}",
            connections.len()
        ),
    );
    drop(listener);
    // An error means that nobody is there to hear it.
    let _ = stop.send(());

    let deadline = Instant::now() + DRAIN_TIME;
    while !connections.is_empty() {
        if timeout_at(deadline, connections.join_next()).await.is_err() {
            return Ok(Drained::AllBut(connections.len()));
        }
    }
    Ok(Drained::All)
}

fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // Connections of the instance before may linger; they are not in the way of this one.
    socket.set_reuseaddr(true)?;
    socket.bind(ADDRESS)?;
    socket.listen(BACKLOG)
}

/// The next client.
async fn accepted(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((client, _)) => return client,
            Err(error) => {
                say(4, format_args!("event=accept error={error:?}"));
                sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

/// Answers the requests of one connection, and no further ones after the stop.
async fn serve(client: TcpStream, mut stop: broadcast::Receiver<()>) {
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME)
            .serve_connection(TokioIo::new(client), service_fn(respond))
    );
    let result = tokio::select! {
        result = connection.as_mut() => result,
        _ = stop.recv() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        say(7, format_args!("event=connection_broke error={error:?}"));
    }
}

async fn respond(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => (StatusCode::OK, Either::Left(Full::from("Hello World!"))),
        (_, "/") => (StatusCode::METHOD_NOT_ALLOWED, Either::Right(Empty::new())),
        _ => (StatusCode::NOT_FOUND, Either::Right(Empty::new())),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    Ok(response)
}

/// One line with a priority as sd-daemon(3) has it.
fn say(priority: u8, what: fmt::Arguments<'_>) {
    println!("<{priority}>{what}");
}

//! The web front end: one task and one request for each connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::exit_code::{Code, DONE};
use crate::{Stop, stopped};

/// Where it listens.
const ADDRESS: &str = "127.0.0.1:7878";

/// How long a client may take for its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a request may still take when the service stops; systemd waits twice as long.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// Before the next try to accept a connection: until another one has ended, there may be no file descriptor.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// More is not a request for this service.
const MAX_HEADER_BYTES: u64 = 16 * 1024;

/// Serves until it is stopped, then finishes what has begun.
pub(crate) async fn run(config: Config, stop: Stop) -> anyhow::Result<Code> {
    let listener = TcpListener::bind(ADDRESS).await.context(ADDRESS)?;
    println!("<6>up on {ADDRESS}");

    let mut clients = JoinSet::new();
    tokio::select! {
        () = accept(&listener, config.greeting.into(), &stop, &mut clients) => {}
        () = stopped(stop.clone()) => {}
    }
    drop(listener);
    let all = async { while clients.join_next().await.is_some() {} };
    if timeout(DRAIN_DEADLINE, all).await.is_err() {
        println!("<4>a request was still in flight after {DRAIN_DEADLINE:?}");
    }
    Ok(DONE)
}

async fn accept(
    listener: &TcpListener,
    greeting: Arc<str>,
    stop: &Stop,
    clients: &mut JoinSet<io::Result<()>>,
) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                clients.spawn(serve(client, Arc::clone(&greeting), stop.clone()));
            }
            Err(error) => {
                println!("<4>accept: {error}");
                sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
        // Forget those that have ended; a client that went away is not news.
        while clients.try_join_next().is_some() {}
    }
}

async fn serve(mut client: TcpStream, greeting: Arc<str>, stop: Stop) -> io::Result<()> {
    tokio::select! {
        // In this order, so that what has come before the stop is answered.
        biased;
        readable = client.readable() => readable?,
        () = stopped(stop) => return Ok(()),
    }
    let response = match timeout(REQUEST_TIMEOUT, request_line(&mut client)).await?? {
        Some(line) => response(&line, &greeting),
        None => return Ok(()),
    };
    client.write_all(response.as_bytes()).await?;
    client.shutdown().await
}

/// The first line of a request, when the last one has come; none when the client has gone before.
async fn request_line(client: &mut TcpStream) -> io::Result<Option<String>> {
    let mut lines = BufReader::new(client.take(MAX_HEADER_BYTES)).lines();
    let first = lines.next_line().await?;
    while let Some(line) = lines.next_line().await? {
        if line.is_empty() {
            return Ok(first);
        }
    }
    Ok(None)
}

fn response(request_line: &str, greeting: &str) -> String {
    let mut words = request_line.split_whitespace();
    let (status, body) = match (words.next(), words.next()) {
        (Some("GET"), Some("/")) => ("200 OK", greeting),
        (_, Some("/")) => ("405 Method Not Allowed", ""),
        _ => ("404 Not Found", ""),
    };
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

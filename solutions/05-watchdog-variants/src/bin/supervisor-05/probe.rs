//! One look at the service from outside.

use std::time::Duration;

use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::header::{CONNECTION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// More than the slowest that counts as working, 3 s. Together with the time between two probes it
/// is less than `WatchdogSec=`, so the service reports a hang before systemd finds out by itself.
const DEADLINE: Duration = Duration::from_secs(4);

/// Asks for `/`, and wants it within the deadline.
pub(crate) async fn probe(address: &str) -> anyhow::Result<()> {
    timeout(DEADLINE, ask(address))
        .await
        .with_context(|| format!("GET / takes longer than {} s", DEADLINE.as_secs()))?
}

async fn ask(address: &str) -> anyhow::Result<()> {
    let stream = TcpStream::connect(address).await.context("connect")?;
    let (mut client, connection) = handshake(TokioIo::new(stream)).await.context("handshake")?;
    let request = Request::get("/")
        .header(HOST, address)
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .context("request")?;
    let asked = async {
        let answer = client.send_request(request).await.context("GET /")?;
        ensure!(
            answer.status() == StatusCode::OK,
            "GET / is answered with {}",
            answer.status()
        );
        // The body as well: half an answer is none.
        answer.into_body().collect().await.context("body")?;
        Ok(())
    };
    // In this task and not in one of its own: then the deadline ends the connection as well.
    let (asked, _connection) = tokio::join!(asked, connection);
    asked
}

//! Does the service still do its job? Finds out as a client would: through the front door.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take. More than the 3 s of the slowest honest request (`GET /report`) that may be ahead of
/// this one, and short enough that test and ping fit twice into `WatchdogSec=10s`.
const DEADLINE: Duration = Duration::from_secs(4);

/// The server hangs up after its answer, so we can read all of it.
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Asks the service at this address for `/`. An error says what was wrong with the answer.
pub(crate) async fn run(address: &str) -> anyhow::Result<()> {
    match timeout(DEADLINE, ask(address)).await {
        Ok(answer) => answer,
        Err(_) => bail!("no answer within {DEADLINE:?}"),
    }
}

async fn ask(address: &str) -> anyhow::Result<()> {
    let mut server = TcpStream::connect(address)
        .await
        .context("cannot connect")?;
    server.write_all(REQUEST.as_bytes()).await?;
    let mut response = String::new();
    server.read_to_string(&mut response).await?;

    let status_line = response.lines().next().unwrap_or_default();
    ensure!(
        status_line.split(' ').nth(1) == Some("200"),
        "answered {status_line:?}"
    );
    Ok(())
}

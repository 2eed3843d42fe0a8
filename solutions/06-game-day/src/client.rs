//! Asks the database: one line there, one line back.

use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Where the database listens.
pub(crate) const ADDRESS: &str = "127.0.0.1:7879";

/// How long an answer may take. A customer waits for 3 s, and wants to hear in that time that the order was not taken.
const DEADLINE: Duration = Duration::from_secs(2);

/// Asks, and returns the answer without the end of its line.
pub(crate) async fn ask(question: &str) -> anyhow::Result<String> {
    timeout(DEADLINE, ask_patiently(question))
        .await
        .with_context(|| format!("no answer from the database within {DEADLINE:?}"))?
}

async fn ask_patiently(question: &str) -> anyhow::Result<String> {
    let mut database = TcpStream::connect(ADDRESS)
        .await
        .with_context(|| format!("cannot connect to the database at {ADDRESS}"))?;
    database
        .write_all(format!("{question}\n").as_bytes())
        .await?;
    let mut answer = String::new();
    database.read_to_string(&mut answer).await?;
    let answer = answer.strip_suffix('\n');
    Ok(answer.context("the database hung up")?.to_owned())
}

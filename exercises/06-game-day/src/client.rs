//! Asks the database: one line there, one line back.

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Where the database listens.
pub(crate) const ADDRESS: &str = "127.0.0.1:7879";

/// Asks, and returns the answer without the end of its line.
// TODO: how long does it wait for a database that takes the question and does not answer?
pub(crate) async fn ask(question: &str) -> anyhow::Result<String> {
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

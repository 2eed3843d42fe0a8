//! Questions to the database, each asked a second time if it was away.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::database::ADDRESS;

/// Two of these and the pause are less than the 3 s for which customers wait.
const EACH: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) async fn ask(question: &str) -> anyhow::Result<String> {
    match once(question).await {
        Ok(answer) => Ok(answer),
        // Asking for the same order twice makes it one order.
        Err(_) => {
            sleep(PAUSE).await;
            once(question).await
        }
    }
}

async fn once(question: &str) -> anyhow::Result<String> {
    let asked = async {
        let mut database = BufReader::new(TcpStream::connect(ADDRESS).await?);
        database
            .write_all(format!("{question}\n").as_bytes())
            .await?;
        let mut answer = String::new();
        database.read_line(&mut answer).await?;
        if !answer.ends_with('\n') {
            bail!("half an answer");
        }
        Ok(answer.trim_end().to_owned())
    };
    timeout(EACH, asked).await.context("too slow")?
}

//! A stand-in for a database: it sends the greeting to anyone who connects. You do not need to change this file.
//!
//! In a real one, a crash in the middle of a write may have damaged the data, so it must not come back by itself.

use std::io::ErrorKind;

use anyhow::{Context, anyhow};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::config::Config;
use crate::ending::Failure;
use crate::log;
use crate::signals::StopSignals;

/// Where the database listens.
pub(crate) const ADDRESS: &str = "127.0.0.1:7879";

/// Serves until it is stopped.
pub(crate) async fn run(config: Config, mut stop: StopSignals) -> Result<(), Failure> {
    let listener = match TcpListener::bind(ADDRESS).await {
        Ok(listener) => listener,
        // Another database still uses the data. This one has not opened it yet.
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            return Err(Failure::InTheWay(anyhow!("{ADDRESS} is in use")));
        }
        Err(error) => return Err(error).with_context(|| format!("cannot listen on {ADDRESS}"))?,
    };
    log::info(format_args!("database on {ADDRESS}"));
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((mut client, _)) = accepted {
                    let greeting = config.greeting.clone();
                    // A client that goes away early needs no answer.
                    tokio::spawn(async move { client.write_all(greeting.as_bytes()).await });
                }
            }
            () = stop.received() => return Ok(()),
        }
    }
}

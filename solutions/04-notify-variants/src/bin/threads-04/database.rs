//! The database on a blocking socket.

use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::thread;

use anyhow::{Context, anyhow};

use crate::config::Config;
use crate::ending::Failure;

/// Where it listens.
const ADDRESS: &str = "127.0.0.1:7879";

/// Serves until the process ends.
pub(crate) fn spawn(config: Config) -> Result<(), Failure> {
    let listener = TcpListener::bind(ADDRESS).map_err(|error| match error.kind() {
        // Another one has the data: nothing has been touched.
        ErrorKind::AddrInUse => Failure::InTheWay(anyhow!("somebody else has {ADDRESS}")),
        _ => Failure::Other(error.into()),
    })?;
    thread::Builder::new()
        .name("database".to_owned())
        .spawn(move || {
            for mut client in listener.incoming().flatten() {
                // A client that goes away early needs no answer.
                let _ = client.write_all(config.greeting.as_bytes());
            }
        })
        .context("cannot start a thread")?;
    Ok(())
}

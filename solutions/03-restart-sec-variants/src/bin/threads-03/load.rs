//! What the given `data.rs` does, with blocking sockets.

use std::env;
use std::io::Read;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::Context;

use crate::config::Config;
use crate::journal;
use crate::stop::Stop;

/// How many parts there are, unless `DATA_PARTS` says otherwise.
const PARTS: u32 = 4;

/// How long each takes.
const PART_TIME: Duration = Duration::from_millis(500);

/// How long the database may take for a step. It is on the same machine.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the greeting comes from.
pub(crate) enum Source {
    /// The configuration.
    Fixed(String),
    /// The database at this address.
    Database(String),
}

impl Source {
    /// Takes its time, and returns nothing when it is stopped. An error means that the database is not there.
    pub(crate) fn load(config: Config, stop: &Stop) -> anyhow::Result<Option<Source>> {
        let parts = number("DATA_PARTS").unwrap_or(PARTS);
        let stall_at = number("DATA_STALL_AT");
        for part in 1..=parts {
            if stall_at == Some(part) {
                stop.wait();
            }
            if stop.wait_at_most(PART_TIME) {
                return Ok(None);
            }
            journal::info(format_args!("{part}/{parts} loaded"));
        }
        let source = match env::var("DATABASE") {
            Ok(address) => Source::Database(address),
            Err(_) => Source::Fixed(config.greeting),
        };
        source.greeting()?;
        Ok(Some(source))
    }

    /// What to answer now.
    pub(crate) fn greeting(&self) -> anyhow::Result<String> {
        match self {
            Source::Fixed(greeting) => Ok(greeting.clone()),
            Source::Database(address) => {
                ask(address).with_context(|| format!("database {address}"))
            }
        }
    }
}

fn ask(address: &str) -> anyhow::Result<String> {
    let address = address
        .to_socket_addrs()?
        .next()
        .context("no such address")?;
    let mut database = TcpStream::connect_timeout(&address, DATABASE_TIMEOUT)?;
    database.set_read_timeout(Some(DATABASE_TIMEOUT))?;
    let mut greeting = String::new();
    database.read_to_string(&mut greeting)?;
    Ok(greeting)
}

fn number(variable: &str) -> Option<u32> {
    env::var(variable).ok()?.parse().ok()
}

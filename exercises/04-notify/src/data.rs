//! The data that the service needs before it can answer. You do not need to change this file.
//!
//! Loading stands for what a real service does when it starts: it reads an index, fills a cache,
//! asks another service. It does not know about systemd; it only reports which part has arrived.
//!
//! Three environment variables change it, for the check, and for you to try things out:
//!
//! - `DATA_PARTS`: how many parts there are (4)
//! - `DATA_STALL_AT`: the number of a part that never arrives (none)
//! - `DATABASE`: the address of the database that has the greeting; without it, the configuration has it

use std::env;
use std::fmt;
use std::future;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::config::Config;

/// How many parts there are. Four of them make a warm-up of two seconds: long enough to see.
const DEFAULT_PARTS: u32 = 4;

/// How long one part takes to arrive.
const PART_TIME: Duration = Duration::from_millis(500);

/// All data, complete. The only way to get it is to [load](Data::load) it.
pub(crate) struct Data {
    /// What [`Data::reconfigure`] may replace while the service answers requests.
    config: RwLock<Config>,
    database: Option<String>,
}

/// One part of the data; prints as `part 2 of 4`.
pub(crate) struct Part {
    /// Counts from 1.
    pub(crate) number: u32,
    /// How many parts there are.
    pub(crate) of: u32,
}

impl Data {
    /// Loads all parts, one after the other, and calls `on_part` for each that has arrived. Then asks the database
    /// whether it is there.
    ///
    /// Dropping the future stops the loading.
    pub(crate) async fn load(
        config: Config,
        mut on_part: impl FnMut(Part),
    ) -> anyhow::Result<Data> {
        let of = number_from_env("DATA_PARTS").unwrap_or(DEFAULT_PARTS);
        let stall_at = number_from_env("DATA_STALL_AT");

        for number in 1..=of {
            if Some(number) == stall_at {
                future::pending::<()>().await;
            }
            sleep(PART_TIME).await;
            on_part(Part { number, of });
        }

        let data = Data {
            config: RwLock::new(config),
            database: env::var("DATABASE").ok(),
        };
        data.greeting().await?;
        Ok(data)
    }

    /// What the service answers: the database's greeting, or else the configuration's.
    pub(crate) async fn greeting(&self) -> anyhow::Result<String> {
        match &self.database {
            Some(address) => ask(address)
                .await
                .with_context(|| format!("cannot ask the database at {address}")),
            None => Ok(self
                .config
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .greeting
                .clone()),
        }
    }

    /// From the next request on, this configuration applies.
    pub(crate) fn reconfigure(&self, config: Config) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "part {} of {}", self.number, self.of)
    }
}

/// The database sends its greeting to anyone who connects, then hangs up.
async fn ask(address: &str) -> anyhow::Result<String> {
    let mut greeting = String::new();
    let mut database = TcpStream::connect(address).await?;
    database.read_to_string(&mut greeting).await?;
    Ok(greeting)
}

fn number_from_env(name: &str) -> Option<u32> {
    env::var(name).ok()?.parse().ok()
}

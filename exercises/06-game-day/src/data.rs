//! The data that the service needs before it can answer. You do not need to change this file.
//!
//! Loading stands for what a real service does when it starts: it reads an index, fills a cache,
//! asks another service. It does not know about systemd; it only reports which part has arrived.
//!
//! Two environment variables change it, for the check, and for you to try things out:
//!
//! - `DATA_PARTS`: how many parts there are (4)
//! - `DATA_STALL_AT`: the number of a part that never arrives (none)

use std::env;
use std::fmt;
use std::future;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

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
}

/// One part of the data; prints as `part 2 of 4`.
pub(crate) struct Part {
    /// Counts from 1.
    pub(crate) number: u32,
    /// How many parts there are.
    pub(crate) of: u32,
}

impl Data {
    /// Loads all parts, one after the other, and calls `on_part` for each that has arrived.
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

        Ok(Data {
            config: RwLock::new(config),
        })
    }

    /// What the service answers.
    pub(crate) fn greeting(&self) -> String {
        let config = self.config.read();
        let config = config.unwrap_or_else(PoisonError::into_inner);
        config.greeting.clone()
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

fn number_from_env(name: &str) -> Option<u32> {
    env::var(name).ok()?.parse().ok()
}

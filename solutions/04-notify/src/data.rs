//! The data that the service needs before it can answer. Given: nothing here needs a change.
//!
//! Loading stands for what a real service does when it starts: it reads an index, fills a cache,
//! asks another service. It knows nothing of systemd; it only says which part has arrived.
//!
//! Two environment variables change it, for the check and for trying things out by hand:
//!
//! - `DATA_PARTS`: how many parts there are (4)
//! - `DATA_STALL_AT`: the number of a part that never arrives (none)

use std::env;
use std::fmt;
use std::future;
use std::time::Duration;

use tokio::time::sleep;

/// How many parts there are. Four of them make a warm-up of two seconds: long enough to see.
const DEFAULT_PARTS: u32 = 4;

/// How long one part takes to arrive.
const PART_TIME: Duration = Duration::from_millis(500);

/// All data, complete. There is no other way to get one than to [load](Data::load) it.
pub(crate) struct Data {
    greeting: String,
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
    /// Dropping the future ends the loading.
    pub(crate) async fn load(mut on_part: impl FnMut(Part)) -> Data {
        let of = number_from_env("DATA_PARTS").unwrap_or(DEFAULT_PARTS);
        let stall_at = number_from_env("DATA_STALL_AT");

        for number in 1..=of {
            if Some(number) == stall_at {
                future::pending::<()>().await;
            }
            sleep(PART_TIME).await;
            on_part(Part { number, of });
        }

        Data {
            greeting: "Hello World!".to_owned(),
        }
    }

    /// What the service answers.
    pub(crate) fn greeting(&self) -> &str {
        &self.greeting
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

//! The worker: a clock that ticks once per item.

use std::time::Duration;

use tokio::time::interval;

use crate::config::Config;
use crate::exit_code::{Code, DONE, DONE_IN_PART};
use crate::{Stop, stopped};

/// The time for one item, as the description of the worker has it.
const ITEM_TIME: Duration = Duration::from_secs(1);

/// Does what can be done, unless it is stopped before.
pub(crate) async fn run(config: Config, stop: Stop) -> anyhow::Result<Code> {
    tokio::select! {
        code = work(&config) => Ok(code),
        // The rest waits for the next time.
        () = stopped(stop) => Ok(DONE),
    }
}

async fn work(config: &Config) -> Code {
    let mut clock = interval(ITEM_TIME);
    // The first tick is at once.
    clock.tick().await;

    let mut skipped = 0_u32;
    for item in 1..=config.items {
        clock.tick().await;
        if config.broken == Some(item) {
            skipped += 1;
        }
    }
    println!(
        "<6>{} items done, {skipped} skipped",
        config.items - skipped
    );
    if skipped == 0 { DONE } else { DONE_IN_PART }
}

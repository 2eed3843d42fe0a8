//! The batch worker: does its items, one a second, and ends. You do not need to change this file.

use std::time::Duration;

use tokio::time::sleep;

use crate::config::Config;
use crate::ending::{Done, Failure};
use crate::log;
use crate::signals::StopSignals;

/// How long an item takes.
const ITEM_TIME: Duration = Duration::from_secs(1);

/// Does all items that can be done.
pub(crate) async fn run(config: Config, mut stop: StopSignals) -> Result<Done, Failure> {
    let mut done = Done::Completely;
    for item in 1..=config.items {
        tokio::select! {
            () = sleep(ITEM_TIME) => {}
            // The next run does what is left.
            () = stop.received() => return Ok(Done::Completely),
        }
        if config.broken == Some(item) {
            log::warning(format_args!("item {item} is broken: skipped"));
            done = Done::WithSkips;
        } else {
            log::info(format_args!("item {item} of {} done", config.items));
        }
    }
    Ok(done)
}

//! The worker: it looks again and again at how many orders there are, and ships the new ones.
//!
//! Its `STATUS=` says how far it has come: `shipped 17 orders`.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::sleep;

use crate::client;
use crate::ending::Failure;
use crate::log;
use crate::notify::tell_systemd;
use crate::signals::StopSignals;

/// From one look to the next. Short enough for two pings in `WatchdogSec=15s`, even if the database takes its 2 s.
const PAUSE: Duration = Duration::from_secs(5);

/// Ships orders until it is stopped.
pub(crate) async fn run(mut stop: StopSignals) -> Result<(), Failure> {
    tell_systemd(&[NotifyState::Ready]);
    loop {
        let status = match client::ask("COUNT").await {
            Ok(orders) => format!("shipped {orders} orders"),
            // The orders are still there when the database is: nothing is won by ending.
            Err(error) => {
                log::warning(format_args!("no new orders: {error:#}"));
                "waiting for the database".to_owned()
            }
        };
        // It has looked, whatever the answer: this process works.
        tell_systemd(&[NotifyState::Status(&status), NotifyState::Watchdog]);
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = stop.received() => return Ok(()),
        }
    }
}

//! Keeps systemd's watchdog quiet for as long as the service works: sd_watchdog_enabled(3), sd_notify(3).

use std::convert::Infallible;
use std::future;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use crate::log;
use crate::notify::tell_systemd;
use crate::self_test;

/// Tests the service and sends `WATCHDOG=1`, twice in each `WatchdogSec=`. Never completes.
///
/// Runs on the same executor as everything else: when the executor hangs, so does this, and systemd's own clock
/// decides.
pub(crate) async fn run(address: &str) -> Infallible {
    if let Some(limit) = sd_notify::watchdog_enabled() {
        let mut ticks = interval(limit / 2);
        // After a slow test, the next one is due half a limit later, not at once.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self_test::run(address).await {
                give_up(&error);
                break;
            }
            tell_systemd(&[NotifyState::Watchdog]);
        }
    }
    future::pending().await
}

/// Says why, and asks systemd to end this process now: there is nothing to wait for.
fn give_up(error: &anyhow::Error) {
    let status = format!("self-test failed: {error:#}");
    log::error(&status);
    tell_systemd(&[NotifyState::Status(&status), NotifyState::WatchdogTrigger]);
}

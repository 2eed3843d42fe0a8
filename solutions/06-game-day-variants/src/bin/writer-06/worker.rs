//! The worker: it never ends because of the database.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use crate::client;
use crate::ending::Failure;
use crate::notify::tell_systemd;
use crate::signals::StopSignals;

const PERIOD: Duration = Duration::from_secs(6);

pub(crate) async fn run(mut stop: StopSignals) -> Result<(), Failure> {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tell_systemd(&[NotifyState::Ready]);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.received() => return Ok(()),
        }
        tell_systemd(&[NotifyState::Watchdog]);
        if let Ok(count) = client::ask("COUNT").await {
            tell_systemd(&[NotifyState::Status(&format!("shipped {count} orders"))]);
        }
    }
}

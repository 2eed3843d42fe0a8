//! The worker: it ends when there is no database, and is restarted so seldom that this is not a loop.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{interval, timeout};

use crate::client;
use crate::ending::Failure;
use crate::notify::tell_systemd;
use crate::signals::StopSignals;

const PERIOD: Duration = Duration::from_secs(4);

/// The database has its own watchdog: until that has acted, there is nothing to ship.
const DEADLINE: Duration = Duration::from_secs(1);

pub(crate) async fn run(mut stop: StopSignals) -> Result<(), Failure> {
    let mut ticks = interval(PERIOD);
    tell_systemd(&[NotifyState::Ready]);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.received() => return Ok(()),
        }
        let count = timeout(DEADLINE, client::ask("COUNT")).await;
        let count = count.map_err(|late| Failure::InTheWay(late.into()))?;
        let count = count.map_err(Failure::InTheWay)?;
        let status = format!("shipped {count} orders");
        tell_systemd(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
    }
}

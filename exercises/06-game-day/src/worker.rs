//! The worker: it looks again and again at how many orders there are, and ships the new ones.
//!
//! Its `STATUS=` says how far it has come: `shipped 17 orders`.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::sleep;

use crate::client;
use crate::ending::Failure;
use crate::notify::tell_systemd;
use crate::signals::StopSignals;

/// From one look to the next.
const PAUSE: Duration = Duration::from_secs(5);

/// Ships orders until it is stopped.
// TODO: written in a hurry. What does it do while the database is away? Who notices when it hangs?
pub(crate) async fn run(mut stop: StopSignals) -> Result<(), Failure> {
    loop {
        let orders = client::ask("COUNT").await.map_err(Failure::InTheWay)?;
        let status = format!("shipped {orders} orders");
        tell_systemd(&[NotifyState::Status(&status)]);
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = stop.received() => return Ok(()),
        }
    }
}

//! Failures on demand. You do not need to change this file.
//!
//! With `FAULTS=1` in its environment, the service accepts two requests that no service should, and the database one:
//!
//! - `GET /fault/deadlock`, `FAULT deadlock`: a task takes the same lock twice. It waits forever, and everyone who needs
//!   that lock as well.
//! - `GET /fault/block`, `FAULT block`: a handler blocks the thread on which all others run.
//!
//! `FAULT_AT_START=deadlock` (or `block`) has the same effect as soon as the service serves, at every start.

use std::env;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::Mutex;

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A way to hang without ending.
pub(crate) enum Fault {
    /// The executor keeps running, but no answer comes.
    Deadlock,
    /// The executor itself no longer runs.
    Block,
}

impl Fault {
    /// The fault that a request asks for.
    pub(crate) fn asked_by(path: &str) -> Option<Fault> {
        env::var_os("FAULTS")?;
        Fault::named(path.strip_prefix("/fault/")?)
    }

    /// The fault that the environment asks for.
    pub(crate) fn at_start() -> Option<Fault> {
        Fault::named(&env::var("FAULT_AT_START").ok()?)
    }

    fn named(name: &str) -> Option<Fault> {
        match name {
            "deadlock" => Some(Fault::Deadlock),
            "block" => Some(Fault::Block),
            _ => None,
        }
    }

    /// Makes it happen.
    pub(crate) fn strike<T: Send + 'static>(self, lock: &Arc<Mutex<T>>) {
        match self {
            Fault::Deadlock => {
                let lock = Arc::clone(lock);
                // In a task of its own: hyper drops a handler when its client hangs up, and its locks with it.
                tokio::spawn(async move {
                    let _once = lock.lock().await;
                    let _twice = lock.lock().await;
                });
            }
            Fault::Block => thread::sleep(FOR_EVER),
        }
    }
}

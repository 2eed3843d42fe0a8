//! A request to stop, for threads that block.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;

use crate::signals::StopSignals;

/// Becomes true once, and stays so.
pub(crate) struct Stop {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    requested: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Requested by SIGTERM and by SIGINT. From here on these do not kill the process.
    pub(crate) fn on_signals() -> io::Result<Stop> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        // Not in the thread, which may run later.
        let mut signals = {
            let _inside = runtime.enter();
            StopSignals::register()?
        };
        let state = Arc::<State>::default();
        let requested = Arc::clone(&state);
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                runtime.block_on(signals.received());
                *requested
                    .requested
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner) = true;
                requested.changed.notify_all();
            })?;
        Ok(Stop { state })
    }

    /// Returns when it is requested.
    pub(crate) fn wait(&self) {
        while !self.wait_at_most(Duration::MAX) {}
    }

    /// Returns true as soon as it is requested, and false when the time is over.
    pub(crate) fn wait_at_most(&self, time: Duration) -> bool {
        let requested = self
            .state
            .requested
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (requested, _) = self
            .state
            .changed
            .wait_timeout_while(requested, time, |requested| !*requested)
            .unwrap_or_else(PoisonError::into_inner);
        *requested
    }
}

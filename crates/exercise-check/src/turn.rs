//! As many runs at a time as there are processors: each keeps one busy, and a person sees the first result sooner than if
//! all of them crept along together.

use std::num::NonZero;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;

static TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

static PROCESSORS: LazyLock<usize> =
    LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));

/// The right to run; given back when it is dropped.
pub(crate) struct Turn(());

impl Turn {
    /// Waits for it.
    pub(crate) fn take() -> Turn {
        let mut taken = GIVEN_BACK
            .wait_while(lock(), |taken| *taken >= *PROCESSORS)
            .unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Turn(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *lock() -= 1;
        GIVEN_BACK.notify_one();
    }
}

/// A number cannot be left half changed, whoever panicked.
fn lock() -> MutexGuard<'static, usize> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

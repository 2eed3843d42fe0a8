//! How to refer to a next step: by the command to type, or in `watch` by the key to press.

use std::sync::atomic::{AtomicBool, Ordering};

use systemd_lab_cli::style;

static IN_WATCH: AtomicBool = AtomicBool::new(false);

/// From now on, refers to keys.
pub(crate) fn name_keys() {
    IN_WATCH.store(true, Ordering::Relaxed);
}

/// Whether steps are keys.
pub(crate) fn names_keys() -> bool {
    IN_WATCH.load(Ordering::Relaxed)
}

/// The step, e.g. `cargo workshop hint 04` or `h`.
pub(crate) fn step(command: &str, key: char) -> String {
    match names_keys() {
        true => style::strong(key),
        false => style::strong(format!("cargo workshop {command}")),
    }
}

//! Which of the two commands this is, for the commands that its texts tell a person to type.

use std::sync::OnceLock;

static PROGRAM: OnceLock<&str> = OnceLock::new();

/// What a person types before a subcommand: `systemd-lab`, or `cargo workshop`.
pub fn program() -> &'static str {
    PROGRAM.get().unwrap_or(&"systemd-lab")
}

/// Says so, once, before anything else.
pub(crate) fn set(program: &'static str) {
    let _ = PROGRAM.set(program);
}

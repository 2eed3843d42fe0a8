//! Which of the two commands is running, for texts that tell a person what to type.

use std::sync::OnceLock;

static PROGRAM: OnceLock<&str> = OnceLock::new();

/// What a person types before a subcommand: `systemd-lab`, or `cargo workshop`.
pub fn program() -> &'static str {
    PROGRAM.get().unwrap_or(&"systemd-lab")
}

/// Sets the program, once, before anything else.
pub(crate) fn set(program: &'static str) {
    let _ = PROGRAM.set(program);
}

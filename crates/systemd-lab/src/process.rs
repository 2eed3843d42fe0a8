//! Child processes that never outlive this one.

use std::ffi::OsStr;
use std::process::Command;

/// A command whose process the kernel sends `signal` when the thread that started it ends, however it ends:
/// setpriv(1) of util-linux, `--pdeathsig`.
///
/// Wait for the child in the thread that spawns it.
pub(crate) fn dies_with_us(signal: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

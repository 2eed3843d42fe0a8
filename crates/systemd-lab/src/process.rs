//! Child processes that never outlive this process.

use std::ffi::OsStr;
use std::process::Command;

/// Runs the command in its arguments, unless its parent, `$0`, is gone already: then the signal would never come. The owner
/// can read files that the command creates, whatever the umask.
const GO_ON: &str = "umask 022; [ \"$PPID\" = \"$0\" ] && exec \"$@\"";

/// A command to whose process the kernel sends `signal`, e.g. `KILL`, when the thread that started it ends, however it
/// ends: setpriv(1) of util-linux, `--pdeathsig`.
///
/// Wait for the child in the thread that spawns it.
pub fn dies_with_us(signal: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", signal, "--", "/bin/sh", "-c", GO_ON])
        .arg(std::process::id().to_string())
        .arg(program);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_only_as_its_child() {
        let output = dies_with_us("KILL", "echo").arg("it runs").output();
        let output = output.expect("setpriv and sh are there");
        assert_eq!(output.stdout, b"it runs\n");
        // Started through another process, it is not our child: this looks as if we had been gone before.
        let own = dies_with_us("KILL", "echo");
        let mut other = Command::new("/bin/sh");
        other
            .args(["-c", "\"$@\"; exit", "sh"])
            .arg(own.get_program());
        let output = other.args(own.get_args()).arg("it runs").output();
        assert_eq!(output.expect("sh is there").stdout, b"");
    }
}

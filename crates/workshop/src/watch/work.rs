//! A check, or another command of the workshop, as a separate process: it can be stopped at any moment, with everything
//! that it has started.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};

use exercise_check::stage::Stage;
use stages::exercises::Workshop;

/// A check in progress. Dropping it stops the check.
pub(super) struct Check(Child);

impl Check {
    /// Starts to check an exercise. Its output goes to the terminal, and refers to keys.
    pub(super) fn begin(workshop: &Workshop, exercise: &Stage) -> anyhow::Result<Check> {
        let mut command = command(workshop)?;
        command
            .args(["check", &exercise.number])
            .stdin(Stdio::null())
            // In its own process group, so that cargo, the compiler and the check end with it.
            .process_group(0);
        let child = command.spawn().context("cannot run the check")?;
        Ok(Check(child))
    }

    /// Its exit status once it has ended; `None` if a signal ended it.
    pub(super) fn ended(&mut self) -> anyhow::Result<Option<Option<i32>>> {
        let status = self.0.try_wait().context("cannot wait for the check")?;
        Ok(status.map(|status| status.code()))
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
            if let Some(group) = group {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = self.0.wait();
        }
    }
}

/// Runs another command to its end, with the terminal to itself. It reports its own errors.
pub(crate) fn run(workshop: &Workshop, arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = command(workshop)?;
    command
        .args(arguments)
        .status()
        .with_context(|| format!("cannot run workshop {}", arguments.join(" ")))?;
    Ok(())
}

/// This program, in the same clone.
fn command(workshop: &Workshop) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("cannot find this program's file")?;
    let mut command = Command::new(program);
    command.arg("--in-watch");
    command.env("CARGO_MANIFEST_DIR", workshop.root.join("crates/workshop"));
    Ok(command)
}

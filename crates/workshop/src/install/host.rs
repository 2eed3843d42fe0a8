//! What this module needs from the host: whether systemd runs it, and commands as root.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use systemd_lab::shell_word;

/// Exists if and only if systemd is the service manager: sd_booted(3).
const BOOTED: &str = "/run/systemd/system";

/// Whether systemd runs this host.
pub(super) fn runs_systemd() -> bool {
    Path::new(BOOTED).is_dir()
}

/// Runs a command as root; sudo may ask for a password on the terminal.
///
/// # Errors
///
/// When the command fails: its output is above.
pub(super) fn as_root(argv: &[&str]) -> anyhow::Result<()> {
    let shown = shown(argv);
    let status = command(argv)
        .status()
        .with_context(|| format!("cannot run `{shown}`; is sudo installed?"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status}); its output is above");
    }
    Ok(())
}

/// In the form that a person could type, e.g. `sudo systemctl daemon-reload`.
fn shown(argv: &[&str]) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    let words: Vec<String> = argv.iter().map(|word| shell_word(word)).collect();
    format!("{sudo}{}", words.join(" "))
}

fn command(argv: &[&str]) -> Command {
    let (program, arguments) = match argv {
        [program, arguments @ ..] if is_root() => (*program, arguments),
        all => ("sudo", all),
    };
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The units that systemd has in memory and that match one of these patterns, whether or not their files still exist;
/// among them, only those that `states` asks for (`--state=failed`).
pub(super) fn loaded_units(patterns: &[String], states: &str) -> anyhow::Result<Vec<String>> {
    let mut argv = vec![
        "systemctl",
        "list-units",
        "--all",
        "--plain",
        "--no-legend",
        "--no-pager",
    ];
    argv.extend([states, "--"]);
    argv.extend(patterns.iter().map(String::as_str));
    // If no D-Bus daemon runs, only root may ask systemd.
    let output = command(&argv)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run `{}`; is it in your PATH?", shown(&argv)))?;
    if !output.status.success() {
        bail!("`{}` failed; its output is above", shown(&argv));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    Ok(names.map(str::to_owned).collect())
}

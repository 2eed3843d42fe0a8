//! Shows a long text a screen at a time, with the person's own pager.

use std::env;
use std::io::{IsTerminal, Write, stdout};
use std::process::{Command, Stdio};
use systemd_lab_cli::put;

use anstream::{AutoStream, ColorChoice};

/// The default options for `less` unless `LESS` is set: keep colours, and use a separate screen only for a long text.
const LESS: &str = "FRX";

/// Prints a text; if the terminal is too small for it, through `PAGER` or `less`.
pub(crate) fn show(text: &str, rows: usize) -> anyhow::Result<()> {
    let coloured = AutoStream::choice(&stdout()) != ColorChoice::Never;
    let text = match coloured {
        true => text.to_owned(),
        false => anstream::adapter::strip_str(text).to_string(),
    };
    let is_long = text.lines().count() >= rows;
    if !(stdout().is_terminal() && is_long && page(&text)) {
        put!("{text}");
    }
    Ok(())
}

/// Whether a pager showed it.
fn page(text: &str) -> bool {
    let pager = env::var("PAGER").unwrap_or_else(|_| "less".to_owned());
    let mut words = pager.split_whitespace();
    let Some(program) = words.next() else {
        return false;
    };
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped());
    if env::var_os("LESS").is_none() {
        command.env("LESS", LESS);
    }
    let Ok(mut child) = command.spawn() else {
        return false;
    };
    if let Some(mut input) = child.stdin.take() {
        // A reader who has read enough ends the pager before all of the text is written.
        let _ = input.write_all(text.as_bytes());
    }
    child.wait().is_ok()
}

//! Shows a long text a screen at a time, with the pager that the person has.

use std::env;
use std::io::{IsTerminal, Write, stdout};
use std::process::{Command, Stdio};
use systemd_lab_cli::put;

use anstream::{AutoStream, ColorChoice};

/// What `less` is asked for unless `LESS` says otherwise: colours as they are, and a screen of its own only for a long text.
const LESS: &str = "FRX";

/// Prints a text; on a terminal that is too low for it, by `PAGER` or `less`.
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
        // A reader who has read enough ends it before all is written.
        let _ = input.write_all(text.as_bytes());
    }
    child.wait().is_ok()
}

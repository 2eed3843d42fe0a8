//! The guest's journal: the only source of truth about what systemd and the services did.
//!
//! [`mod@file`] reads one file, [`follower`] follows journald from file to file, [`events`] turns entries
//! into events. Only [`synchronize`] talks to journald.

pub mod events;
pub mod file;
pub mod follower;

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, bail};

/// journald's own varlink socket: systemd-journald.service(8).
const JOURNALD_SOCKET: &str = "/run/systemd/journal/io.systemd.journal";

/// How long journald may take to write out what it has received, which usually takes some milliseconds. It does so when it has
/// nothing else to do, so never while a service logs without end. What is not written by then is lost to the timeline.
const LONGEST_SYNCHRONIZATION: Duration = Duration::from_secs(5);

/// Waits, for a limited time, until everything that was logged before is in the journal (`journalctl --sync`). Returns whether
/// it is.
///
/// # Errors
///
/// When journald does not answer, or answers with an error.
pub fn synchronize() -> anyhow::Result<bool> {
    let mut socket = UnixStream::connect(JOURNALD_SOCKET)
        .with_context(|| format!("cannot connect to {JOURNALD_SOCKET}"))?;
    socket.set_read_timeout(Some(LONGEST_SYNCHRONIZATION))?;
    // Varlink: JSON messages, each ended by a zero byte. https://varlink.org/Interface-Definition
    socket.write_all(b"{\"method\":\"io.systemd.Journal.Synchronize\",\"parameters\":{}}\0")?;
    let mut answer = Vec::new();
    let mut buffer = [0; 512];
    while answer.last() != Some(&0) {
        let read = match socket.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            read => read.context("journald did not answer")?,
        };
        if read == 0 {
            bail!("journald closed the connection");
        }
        answer.extend_from_slice(&buffer[..read]);
    }
    let answer = String::from_utf8_lossy(&answer);
    if answer.contains("\"error\"") {
        bail!("journald refused to synchronize: {answer}");
    }
    Ok(true)
}

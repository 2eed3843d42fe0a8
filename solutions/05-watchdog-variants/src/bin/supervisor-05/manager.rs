//! The service manager, at the other end of a datagram socket: sd_notify(3).

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::Duration;

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};

use crate::log;

/// A service manager, or nobody.
pub(crate) struct Manager(Option<UnixDatagram>);

impl Manager {
    /// The one that `NOTIFY_SOCKET` names.
    pub(crate) fn from_env() -> Self {
        let connected = env::var_os("NOTIFY_SOCKET").map(|name| {
            let address = match name.as_bytes().strip_prefix(b"@") {
                Some(name) => SocketAddr::from_abstract_name(name)?,
                None => SocketAddr::from_pathname(&name)?,
            };
            let socket = UnixDatagram::unbound()?;
            socket.connect_addr(&address)?;
            io::Result::Ok(socket)
        });
        match connected.transpose() {
            Ok(socket) => Manager(socket),
            Err(error) => {
                log::warning(format_args!("systemd will hear nothing: {error}"));
                Manager(None)
            }
        }
    }

    /// Sends the lines as one message.
    pub(crate) fn tell(&self, lines: &[&str]) {
        let Manager(Some(socket)) = self else {
            return;
        };
        if let Err(error) = socket.send(lines.join("\n").as_bytes()) {
            log::warning(format_args!("systemd did not hear {lines:?}: {error}"));
        }
    }

    /// Sends a status; it ends with the line.
    pub(crate) fn tell_status(&self, status: &str) {
        let line = status.lines().next().unwrap_or_default();
        self.tell(&[&format!("STATUS={line}")]);
    }
}

/// The line that goes with `RELOADING=1`.
pub(crate) fn time_stamp() -> String {
    let now = clock_gettime(ClockId::Monotonic);
    format!(
        "MONOTONIC_USEC={}",
        now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
    )
}

/// How long the service may be silent: sd_watchdog_enabled(3). None is as long as it likes.
pub(crate) fn watchdog_limit() -> anyhow::Result<Option<Duration>> {
    let Ok(limit) = env::var("WATCHDOG_USEC") else {
        return Ok(None);
    };
    if let Ok(pid) = env::var("WATCHDOG_PID")
        && pid != process::id().to_string()
    {
        // Meant for the process that has started this one.
        return Ok(None);
    }
    let limit = limit.parse().context("WATCHDOG_USEC")?;
    Ok(Some(Duration::from_micros(limit)))
}

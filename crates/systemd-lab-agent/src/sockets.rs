//! When TCP sockets start and stop listening, from the kernel's own trace
//! (`sock:inet_sock_set_state`). It is exact; polling would miss the instant.

use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use anyhow::Context;
use systemd_lab_protocol::event::Source;
use systemd_lab_protocol::{Event, EventKind};

use crate::processes::Processes;
use crate::trace;

/// Only these changes are traced: to TCP_LISTEN (10), and from there to TCP_CLOSE (7). A connection
/// that a listener accepts goes from TCP_LISTEN to TCP_SYN_RECV: its socket is a copy.
const FILTER: &str = "newstate==10 || (oldstate==10 && newstate==7)";

/// Bytes per read; a line takes about 250.
const READ_SIZE: usize = 8 << 10;

/// Reads the trace as it grows. As a file descriptor, it becomes readable when there is more.
pub struct SocketTrace {
    pipe: File,
    /// The units that own the listeners: a different process may close a listener, e.g. systemd.
    owners: HashMap<SocketAddr, Option<String>>,
    /// The last line, while it is incomplete.
    rest: Vec<u8>,
}

impl SocketTrace {
    /// Turns the trace on; `tracefs` is its mount point.
    ///
    /// # Errors
    ///
    /// When the kernel has no such trace point.
    pub fn start(tracefs: &Path) -> anyhow::Result<SocketTrace> {
        let settings = [
            ("trace_clock", "mono"),
            // The first line wakes the agent, which waits for it; the default is half a buffer of lines.
            ("buffer_percent", "0"),
            ("events/sock/inet_sock_set_state/filter", FILTER),
            ("events/sock/inet_sock_set_state/enable", "1"),
        ];
        let pipe = trace::open(tracefs, "sockets", &settings)?;
        Ok(SocketTrace {
            pipe,
            owners: HashMap::new(),
            rest: Vec::new(),
        })
    }

    /// The events since the last call.
    ///
    /// # Errors
    ///
    /// When the trace cannot be read.
    pub fn read_new(&mut self, processes: &mut Processes) -> anyhow::Result<Vec<Event>> {
        let mut events = Vec::new();
        loop {
            let filled = self.rest.len();
            self.rest.resize(filled + READ_SIZE, 0);
            let read = match self.pipe.read(&mut self.rest[filled..]) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("cannot read the socket trace"),
            };
            self.rest.truncate(filled + read);
            if read == 0 {
                return Ok(events);
            }
            let complete = match self.rest.iter().rposition(|&byte| byte == b'\n') {
                Some(at) => at + 1,
                None => 0,
            };
            let text: Vec<u8> = self.rest.drain(..complete).collect();
            let changes = String::from_utf8_lossy(&text);
            let changes = changes.lines().filter_map(parse_line);
            events.extend(changes.map(|change| self.event(change, processes)));
        }
    }
}

impl SocketTrace {
    fn event(&mut self, change: Change, processes: &mut Processes) -> Event {
        let address = change.address.to_string();
        let (unit, kind) = if change.listens {
            let unit = processes.unit_of(change.thread);
            self.owners.insert(change.address, unit.clone());
            (unit, EventKind::ListenerOpened { address })
        } else {
            let unit = self.owners.get(&change.address).cloned().flatten();
            (unit, EventKind::ListenerClosed { address })
        };
        Event {
            at_us: change.at_us,
            unit,
            source: Source::SocketTrace,
            kind,
        }
    }
}

impl AsFd for SocketTrace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// A line of the trace.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    at_us: u64,
    /// The thread that opened or closed the socket.
    thread: u32,
    address: SocketAddr,
    listens: bool,
}

/// Parses e.g. `hello-131 [000] ..... 12.345678: inet_sock_set_state: family=AF_INET
/// protocol=IPPROTO_TCP sport=7878 dport=0 saddr=127.0.0.1 daddr=0.0.0.0 saddrv6=::ffff:127.0.0.1
/// daddrv6=:: oldstate=TCP_CLOSE newstate=TCP_LISTEN`.
fn parse_line(line: &str) -> Option<Change> {
    let (before, fields) = line.split_once(": inet_sock_set_state: ")?;
    let (before, stamp) = before.rsplit_once(' ')?;
    let (seconds, micros) = stamp.split_once('.')?;
    // A thread's name may contain anything, even " [000]": its number ends before the last one.
    let (task, _) = before.rsplit_once(" [")?;
    let (_, thread) = task.trim_end().rsplit_once('-')?;
    let field = |name: &str| {
        fields
            .split(' ')
            .find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
    };
    if field("protocol")? != "IPPROTO_TCP" {
        return None;
    }
    let ip: IpAddr = match field("family")? {
        "AF_INET6" => field("saddrv6")?.parse().ok()?,
        _ => field("saddr")?.parse().ok()?,
    };
    Some(Change {
        at_us: seconds.parse::<u64>().ok()? * 1_000_000 + micros.parse::<u64>().ok()?,
        thread: thread.parse().ok()?,
        address: SocketAddr::new(ip, field("sport")?.parse().ok()?),
        listens: field("newstate")? == "TCP_LISTEN",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENED: &str = "           hello-131     [000] .....    12.345678: inet_sock_set_state: family=AF_INET protocol=IPPROTO_TCP sport=7878 dport=0 saddr=127.0.0.1 daddr=0.0.0.0 saddrv6=::ffff:127.0.0.1 daddrv6=::ffff:0.0.0.0 oldstate=TCP_CLOSE newstate=TCP_LISTEN";
    const CLOSED: &str = " tokio-rt-worker-9 [000] .....   105.000007: inet_sock_set_state: family=AF_INET6 protocol=IPPROTO_TCP sport=80 dport=0 saddr=0.0.0.0 daddr=0.0.0.0 saddrv6=::1 daddrv6=:: oldstate=TCP_LISTEN newstate=TCP_CLOSE";

    #[test]
    fn an_opened_listener() {
        assert_eq!(
            parse_line(OPENED),
            Some(Change {
                at_us: 12_345_678,
                thread: 131,
                address: "127.0.0.1:7878".parse().expect("an address"),
                listens: true,
            })
        );
    }

    #[test]
    fn a_closed_listener_of_a_thread_with_dashes() {
        assert_eq!(
            parse_line(CLOSED),
            Some(Change {
                at_us: 105_000_007,
                thread: 9,
                address: "[::1]:80".parse().expect("an address"),
                listens: false,
            })
        );
    }

    #[test]
    fn a_name_that_looks_like_a_trace() {
        let line = OPENED.replace("hello-131", "x-1 [000] y-131");
        assert_eq!(parse_line(&line).map(|change| change.thread), Some(131));
    }

    #[test]
    fn other_lines_are_not_changes() {
        assert_eq!(parse_line("CPU:0 [LOST 3 EVENTS]"), None);
        assert_eq!(parse_line(""), None);
        assert_eq!(parse_line(&OPENED.replace("7878", "many")), None);
    }
}

//! Requests in flight: those sent in the background, and connections that are kept half open.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};
use systemd_lab_protocol::event::ResponseOutcome;
use systemd_lab_protocol::{Event, EventKind};

use crate::endpoint;
use crate::http::{self, Request};
use crate::recorder::own_event;

/// How long to wait for a connection that is kept half open. The kernel accepts it at once, whatever
/// the service does, unless the service's backlog is full.
const LONGEST_CONNECT: Duration = Duration::from_secs(5);

/// All requests of a scenario. As a file descriptor, it becomes readable when a background request
/// has finished.
pub struct Requests {
    /// Background requests whose outcome has not arrived yet, by name.
    pending: Vec<String>,
    finished: Receiver<(String, Event)>,
    finisher: Sender<(String, Event)>,
    /// Counts finished requests whose outcome was not taken yet.
    bell: Arc<OwnedFd>,
    half_open: HashMap<String, TcpStream>,
}

impl Requests {
    /// Starts without any request.
    ///
    /// # Errors
    ///
    /// When the kernel provides no event counter.
    pub fn new() -> io::Result<Requests> {
        let (finisher, finished) = mpsc::channel();
        let bell = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Requests {
            pending: Vec::new(),
            finished,
            finisher,
            bell: Arc::new(bell),
            half_open: HashMap::new(),
        })
    }

    /// Sends a request on a thread of its own.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub fn send_in_background(
        &mut self,
        name: &str,
        request: Request,
        deadline: Duration,
    ) -> io::Result<()> {
        let finisher = self.finisher.clone();
        let bell = Arc::clone(&self.bell);
        let own_name = name.to_owned();
        thread::Builder::new().spawn(move || {
            let event = response(&own_name, request.send(deadline));
            // The receiver is gone once the scenario has ended.
            let _ = finisher.send((own_name, event));
            let _ = rustix::io::write(&bell, &1_u64.to_ne_bytes());
        })?;
        self.pending.push(name.to_owned());
        Ok(())
    }

    /// Whether a request with this name was sent in the background and its outcome is still unknown.
    pub fn is_pending(&self, name: &str) -> bool {
        self.pending.iter().any(|pending| pending == name)
    }

    /// The outcomes that have arrived since the last call.
    pub fn take_finished(&mut self) -> Vec<Event> {
        if self.pending.is_empty() {
            return Vec::new();
        }
        // An error means that no request has finished.
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        let finished: Vec<_> = self.finished.try_iter().collect();
        let settled = finished.into_iter().map(|(name, event)| {
            if let Some(at) = self.pending.iter().position(|pending| *pending == name) {
                self.pending.remove(at);
            }
            event
        });
        settled.collect()
    }

    /// Connects, sends the beginning of a request and keeps the connection.
    ///
    /// # Errors
    ///
    /// When the address is not one, or when connecting or sending fails.
    pub fn open_half(&mut self, name: &str, address: &str, bytes: &str) -> io::Result<()> {
        let address = endpoint::loopback_address(address)
            .map_err(|message| io::Error::new(io::ErrorKind::InvalidInput, message))?;
        let mut stream = endpoint::connect_tcp(address, LONGEST_CONNECT)?;
        stream.write_all(bytes.as_bytes())?;
        self.half_open.insert(name.to_owned(), stream);
        Ok(())
    }

    /// Sends the rest of a request and waits for the response. `None` if the connection does not exist.
    pub fn finish_half(&mut self, name: &str, bytes: &str, deadline: Duration) -> Option<Event> {
        let stream = self.half_open.remove(name)?;
        let outcome = http::finish(stream, bytes.as_bytes(), deadline);
        Some(response(name, outcome))
    }

    /// Closes a connection. `false` if no connection has this name.
    pub fn close_half(&mut self, name: &str) -> bool {
        self.half_open.remove(name).is_some()
    }
}

impl AsFd for Requests {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

/// The event for a request's outcome, stamped with the current time.
pub fn response(name: &str, outcome: ResponseOutcome) -> Event {
    let name = name.to_owned();
    own_event(None, EventKind::Response { name, outcome })
}

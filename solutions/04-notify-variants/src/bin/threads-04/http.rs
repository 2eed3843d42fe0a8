//! As much of HTTP as the service needs, one thread for each connection.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::runtime::Runtime;

use crate::data::Data;
use crate::log;

/// Where the service listens.
const ADDRESS: &str = "127.0.0.1:7878";

/// How long a connection that has sent nothing yet may go without a look at whether to stop.
const IDLE_READ_TIMEOUT: Duration = Duration::from_millis(100);

/// How long a request may make no progress. Clients that never finish must not pile up.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// A request's header is cut off beyond this.
const MAX_HEADER_BYTES: u64 = 8 * 1024;

/// Accepts connections until it is stopped.
pub(crate) struct Server {
    address: SocketAddr,
    acceptor: JoinHandle<()>,
    connections: Arc<Connections>,
}

/// What the threads of all connections share.
struct Connections {
    runtime: &'static Runtime,
    data: Arc<Data>,
    stopping: AtomicBool,
    open: Mutex<usize>,
    one_closed: Condvar,
}

impl Server {
    pub(crate) fn start(runtime: &'static Runtime, data: Arc<Data>) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(ADDRESS).with_context(|| format!("cannot listen on {ADDRESS}"))?;
        let address = listener.local_addr()?;
        let connections = Arc::new(Connections {
            runtime,
            data,
            stopping: AtomicBool::new(false),
            open: Mutex::new(0),
            one_closed: Condvar::new(),
        });
        let acceptor = {
            let connections = Arc::clone(&connections);
            thread::spawn(move || accept(&listener, &connections))
        };
        Ok(Self {
            address,
            acceptor,
            connections,
        })
    }

    /// Accepts nothing more, and waits for the requests in flight.
    pub(crate) fn stop(self, at_most: Duration) -> anyhow::Result<()> {
        self.connections.stopping.store(true, Ordering::SeqCst);
        // `accept` blocks until somebody connects.
        let _ = TcpStream::connect(self.address);
        self.acceptor
            .join()
            .map_err(|_| anyhow!("the accepting thread has panicked"))?;
        self.connections.wait_until_closed(at_most);
        Ok(())
    }
}

/// Runs until it is woken with `stopping` set, and then drops the listener.
fn accept(listener: &TcpListener, connections: &Arc<Connections>) {
    for stream in listener.incoming() {
        if connections.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else {
            thread::sleep(IDLE_READ_TIMEOUT);
            continue;
        };
        connections.opened();
        let connections = Arc::clone(connections);
        thread::spawn(move || {
            // A client that goes away is not a reason to stop.
            let _ = connections.answer(&stream);
            connections.closed();
        });
    }
}

impl Connections {
    /// Answers one request and closes the connection.
    fn answer(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(IDLE_READ_TIMEOUT))?;
        while let Err(error) = stream.peek(&mut [0]) {
            let has_no_request =
                matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            if !has_no_request || self.stopping.load(Ordering::SeqCst) {
                return Err(error);
            }
        }

        // From the first byte on it is in flight; the drain's deadline bounds it.
        stream.set_read_timeout(Some(HEADER_READ_TIMEOUT))?;
        let mut header = BufReader::new(stream.take(MAX_HEADER_BYTES)).lines();
        let request_line = header.next().transpose()?.unwrap_or_default();
        for line in header {
            if line?.is_empty() {
                break;
            }
        }
        let (status, body) = self.respond(&request_line);
        write!(
            &mut &*stream,
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
        stream.shutdown(Shutdown::Write)
    }

    /// The status and the body.
    fn respond(&self, request_line: &str) -> (&'static str, String) {
        let mut words = request_line.split(' ');
        match (words.next(), words.next()) {
            (Some("GET"), Some("/")) => match self.runtime.block_on(self.data.greeting()) {
                Ok(greeting) => ("200 OK", greeting),
                Err(error) => {
                    log::warning(format_args!("{error:#}"));
                    ("503 Service Unavailable", String::new())
                }
            },
            (_, Some("/")) => ("405 Method Not Allowed", String::new()),
            _ => ("404 Not Found", String::new()),
        }
    }

    fn opened(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    fn closed(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.one_closed.notify_all();
    }

    fn wait_until_closed(&self, at_most: Duration) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Passing the deadline ends them with the process.
        let _ = self
            .one_closed
            .wait_timeout_while(open, at_most, |open| *open > 0);
    }
}

//! As much of HTTP/1.1 as the service needs: a thread and one request for each connection.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::journal;

/// How often a connection that is silent looks whether the service stops. Short against the time to drain.
const SILENT_FOR: Duration = Duration::from_millis(100);

/// How long a client may be silent in the middle of a request.
const MID_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// When no connection can be accepted, file descriptors have most likely run out: one comes free when another ends.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The header of a request is not longer.
const MAX_HEADER_BYTES: u64 = 16 * 1024;

/// Answers requests until it is told to drain.
pub(crate) struct Server {
    address: SocketAddr,
    acceptor: JoinHandle<()>,
    shared: Arc<Shared>,
}

/// What to answer; nothing when there is no answer at the moment.
type Greeting = dyn Fn() -> Option<String> + Send + Sync;

struct Shared {
    greeting: Box<Greeting>,
    stopping: AtomicBool,
    open: Mutex<usize>,
    one_closed: Condvar,
}

impl Server {
    /// Begins to accept connections.
    pub(crate) fn start(
        listener: TcpListener,
        greeting: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> io::Result<Server> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            greeting: Box::new(greeting),
            stopping: AtomicBool::new(false),
            open: Mutex::default(),
            one_closed: Condvar::new(),
        });
        let acceptor = {
            let shared = Arc::clone(&shared);
            thread::Builder::new().spawn(move || accept(&listener, &shared))?
        };
        Ok(Server {
            address,
            acceptor,
            shared,
        })
    }

    /// Refuses new connections, waits for requests in flight, and returns how many did not finish.
    pub(crate) fn drain(self, at_most: Duration) -> usize {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // The acceptor blocks until somebody connects.
        let _ = TcpStream::connect(self.address);
        if self.acceptor.join().is_err() {
            journal::warning("the accepting thread has panicked");
        }
        let open = self.shared.open();
        let (open, _) = self
            .shared
            .one_closed
            .wait_timeout_while(open, at_most, |open| *open > 0)
            .unwrap_or_else(PoisonError::into_inner);
        *open
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, usize> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a connection for as long as it lives, also when its thread panics.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Open {
        *shared.open() += 1;
        Open(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        *self.0.open() -= 1;
        self.0.one_closed.notify_all();
    }
}

/// Returns when it is woken and the service stops; then the listener is dropped, and clients are refused.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        match stream {
            Ok(stream) => {
                // Before the thread runs: from here on it is waited for.
                let open = Open::new(shared);
                thread::spawn(move || {
                    if let Err(error) = answer(&stream, &open.0) {
                        journal::info(format_args!("a client went away: {error}"));
                    }
                });
            }
            Err(error) => {
                journal::warning(format_args!("accept: {error}"));
                thread::sleep(ACCEPT_RETRY_DELAY);
            }
        }
    }
}

fn answer(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENT_FOR))?;
    while let Err(error) = stream.peek(&mut [0]) {
        if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
            return Err(error);
        }
        if shared.stopping.load(Ordering::SeqCst) {
            // Nothing has been asked, nothing is in flight.
            return Ok(());
        }
    }
    stream.set_read_timeout(Some(MID_REQUEST_TIMEOUT))?;

    let mut lines = BufReader::new(stream.take(MAX_HEADER_BYTES)).lines();
    let Some(request) = lines.next().transpose()? else {
        return Ok(());
    };
    let complete = loop {
        match lines.next().transpose()? {
            Some(line) if line.is_empty() => break true,
            Some(_) => {}
            None => break false,
        }
    };
    let mut words = request.split(' ');
    let (status, body) = match (complete, words.next(), words.next()) {
        (false, ..) => ("400 Bad Request", String::new()),
        (true, Some("GET"), Some("/")) => match (shared.greeting)() {
            Some(greeting) => ("200 OK", greeting),
            None => ("503 Service Unavailable", String::new()),
        },
        (true, _, Some("/")) => ("405 Method Not Allowed", String::new()),
        (true, ..) => ("404 Not Found", String::new()),
    };
    let mut to = stream;
    write!(
        to,
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.shutdown(Shutdown::Write)
}

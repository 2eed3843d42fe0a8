//! Stage 01, solved with a thread for each connection and blocking sockets: no hyper, and tokio only for the signals.
//!
//! Nothing counts the requests in flight. Each of their threads holds one end of a channel, and the drain waits until
//! all of these are gone.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, ErrorKind, IsTerminal, Read, Write, stderr};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Where the service listens.
const ADDRESS: &str = "127.0.0.1:7878";

/// What `GET /` answers.
const GREETING: &str = "Hello World!";

/// How long requests in flight may take when the service stops. systemd waits for twice as long.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// How often a connection without a request looks whether the service stops. Short against the deadline.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// How long a client may say nothing in the middle of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// After a failed `accept`: file descriptors have run out, most likely, and one comes free when a connection ends.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// No request for this service is longer.
const MAX_REQUEST_BYTES: u64 = 16 * 1024;

/// The priorities of syslog(3) that occur here.
#[derive(Clone, Copy)]
enum Priority {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Debug = 7,
}

/// Lives as long as a connection does. Nothing is ever sent.
#[derive(Clone)]
struct InFlight(#[expect(dead_code, reason = "only its drop is of interest")] Sender<()>);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log(Priority::Error, format_args!("{ADDRESS}: {error}"));
            log(Priority::Notice, "not started");
            // EX_UNAVAILABLE of sysexits(3).
            ExitCode::from(69)
        }
    }
}

fn run() -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut terminate, mut interrupt) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        )
    };

    let listener = TcpListener::bind(ADDRESS)?;
    let stopping = Arc::new(AtomicBool::new(false));
    let (in_flight, ended) = mpsc::channel();
    let acceptor = {
        let stopping = Arc::clone(&stopping);
        thread::spawn(move || accept(&listener, InFlight(in_flight), &stopping))
    };
    log(
        Priority::Notice,
        format_args!("ready for requests at http://{ADDRESS}"),
    );

    runtime.block_on(async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    });
    log(Priority::Notice, "asked to stop");
    stopping.store(true, Ordering::SeqCst);
    // It blocks until somebody connects.
    let _ = TcpStream::connect(ADDRESS);
    if acceptor.join().is_err() {
        log(Priority::Warning, "the accepting thread has panicked");
    }
    drain(&ended);
    Ok(())
}

/// Returns when all connections have ended, or when it has taken too long.
fn drain(ended: &Receiver<()>) {
    if let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(DRAIN_DEADLINE) {
        log(Priority::Warning, "requests in flight are dropped");
    }
}

/// Runs until somebody connects while the service stops. The caller drops the listener then.
fn accept(listener: &TcpListener, in_flight: InFlight, stopping: &Arc<AtomicBool>) {
    for client in listener.incoming() {
        if stopping.load(Ordering::SeqCst) {
            return;
        }
        match client {
            Ok(client) => {
                let (in_flight, stopping) = (in_flight.clone(), Arc::clone(stopping));
                thread::spawn(move || {
                    if let Err(error) = serve(&client, &stopping) {
                        log(Priority::Debug, format_args!("client: {error}"));
                    }
                    drop(in_flight);
                });
            }
            Err(error) => {
                log(Priority::Warning, format_args!("accept: {error}"));
                thread::sleep(ACCEPT_RETRY_DELAY);
            }
        }
    }
}

/// Answers one request and hangs up.
fn serve(mut client: &TcpStream, stopping: &AtomicBool) -> io::Result<()> {
    client.set_read_timeout(Some(LOOK_INTERVAL))?;
    loop {
        match client.peek(&mut [0]) {
            // From the first byte on it is in flight.
            Ok(_) => break,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
                    && !stopping.load(Ordering::SeqCst) => {}
            Err(error) => return Err(error),
        }
    }
    client.set_read_timeout(Some(REQUEST_TIMEOUT))?;

    let mut request = Vec::new();
    for line in BufReader::new(client.take(MAX_REQUEST_BYTES)).lines() {
        let line = line?;
        if line.is_empty() {
            return client.write_all(response(&request).as_bytes());
        }
        request.push(line);
    }
    Err(ErrorKind::UnexpectedEof.into())
}

fn response(request: &[String]) -> String {
    let mut words = request
        .first()
        .map_or("", String::as_str)
        .split_whitespace();
    let (status, body) = match (words.next(), words.next()) {
        (Some("GET"), Some("/")) => ("200 OK", GREETING),
        (Some(_), Some("/")) => ("405 Method Not Allowed", ""),
        _ => ("404 Not Found", ""),
    };
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// A line for the journal, sd-daemon(3); at a terminal without the priority.
fn log(priority: Priority, text: impl Display) {
    let mut to = stderr().lock();
    // A service whose lines nobody takes still serves.
    let _ = if to.is_terminal() {
        writeln!(to, "{text}")
    } else {
        writeln!(to, "<{}>{text}", priority as u8)
    };
}

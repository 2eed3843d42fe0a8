//! Stage 04, solved without hyper and without sd-notify: threads, blocking sockets, and the
//! notification as what it is, a datagram.
//!
//! Three threads talk to `main` through one channel: one waits for signals, one loads the data, one
//! accepts connections. Only loading and signals use tokio, each on a runtime of its own.

#[path = "../../../04-notify/src/data.rs"]
mod data;
#[path = "../../../04-notify/src/signals.rs"]
mod signals;

use std::env;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{self, UnixDatagram};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime;

use crate::data::Data;
use crate::signals::StopSignals;

/// Where the service listens.
const ADDRESS: &str = "127.0.0.1:7878";

/// How long requests in flight may take to finish; half of the unit's `TimeoutStopSec=`.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// How long a connection that has sent nothing yet may go without a look at whether to stop.
const IDLE_READ_TIMEOUT: Duration = Duration::from_millis(100);

/// A request's header is cut off beyond this.
const MAX_HEADER_BYTES: u64 = 8 * 1024;

/// What `main` waits for.
enum Event {
    Loaded(Data),
    Stop,
}

/// What the threads of all connections share.
#[derive(Default)]
struct Connections {
    stopping: AtomicBool,
    open: Mutex<usize>,
    one_closed: Condvar,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let (events, next_event) = mpsc::channel();
    spawn_signal_thread(events.clone()).context("cannot listen for signals")?;
    notify("STATUS=Starting");
    spawn_loading_thread(events).context("cannot load data")?;

    let Event::Loaded(data) = next_event.recv()? else {
        notify("STOPPING=1\nSTATUS=Stopped while loading");
        return Ok(());
    };

    let listener =
        TcpListener::bind(ADDRESS).with_context(|| format!("cannot listen on {ADDRESS}"))?;
    let address = listener.local_addr()?;
    let connections = Arc::new(Connections::default());
    let acceptor = {
        let connections = Arc::clone(&connections);
        thread::spawn(move || accept(&listener, &Arc::new(data), &connections))
    };
    notify("READY=1\nSTATUS=Serving");

    // The loading thread has ended, so the next event can only be a signal.
    next_event.recv()?;
    notify("STOPPING=1");
    notify("STATUS=Finishing requests");
    connections.stopping.store(true, Ordering::SeqCst);
    wake(address);
    if acceptor.join().is_err() {
        anyhow::bail!("the accepting thread has panicked");
    }
    connections.wait_until_closed(DRAIN_DEADLINE);
    Ok(())
}

fn spawn_signal_thread(events: Sender<Event>) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // Here and not in the thread: they must be registered before anything else happens.
    let mut signals = {
        let _guard = runtime.enter();
        StopSignals::register()?
    };
    thread::spawn(move || {
        runtime.block_on(signals.received());
        // Nobody listens any more when the service is ending by itself.
        let _ = events.send(Event::Stop);
    });
    Ok(())
}

fn spawn_loading_thread(events: Sender<Event>) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    thread::spawn(move || {
        let data = runtime.block_on(Data::load(|part| {
            notify("EXTEND_TIMEOUT_USEC=5000000");
            notify(&format!(
                "STATUS=Part {} of {} is here",
                part.number, part.of
            ));
        }));
        let _ = events.send(Event::Loaded(data));
    });
    Ok(())
}

/// Runs until it is woken with `stopping` set, and then drops the listener.
fn accept(listener: &TcpListener, data: &Arc<Data>, connections: &Arc<Connections>) {
    for stream in listener.incoming() {
        if connections.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else {
            thread::sleep(IDLE_READ_TIMEOUT);
            continue;
        };
        connections.opened();
        let data = Arc::clone(data);
        let connections = Arc::clone(connections);
        thread::spawn(move || {
            // A client that goes away is no reason to stop.
            let _ = answer(stream, &data, &connections.stopping);
            connections.closed();
        });
    }
}

/// Answers one request and closes the connection.
fn answer(stream: TcpStream, data: &Data, stopping: &AtomicBool) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE_READ_TIMEOUT))?;
    while let Err(error) = stream.peek(&mut [0]) {
        let has_no_request = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        if !has_no_request || stopping.load(Ordering::SeqCst) {
            return Err(error);
        }
    }

    // From the first byte on it is in flight; the drain's deadline bounds it.
    stream.set_read_timeout(None)?;
    let mut header = BufReader::new((&stream).take(MAX_HEADER_BYTES)).lines();
    let request_line = header.next().transpose()?.unwrap_or_default();
    for line in header {
        if line?.is_empty() {
            break;
        }
    }
    let (status, body) = match request_line.split(' ').nth(1) {
        Some("/") => ("200 OK", data.greeting()),
        _ => ("404 Not Found", ""),
    };
    write!(
        &stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.shutdown(Shutdown::Write)
}

/// `accept` blocks until somebody connects.
fn wake(address: SocketAddr) {
    let _ = TcpStream::connect(address);
}

impl Connections {
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

/// sd_notify(3) in a few lines; does nothing without `NOTIFY_SOCKET`.
fn notify(message: &str) {
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    if let Err(error) = send_datagram(&socket, message) {
        eprintln!("cannot notify: {error}");
    }
}

fn send_datagram(socket: &OsStr, message: &str) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => net::SocketAddr::from_abstract_name(name)?,
        None => net::SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address)?;
    Ok(())
}

//! A greeter that takes its listener from systemd, if it is given one: from a socket unit, or from the file descriptor store, in which it
//! has put the listener itself. The guide's page "A restart that refuses nobody" counts what clients notice.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use listenfd::ListenFd;
use sd_notify::NotifyState;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

const ADDRESS: &str = "127.0.0.1:8080";
const GREETING: &str = "Hello\n";

/// Stands for what a real service does first.
const WARM_UP: Duration = Duration::from_secs(3);

/// A client that sends nothing is cut off after this time.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long requests may go on after SIGTERM.
const DRAIN: Duration = Duration::from_secs(5);

/// How often the drain looks whether it is done.
const DRAIN_STEP: Duration = Duration::from_millis(20);

/// The listener's name in the store.
const NAME: &str = "http";

static IN_FLIGHT: AtomicUsize = AtomicUsize::new(0);
static STOPPING: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("<3>{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let listener = listener()?;
    thread::sleep(WARM_UP);
    thread::spawn(move || accept(&listener));
    sd_notify::notify(&[NotifyState::Ready])?;
    let _ = signals.forever().next();
    sd_notify::notify(&[NotifyState::Stopping])?;
    STOPPING.store(true, Ordering::SeqCst);
    // Wakes `accept`.
    let _ = TcpStream::connect(ADDRESS);
    let until = Instant::now() + DRAIN;
    while IN_FLIGHT.load(Ordering::SeqCst) > 0 && Instant::now() < until {
        thread::sleep(DRAIN_STEP);
    }
    Ok(())
}

// ANCHOR: listener
/// The listener that systemd passes, or one of our own, which systemd is asked to keep for the next start.
fn listener() -> io::Result<TcpListener> {
    if let Some(passed) = ListenFd::from_env().take_tcp_listener(0)? {
        return Ok(passed);
    }
    let listener = TcpListener::bind(ADDRESS)?;
    // systemd sets it if the unit has FileDescriptorStoreMax= (systemd 254).
    if env::var_os("FDSTORE").is_some() {
        let state = [NotifyState::FdStore, NotifyState::FdName(NAME)];
        sd_notify::notify_with_fds(&state, &[listener.as_fd()])?;
    }
    Ok(listener)
}
// ANCHOR_END: listener

// ANCHOR: accept
/// Ends after a stop, and answers the last client that it has accepted. Clients that come later wait in the listener's queue, which
/// outlives this process.
fn accept(listener: &TcpListener) {
    for connection in listener.incoming() {
        IN_FLIGHT.fetch_add(1, Ordering::SeqCst);
        thread::spawn(move || {
            if let Err(error) = connection.and_then(answer) {
                eprintln!("<4>a connection broke: {error}");
            }
            IN_FLIGHT.fetch_sub(1, Ordering::SeqCst);
        });
        if STOPPING.load(Ordering::SeqCst) {
            return;
        }
    }
}
// ANCHOR_END: accept

fn answer(mut client: TcpStream) -> io::Result<()> {
    client.set_read_timeout(Some(CLIENT_TIMEOUT))?;
    // The head ends with an empty line; a GET has nothing else.
    let mut is_asked = false;
    for line in BufReader::new(client.try_clone()?).lines() {
        if line?.is_empty() {
            break;
        }
        is_asked = true;
    }
    // It has connected and gone, as the one that wakes `accept`.
    if !is_asked {
        return Ok(());
    }
    write!(
        client,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{GREETING}",
        GREETING.len()
    )
}

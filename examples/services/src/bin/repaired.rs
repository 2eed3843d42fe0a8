//! The greeter of `faulty.rs`, repaired: it is ready when it listens, pings after a self-test through its front door, drains when it is
//! stopped, and runs without systemd as well.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

const ADDRESS: &str = "127.0.0.1:8080";
const GREETING: &str = "/srv/greeting";

/// Stands for what a real service does first: it reads an index, fills a cache, opens connections.
const WARM_UP: Duration = Duration::from_secs(3);

/// How long `GET /slow` takes.
const SLOW: Duration = Duration::from_secs(2);

/// A client that sends nothing is cut off after this time. It must be shorter than the self-test may take.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(2);

/// A self-test that takes longer has failed. It must be shorter than the time between two pings.
const TEST_TIMEOUT: Duration = Duration::from_secs(4);

/// How long requests may go on after SIGTERM: longer than the slowest, shorter than `TimeoutStopSec=`.
const DRAIN: Duration = Duration::from_secs(5);

/// How often the drain looks whether it is done.
const DRAIN_STEP: Duration = Duration::from_millis(20);

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

fn run() -> Result<(), String> {
    // Before anything else, so that a stop during the start is heard as well.
    let mut signals =
        Signals::new([SIGTERM, SIGINT]).map_err(|error| format!("no signal handler: {error}"))?;
    let greeting =
        fs::read_to_string(GREETING).map_err(|error| format!("cannot read {GREETING}: {error}"))?;
    thread::sleep(WARM_UP);
    // ANCHOR: ready
    let listener = TcpListener::bind(ADDRESS)
        .map_err(|error| format!("cannot listen on {ADDRESS}: {error}"))?;
    thread::spawn(move || accept(listener, &greeting));
    tell(&[NotifyState::Ready]);
    // ANCHOR_END: ready
    if let Some(limit) = sd_notify::watchdog_enabled() {
        thread::spawn(move || ping_while_well(limit / 2));
    }
    // ANCHOR: drain
    let _ = signals.forever().next();
    tell(&[NotifyState::Stopping]);
    STOPPING.store(true, Ordering::SeqCst);
    // Wakes `accept`, which then closes the listener.
    let _ = TcpStream::connect(ADDRESS);
    let until = Instant::now() + DRAIN;
    while IN_FLIGHT.load(Ordering::SeqCst) > 0 && Instant::now() < until {
        thread::sleep(DRAIN_STEP);
    }
    // ANCHOR_END: drain
    Ok(())
}

// ANCHOR: tell
/// Without systemd this does nothing, and is not an error.
fn tell(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        eprintln!("<4>systemd cannot be told: {error}");
    }
}
// ANCHOR_END: tell

fn accept(listener: TcpListener, greeting: &str) {
    for connection in listener.incoming() {
        let greeting = greeting.to_owned();
        IN_FLIGHT.fetch_add(1, Ordering::SeqCst);
        thread::spawn(move || {
            if let Err(error) = connection.and_then(|client| answer(client, &greeting)) {
                eprintln!("<4>a connection broke: {error}");
            }
            IN_FLIGHT.fetch_sub(1, Ordering::SeqCst);
        });
        if STOPPING.load(Ordering::SeqCst) {
            return;
        }
    }
}

// ANCHOR: ping
fn ping_while_well(interval: Duration) {
    loop {
        match ask_myself() {
            Ok(()) => tell(&[NotifyState::Watchdog]),
            Err(error) => eprintln!("<4>no ping for the watchdog: {error}"),
        }
        thread::sleep(interval);
    }
}

/// As a client would ask.
fn ask_myself() -> io::Result<()> {
    let address: SocketAddr = ADDRESS.parse().map_err(io::Error::other)?;
    let mut connection = TcpStream::connect_timeout(&address, TEST_TIMEOUT)?;
    connection.set_read_timeout(Some(TEST_TIMEOUT))?;
    connection.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    match answer.starts_with("HTTP/1.1 200") {
        true => Ok(()),
        false => Err(io::Error::other("another answer than 200")),
    }
}
// ANCHOR_END: ping

fn answer(mut client: TcpStream, greeting: &str) -> io::Result<()> {
    client.set_read_timeout(Some(CLIENT_TIMEOUT))?;
    let mut path = String::new();
    // The head ends with an empty line; a GET has nothing else.
    for line in BufReader::new(client.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(rest) = line.strip_prefix("GET ") {
            path = rest.split(' ').next().unwrap_or_default().to_owned();
        }
    }
    // It has connected and gone, as the one that wakes `accept`.
    if path.is_empty() {
        return Ok(());
    }
    if path == "/slow" {
        thread::sleep(SLOW);
    }
    write!(
        client,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{greeting}",
        greeting.len()
    )
}

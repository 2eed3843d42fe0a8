//! A thread that asks as a client would, and reports the result to systemd.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use crate::log;
use crate::notify::tell_systemd;

/// The service's front door.
const FRONT_DOOR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7878);

/// The whole of a test, from the first packet to the status line. A report or the database may take
/// 3 s of it.
const TEST_DEADLINE: Duration = Duration::from_secs(4);

/// Connection: close, so that the service does not have to wait for this client at its end.
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// How the answer must begin.
const GOOD: &[u8] = b"HTTP/1.1 200 ";

/// Tests the service until it is dropped.
pub(crate) struct Guard {
    relieved: Arc<AtomicBool>,
    /// Its end wakes the thread.
    _wake: Sender<()>,
}

impl Guard {
    /// Starts to test, twice within `limit`.
    pub(crate) fn post(limit: Duration) -> io::Result<Self> {
        let relieved = Arc::new(AtomicBool::new(false));
        let (wake, woken) = mpsc::channel();
        let is_relieved = Arc::clone(&relieved);
        thread::Builder::new()
            .name("guard".to_owned())
            .spawn(move || {
                let mut next = Instant::now();
                loop {
                    next += limit / 2;
                    let pause = next.saturating_duration_since(Instant::now());
                    if woken.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                        return;
                    }
                    let result = test();
                    // One that has failed because the service stops is not a failure.
                    if is_relieved.load(Ordering::SeqCst) {
                        return;
                    }
                    match result {
                        Ok(()) => tell_systemd(&[NotifyState::Watchdog]),
                        Err(error) => return raise_alarm(&error),
                    }
                }
            })?;
        Ok(Self {
            relieved,
            _wake: wake,
        })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.relieved.store(true, Ordering::SeqCst);
    }
}

/// systemd kills the process at once, so everything else comes first.
fn raise_alarm(error: &io::Error) {
    let status = format!("self-test failed: {error}");
    log::error(&status);
    tell_systemd(&[NotifyState::Status(&status), NotifyState::WatchdogTrigger]);
}

fn test() -> io::Result<()> {
    let end = Instant::now() + TEST_DEADLINE;
    let mut front_door = TcpStream::connect_timeout(&FRONT_DOOR, left(end)?)?;
    front_door.set_write_timeout(Some(left(end)?))?;
    front_door.write_all(REQUEST)?;

    let mut answer = [0; GOOD.len()];
    let mut known = 0;
    while known < answer.len() {
        // A timeout of the socket bounds one read; a service that answers byte by byte could stretch that.
        front_door.set_read_timeout(Some(left(end)?))?;
        match front_door.read(&mut answer[known..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => known += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(too_late()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if answer == GOOD {
        // Hanging up with unread bytes would be a reset, and a line in the service's log.
        drain(front_door, end)
    } else {
        let text = String::from_utf8_lossy(&answer);
        Err(io::Error::other(format!("the answer begins with {text:?}")))
    }
}

/// Reads to the end.
fn drain(mut front_door: TcpStream, end: Instant) -> io::Result<()> {
    let mut rest = [0; 1024];
    loop {
        front_door.set_read_timeout(Some(left(end)?))?;
        match front_door.read(&mut rest) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(too_late()),
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
}

/// The time until then, which is not zero: the sockets would take that for no limit.
fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(too_late());
    }
    Ok(left)
}

fn too_late() -> io::Error {
    let why = format!("no answer within {TEST_DEADLINE:?}");
    io::Error::new(ErrorKind::TimedOut, why)
}

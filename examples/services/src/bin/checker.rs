//! A health checker that runs beside a program in the same unit: it sends `READY=1` after the first answer, and `WATCHDOG=1` after each one.
//! If there is no answer, it sends nothing, and systemd's watchdog ends the program.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;

const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 8080);

/// Longer than the slowest honest answer, shorter than the time between two pings.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How often it asks until the first answer, and always if there is no watchdog.
const EVERY: Duration = Duration::from_secs(1);

fn main() {
    let mut is_ready = false;
    loop {
        match ask() {
            Ok(()) if is_ready => tell(NotifyState::Watchdog),
            Ok(()) => {
                is_ready = true;
                tell(NotifyState::Ready);
            }
            Err(error) if is_ready => eprintln!("<4>no answer, so no ping: {error}"),
            // It is still starting: TimeoutStartSec= is its limit.
            Err(_) => {}
        }
        let interval = sd_notify::watchdog_enabled().map(|limit| limit / 2);
        thread::sleep(interval.filter(|_| is_ready).unwrap_or(EVERY));
    }
}

fn tell(state: NotifyState) {
    if let Err(error) = sd_notify::notify(&[state]) {
        eprintln!("<4>systemd cannot be told: {error}");
    }
}

fn ask() -> io::Result<()> {
    let mut connection = TcpStream::connect_timeout(&SocketAddr::from(ADDRESS), TIMEOUT)?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    connection.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut status = [0; 12];
    connection.read_exact(&mut status)?;
    match &status {
        b"HTTP/1.1 200" => Ok(()),
        other => Err(io::Error::other(
            String::from_utf8_lossy(other).into_owned(),
        )),
    }
}

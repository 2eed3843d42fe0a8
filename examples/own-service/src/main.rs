//! A service of your own, as small as possible: it answers each request with `well`. If systemd watches it
//! (`WatchdogSec=`), it pings only after it has sent itself a request.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;

/// A client that sends nothing must not keep the others waiting.
const TIMEOUT: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let address = env::args().nth(1);
    let Some(address) = address else {
        eprintln!("name an address to listen on, e.g. 127.0.0.1:8080");
        return ExitCode::FAILURE;
    };
    match serve(&address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot serve on {address}: {error}; is the port taken?");
            ExitCode::FAILURE
        }
    }
}

fn serve(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    if let Some(limit) = sd_notify::watchdog_enabled() {
        let address = listener.local_addr()?;
        // Twice as often as needed, as sd_watchdog_enabled(3) recommends.
        thread::spawn(move || ping_watchdog(address, limit / 2));
    }
    for connection in listener.incoming() {
        if let Err(error) = connection.and_then(answer) {
            eprintln!("a connection broke: {error}");
        }
    }
    Ok(())
}

/// Without a ping, systemd kills this service and starts it again.
fn ping_watchdog(address: SocketAddr, interval: Duration) {
    loop {
        let pinged = ask_myself(address).and_then(|()| sd_notify::notify(&[NotifyState::Watchdog]));
        if let Err(error) = pinged {
            eprintln!("no ping for the watchdog: {error}");
        }
        thread::sleep(interval);
    }
}

fn ask_myself(address: SocketAddr) -> io::Result<()> {
    let mut connection = TcpStream::connect_timeout(&address, TIMEOUT)?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    connection.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    connection.read_exact(&mut [0])
}

fn answer(mut connection: TcpStream) -> io::Result<()> {
    connection.set_read_timeout(Some(TIMEOUT))?;
    // The head ends with an empty line; a GET has nothing else.
    for line in BufReader::new(connection.try_clone()?).lines() {
        if line?.is_empty() {
            break;
        }
    }
    connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwell\n")
}

//! A client that counts: it asks 127.0.0.1:8080 ten times a second, each time with a new connection, and says at the end how many requests
//! were answered, refused, and cut off, and how long the slowest one waited.
//!
//! Its argument is for how many seconds it asks.

use std::env;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 8080);
const INTERVAL: Duration = Duration::from_millis(100);

/// Longer than any restart here.
const TIMEOUT: Duration = Duration::from_secs(30);

enum Outcome {
    Answered(Duration),
    Refused,
    CutOff,
}

fn main() -> ExitCode {
    let seconds = env::args().nth(1).and_then(|text| text.parse().ok());
    let Some(seconds) = seconds else {
        eprintln!("say for how many seconds to ask, e.g. 20");
        return ExitCode::FAILURE;
    };
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut clients = Vec::new();
    while Instant::now() < until {
        clients.push(thread::spawn(ask));
        thread::sleep(INTERVAL);
    }
    let (mut answered, mut refused, mut cut_off, mut slowest) = (0, 0, 0, Duration::ZERO);
    for client in clients {
        match client.join() {
            Ok(Outcome::Answered(time)) => {
                answered += 1;
                slowest = slowest.max(time);
            }
            Ok(Outcome::Refused) => refused += 1,
            Ok(Outcome::CutOff) | Err(_) => cut_off += 1,
        }
    }
    println!(
        "answered {answered}, refused {refused}, cut off {cut_off}; the slowest took {} s",
        slowest.as_secs_f64().round()
    );
    ExitCode::SUCCESS
}

fn ask() -> Outcome {
    let began = Instant::now();
    let Ok(connection) = TcpStream::connect_timeout(&SocketAddr::from(ADDRESS), TIMEOUT) else {
        return Outcome::Refused;
    };
    match answer(connection) {
        Ok(text) if text.starts_with("HTTP/1.1 200") => Outcome::Answered(began.elapsed()),
        _ => Outcome::CutOff,
    }
}

fn answer(mut connection: TcpStream) -> io::Result<String> {
    connection.set_read_timeout(Some(TIMEOUT))?;
    connection.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut text = String::new();
    connection.read_to_string(&mut text)?;
    Ok(text)
}

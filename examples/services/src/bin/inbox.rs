//! Stands for the service that wakes a person: it receives a message by HTTP, and logs each of its lines.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const ADDRESS: &str = "127.0.0.1:9000";

/// A client that sends nothing must not keep the others waiting.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A longer message is cut off.
const LONGEST: u64 = 64 * 1024;

fn main() -> io::Result<()> {
    for client in TcpListener::bind(ADDRESS)?.incoming() {
        match client.and_then(receive) {
            Ok(message) => message
                .lines()
                .for_each(|line| println!("received: {line}")),
            Err(error) => eprintln!("a client broke: {error}"),
        }
    }
    Ok(())
}

fn receive(mut client: TcpStream) -> io::Result<String> {
    client.set_read_timeout(Some(TIMEOUT))?;
    let mut reader = BufReader::new(client.try_clone()?);
    let mut length = 0;
    // The head ends with an empty line.
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = String::new();
    reader.take(length.min(LONGEST)).read_to_string(&mut body)?;
    client.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")?;
    Ok(body)
}

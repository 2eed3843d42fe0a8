//! Stands for a program that you cannot change: it knows nothing of systemd, needs 3 s to start, and serves one client at a time. A client that
//! connects and sends nothing hangs it forever.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const ADDRESS: &str = "127.0.0.1:8080";
const WARM_UP: Duration = Duration::from_secs(3);

fn main() -> io::Result<()> {
    thread::sleep(WARM_UP);
    for client in TcpListener::bind(ADDRESS)?.incoming() {
        // A client that goes away is not an error.
        let _ = client.and_then(answer);
    }
    Ok(())
}

fn answer(mut client: TcpStream) -> io::Result<()> {
    for line in BufReader::new(client.try_clone()?).lines() {
        if line?.is_empty() {
            break;
        }
    }
    client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nold")
}

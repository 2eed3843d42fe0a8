//! A service of your own, as small as can be: it answers each request with `well`.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

/// A client that sends nothing must not keep the others waiting.
const PATIENCE: Duration = Duration::from_millis(500);

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
    for connection in TcpListener::bind(address)?.incoming() {
        if let Err(error) = connection.and_then(answer) {
            eprintln!("a connection broke: {error}");
        }
    }
    Ok(())
}

fn answer(mut connection: TcpStream) -> io::Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    // The head ends with an empty line; a GET has nothing else.
    for line in BufReader::new(connection.try_clone()?).lines() {
        if line?.is_empty() {
            break;
        }
    }
    connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwell\n")
}

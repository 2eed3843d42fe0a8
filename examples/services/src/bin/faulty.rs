//! A greeter with a watchdog, as many examples on the web show one. Its author says that it works. It has five faults: the
//! guide's page "The unit that started it all" asks you to find them. `repaired.rs` beside it is the same service without them.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;
use std::{env, fs, process};

use sd_notify::NotifyState;

const ADDRESS: &str = "127.0.0.1:8080";
const GREETING: &str = "/srv/greeting";

/// Stands for what a real service does first: it reads an index, fills a cache, opens connections.
const WARM_UP: Duration = Duration::from_secs(3);

/// How long `GET /slow` takes.
const SLOW: Duration = Duration::from_secs(2);

fn main() {
    if env::var_os("NOTIFY_SOCKET").is_none() {
        eprintln!("this program must be started by systemd");
        process::exit(1);
    }
    debug_assert!(sd_notify::notify(&[NotifyState::Ready]).is_ok());
    if let Some(limit) = sd_notify::watchdog_enabled() {
        thread::spawn(move || {
            loop {
                let _ = sd_notify::notify(&[NotifyState::Watchdog]);
                thread::sleep(limit / 2);
            }
        });
    }
    let greeting = fs::read_to_string(GREETING).expect("there is a greeting");
    thread::sleep(WARM_UP);
    let listener = TcpListener::bind(ADDRESS).expect("the port is free");
    for connection in listener.incoming() {
        if let Err(error) = connection.and_then(|client| answer(client, &greeting)) {
            eprintln!("a connection broke: {error}");
        }
    }
}

fn answer(mut client: TcpStream, greeting: &str) -> io::Result<()> {
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
    if path == "/slow" {
        thread::sleep(SLOW);
    }
    write!(
        client,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{greeting}",
        greeting.len()
    )
}

//! Stage 01, solved without hyper: threads and blocking sockets. Only signals use tokio, on a runtime of their own.
//!
//! A client that has not sent a whole request 5 s after the stop began is disconnected; exit code 2 for a port that is taken.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Where the service listens.
const ADDRESS: &str = "127.0.0.1:7878";

/// The most that a drain may take: clients that need nearly as long still get an answer.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// The service could not get its port.
const NO_PORT: u8 = 2;

enum Message {
    Stop,
    Connection(TcpStream),
    Finished,
}

fn main() -> ExitCode {
    let (to_main, messages) = mpsc::channel();
    if let Err(error) = watch_signals(to_main.clone()) {
        println!("<3>no signals: {error}");
        return ExitCode::FAILURE;
    }
    let listener = match TcpListener::bind(ADDRESS) {
        Ok(listener) => listener,
        Err(error) => {
            println!("<3>{ADDRESS}: {error}");
            return ExitCode::from(NO_PORT);
        }
    };
    println!("<5>up");
    let acceptor = to_main.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if acceptor.send(Message::Connection(stream)).is_err() {
                return;
            }
        }
    });
    serve(&to_main, &messages);
    println!("<5>down");
    ExitCode::SUCCESS
}

/// Serves until it is told to stop, and then for as long as a connection is open and the deadline has not passed.
fn serve(to_main: &Sender<Message>, messages: &Receiver<Message>) {
    let mut open = 0_u32;
    let mut deadline = None;
    loop {
        let message = match deadline {
            None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(_) if open == 0 => return,
            Some(end) => {
                messages.recv_timeout(Instant::saturating_duration_since(&end, Instant::now()))
            }
        };
        match message {
            Ok(Message::Stop) => deadline = Some(Instant::now() + DRAIN_DEADLINE),
            // Once it stops, what still comes in is refused.
            Ok(Message::Connection(_)) if deadline.is_some() => {}
            Ok(Message::Connection(stream)) => {
                open += 1;
                let to_main = to_main.clone();
                thread::spawn(move || {
                    // The client went away: its problem.
                    let _ = answer(&stream);
                    let _ = to_main.send(Message::Finished);
                });
            }
            Ok(Message::Finished) => open -= 1,
            Err(_) => return,
        }
    }
}

/// One request for each connection.
fn answer(mut stream: &TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let (status, body) = match request.starts_with("GET / ") {
        true => ("200 OK", "Hello World!"),
        false => ("404 Not Found", ""),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Returns when both signals are registered.
fn watch_signals(to_main: Sender<Message>) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _entered = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    drop(_entered);
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        });
        let _ = to_main.send(Message::Stop);
    });
    Ok(())
}

//! The database, with a thread for each client, and one that asks as a client does.

use std::env;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::mem;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use sd_notify::NotifyState;

use crate::ending::Failure;
use crate::log;
use crate::notify::tell_systemd;
use crate::signals::StopSignals;
use crate::store::{PATH, Store};

/// Where the database listens.
pub(crate) const ADDRESS: &str = "127.0.0.1:7879";

/// How long the test waits for an answer. Three tests fit into `WatchdogSec=`.
const TEST_DEADLINE: Duration = Duration::from_secs(1);

type Orders = Arc<Mutex<Store>>;

pub(crate) async fn run(mut stop: StopSignals) -> Result<(), Failure> {
    let listener = TcpListener::bind(ADDRESS).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => Failure::InTheWay(anyhow!("{ADDRESS} is taken")),
        _ => Failure::Other(error.into()),
    })?;
    let orders: Orders = Arc::new(Mutex::new(Store::open(PATH)?));
    thread::spawn(move || serve(&listener, &orders));
    tell_systemd(&[NotifyState::Ready, NotifyState::Status("open")]);
    if let Some(limit) = sd_notify::watchdog_enabled() {
        thread::spawn(move || guard(limit / 3));
    }
    stop.received().await;
    // Whatever was acknowledged is in the file: there is nothing to finish.
    Ok(())
}

fn serve(listener: &TcpListener, orders: &Orders) {
    for client in listener.incoming().flatten() {
        let orders = Arc::clone(orders);
        thread::spawn(move || {
            if let Err(error) = answer(&client, &orders) {
                log::info(format_args!("a client got no answer: {error:#}"));
            }
        });
    }
}

fn answer(mut client: &TcpStream, orders: &Orders) -> anyhow::Result<()> {
    let mut question = String::new();
    BufReader::new(client).read_line(&mut question)?;
    let answer = match question.trim_end() {
        "COUNT" => open(orders).orders().len().to_string(),
        "LIST" => {
            let orders = open(orders);
            let numbers: Vec<String> = orders.orders().iter().map(u32::to_string).collect();
            numbers.join(" ")
        }
        "FAULT deadlock" if env::var_os("FAULTS").is_some() => {
            mem::forget(open(orders));
            return Ok(());
        }
        other => {
            let number = other.strip_prefix("ADD ").context("not a question")?;
            match open(orders).write(number.parse()?) {
                Ok(()) => "OK".to_owned(),
                Err(error) => {
                    log::warning(format_args!("order {number} is refused: {error}"));
                    "FULL".to_owned()
                }
            }
        }
    };
    client.write_all(format!("{answer}\n").as_bytes())?;
    Ok(())
}

fn open(orders: &Orders) -> MutexGuard<'_, Store> {
    orders.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Pings as long as a client would get an answer.
fn guard(period: Duration) {
    loop {
        match test() {
            Ok(()) => tell_systemd(&[NotifyState::Watchdog]),
            Err(error) => {
                log::error(format_args!("does not answer any more: {error:#}"));
                tell_systemd(&[NotifyState::WatchdogTrigger]);
                return;
            }
        }
        thread::sleep(period);
    }
}

fn test() -> anyhow::Result<()> {
    let mut database = TcpStream::connect(ADDRESS)?;
    database.set_read_timeout(Some(TEST_DEADLINE))?;
    database.write_all(b"COUNT\n")?;
    let mut answer = String::new();
    database.read_to_string(&mut answer)?;
    answer.trim_end().parse::<usize>().context("not a number")?;
    Ok(())
}

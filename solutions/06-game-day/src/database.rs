//! The primary database: it keeps the orders. Anyone who connects sends one line, and gets one line:
//!
//! | question | answer |
//! |---|---|
//! | `ADD 17` | `OK`: order 17 is acknowledged; or `FULL`: it could not be stored |
//! | `COUNT` | how many orders there are |
//! | `LIST` | their numbers |
//! | `FAULT deadlock` | none, and nobody gets one any more: for the lab, and only with `FAULTS=1` |

use std::convert::Infallible;
use std::io::ErrorKind;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use sd_notify::NotifyState;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use crate::client::{self, ADDRESS};
use crate::ending::Failure;
use crate::faults::Fault;
use crate::log;
use crate::notify::tell_systemd;
use crate::signals::StopSignals;
use crate::store::{PATH, Store};
use crate::watchdog;

/// Serves until it is stopped.
pub(crate) async fn run(mut stop: StopSignals) -> Result<(), Failure> {
    let listener = match TcpListener::bind(ADDRESS).await {
        Ok(listener) => listener,
        // Another database still uses the data. This one has not opened it yet.
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            return Err(Failure::InTheWay(anyhow!("{ADDRESS} is in use")));
        }
        Err(error) => return Err(error).with_context(|| format!("cannot listen on {ADDRESS}"))?,
    };
    let store = Arc::new(Mutex::new(Store::open(PATH)?));
    log::info(format_args!("database on {ADDRESS}"));
    tell_systemd(&[NotifyState::Ready]);
    tokio::select! {
        never = serve(&listener, &store) => match never {},
        // Through the front door, and past the lock: what a client of the database needs.
        never = watchdog::run(async || client::ask("COUNT").await.map(drop)) => match never {},
        () = stop.received() => Ok(()),
    }
}

async fn serve(listener: &TcpListener, store: &Arc<Mutex<Store>>) -> Infallible {
    loop {
        if let Ok((client, _)) = listener.accept().await {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                // A client that goes away early needs no answer.
                let _ = answer(client, &store).await;
            });
        }
    }
}

async fn answer(mut client: TcpStream, store: &Arc<Mutex<Store>>) -> anyhow::Result<()> {
    let mut question = String::new();
    BufReader::new(&mut client).read_line(&mut question).await?;
    let answer = match question.trim_end().split_once(' ') {
        None if question.trim_end() == "COUNT" => store.lock().await.orders().len().to_string(),
        None if question.trim_end() == "LIST" => {
            let numbers = store.lock().await;
            let numbers = numbers.orders().iter().map(u32::to_string);
            numbers.collect::<Vec<_>>().join(" ")
        }
        Some(("ADD", order)) => add(order.parse()?, store).await,
        Some(("FAULT", fault)) => {
            if let Some(fault) = Fault::asked_by(&format!("/fault/{fault}")) {
                fault.strike(store);
            }
            return Ok(());
        }
        _ => "WHAT".to_owned(),
    };
    client.write_all(format!("{answer}\n").as_bytes()).await?;
    Ok(())
}

/// Acknowledges an order only once it is in the file.
async fn add(order: u32, store: &Mutex<Store>) -> String {
    match store.lock().await.write(order) {
        Ok(()) => "OK".to_owned(),
        Err(error) => {
            log::warning(format_args!("cannot store order {order}: {error}"));
            "FULL".to_owned()
        }
    }
}

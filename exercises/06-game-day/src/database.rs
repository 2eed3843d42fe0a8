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
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::client::ADDRESS;
use crate::ending::Failure;
use crate::faults::Fault;
use crate::log;
use crate::signals::StopSignals;
use crate::store::{PATH, Store};

/// How often orders are written into the file. One write for many orders is faster than many.
const WRITE_EVERY: Duration = Duration::from_secs(5);

/// The orders.
struct Orders {
    store: Store,
    /// Those that are not in the file yet.
    unwritten: Vec<u32>,
}

/// Serves until it is stopped.
// TODO: written in a hurry. Who notices when it hangs?
pub(crate) async fn run(mut stop: StopSignals) -> Result<(), Failure> {
    let listener = match TcpListener::bind(ADDRESS).await {
        Ok(listener) => listener,
        // Another database still uses the data. This one has not opened it yet.
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            return Err(Failure::InTheWay(anyhow!("{ADDRESS} is in use")));
        }
        Err(error) => return Err(error).with_context(|| format!("cannot listen on {ADDRESS}"))?,
    };
    let orders = Arc::new(Mutex::new(Orders {
        store: Store::open(PATH)?,
        unwritten: Vec::new(),
    }));
    log::info(format_args!("database on {ADDRESS}"));
    tokio::select! {
        never = serve(&listener, &orders) => match never {},
        never = write_now_and_then(&orders) => match never {},
        () = stop.received() => {
            orders.lock().await.write();
            Ok(())
        }
    }
}

/// Writes what has come in.
async fn write_now_and_then(orders: &Mutex<Orders>) -> Infallible {
    loop {
        sleep(WRITE_EVERY).await;
        orders.lock().await.write();
    }
}

async fn serve(listener: &TcpListener, orders: &Arc<Mutex<Orders>>) -> Infallible {
    loop {
        if let Ok((client, _)) = listener.accept().await {
            let orders = Arc::clone(orders);
            tokio::spawn(async move {
                // A client that goes away early needs no answer.
                let _ = answer(client, &orders).await;
            });
        }
    }
}

async fn answer(mut client: TcpStream, orders: &Arc<Mutex<Orders>>) -> anyhow::Result<()> {
    let mut question = String::new();
    BufReader::new(&mut client).read_line(&mut question).await?;
    let answer = match question.trim_end().split_once(' ') {
        None if question.trim_end() == "COUNT" => orders.lock().await.numbers().len().to_string(),
        None if question.trim_end() == "LIST" => {
            let numbers = orders.lock().await.numbers();
            let numbers = numbers.iter().map(u32::to_string);
            numbers.collect::<Vec<_>>().join(" ")
        }
        Some(("ADD", order)) => add(order.parse()?, orders).await,
        Some(("FAULT", fault)) => {
            if let Some(fault) = Fault::asked_by(&format!("/fault/{fault}")) {
                fault.strike(orders);
            }
            return Ok(());
        }
        _ => "WHAT".to_owned(),
    };
    client.write_all(format!("{answer}\n").as_bytes()).await?;
    Ok(())
}

/// Takes an order.
// TODO: `OK` is a promise to the customer. Where is the order when this is said?
async fn add(order: u32, orders: &Mutex<Orders>) -> String {
    orders.lock().await.unwritten.push(order);
    "OK".to_owned()
}

impl Orders {
    /// Writes what is not in the file yet.
    fn write(&mut self) {
        for order in self.unwritten.drain(..) {
            if let Err(error) = self.store.write(order) {
                log::warning(format_args!("cannot store order {order}: {error}"));
            }
        }
    }

    /// All numbers, in the file or not.
    fn numbers(&self) -> Vec<u32> {
        let written = self.store.orders().iter().copied();
        written.chain(self.unwritten.iter().copied()).collect()
    }
}

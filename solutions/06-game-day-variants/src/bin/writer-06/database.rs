//! The database: connections send letters to one writer, which alone has the orders.

use std::convert::Infallible;
use std::env;
use std::future;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use sd_notify::NotifyState;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{interval, timeout};

use crate::ending::Failure;
use crate::log;
use crate::notify::tell_systemd;
use crate::signals::StopSignals;
use crate::store::{PATH, Store};

/// Where the database listens.
pub(crate) const ADDRESS: &str = "127.0.0.1:7879";

/// Letters that wait. More customers wait at the door.
const LETTERS: usize = 64;

/// How long the writer may need for a letter.
const WRITER_DEADLINE: Duration = Duration::from_secs(2);

enum Letter {
    Add(u32, oneshot::Sender<&'static str>),
    Numbers(oneshot::Sender<Vec<u32>>),
    /// Hangs, for the lab.
    Wedge,
}

type Letters = mpsc::Sender<Letter>;

pub(crate) async fn run(mut stop: StopSignals) -> Result<(), Failure> {
    let listener = TcpListener::bind(ADDRESS)
        .await
        .map_err(|error| Failure::InTheWay(anyhow!("{ADDRESS}: {error}")))?;
    let store = Store::open(PATH)?;
    let (letters, inbox) = mpsc::channel(LETTERS);
    tokio::spawn(write(store, inbox));
    tell_systemd(&[NotifyState::Ready]);
    tokio::select! {
        never = serve(&listener, &letters) => match never {},
        never = prove(&letters) => match never {},
        () = stop.received() => Ok(()),
    }
}

/// The writer.
async fn write(mut store: Store, mut inbox: mpsc::Receiver<Letter>) {
    while let Some(letter) = inbox.recv().await {
        // The client may be gone: that is not the writer's business.
        match letter {
            Letter::Add(order, reply) => {
                let written = store.write(order);
                let _ = reply.send(match written {
                    Ok(()) => "OK",
                    Err(_) => "FULL",
                });
            }
            Letter::Numbers(reply) => {
                let _ = reply.send(store.orders().to_vec());
            }
            Letter::Wedge => future::pending().await,
        }
    }
}

async fn serve(listener: &TcpListener, letters: &Letters) -> Infallible {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let letters = letters.clone();
        tokio::spawn(async move {
            if let Err(error) = answer(client, letters).await {
                log::info(format_args!("{error:#}"));
            }
        });
    }
}

async fn answer(client: TcpStream, letters: Letters) -> anyhow::Result<()> {
    let mut client = BufReader::new(client);
    let mut question = String::new();
    client.read_line(&mut question).await?;
    let answer = match question.trim_end() {
        "LIST" => {
            let numbers = numbers(&letters).await?;
            let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
            numbers.join(" ")
        }
        "COUNT" => numbers(&letters).await?.len().to_string(),
        "FAULT deadlock" if env::var_os("FAULTS").is_some() => {
            letters.send(Letter::Wedge).await?;
            return Ok(());
        }
        other => {
            let Some(order) = other.strip_prefix("ADD ") else {
                bail!("not a question: {other}");
            };
            let (reply, replied) = oneshot::channel();
            letters.send(Letter::Add(order.parse()?, reply)).await?;
            replied.await?.to_owned()
        }
    };
    client.write_all(format!("{answer}\n").as_bytes()).await?;
    Ok(())
}

async fn numbers(letters: &Letters) -> anyhow::Result<Vec<u32>> {
    let (reply, replied) = oneshot::channel();
    letters.send(Letter::Numbers(reply)).await?;
    replied.await.context("the writer is gone")
}

/// Pings as long as the writer reads its letters.
async fn prove(letters: &Letters) -> Infallible {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return future::pending().await;
    };
    let mut ticks = interval(limit / 2);
    loop {
        ticks.tick().await;
        match timeout(WRITER_DEADLINE, numbers(letters)).await {
            Ok(Ok(_)) => tell_systemd(&[NotifyState::Watchdog]),
            _ => {
                log::error("the writer does not read its letters");
                tell_systemd(&[NotifyState::WatchdogTrigger]);
                return future::pending().await;
            }
        }
    }
}

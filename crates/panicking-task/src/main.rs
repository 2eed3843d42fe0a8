//! A service that answers requests with prices, and a task that fetches new prices every second. After ten seconds that task panics.
//!
//! The first argument chooses a version: `dropped`, `joined`, `tested`, or `threads`, in which `GET /block` blocks a thread. The guide's
//! page "A panic that ends nothing" shows them; `crates/maintain/src/guide/tasks.rs` runs them under systemd. `std-mutex` and `async-mutex` hang
//! at once, for `tests/versions.rs`, which looks at their core dumps.

use std::env;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use sd_notify::NotifyState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::time::{interval, sleep};

const ADDRESS: &str = "127.0.0.1:7878";

/// From one look at the prices to the next.
const FETCH_EVERY: Duration = Duration::from_secs(1);

/// Prices older than this are stale: three fetches were missed.
const STALE_AFTER: Duration = Duration::from_secs(3);

/// Which fetch panics.
const BROKEN_FETCH: u64 = 10;

/// Worker threads of the version `threads`.
const WORKERS: usize = 2;

/// What the answers are made of.
#[derive(Clone)]
struct Prices {
    began: Instant,
    /// When they were fetched, in milliseconds since then.
    fetched_ms: Arc<AtomicU64>,
}

impl Prices {
    fn new() -> Prices {
        Prices {
            began: Instant::now(),
            fetched_ms: Arc::default(),
        }
    }

    fn fetched_now(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.fetched_ms.store(now, Ordering::Relaxed);
    }

    fn age(&self) -> Duration {
        let fetched = Duration::from_millis(self.fetched_ms.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(fetched)
    }
}

fn main() -> anyhow::Result<()> {
    // ANCHOR: hook
    // One line with priority err, so that `journalctl -p err` shows each panic.
    panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        eprintln!("<3>panic: {message}");
    }));
    // ANCHOR_END: hook
    let version = env::args().nth(1).unwrap_or_default();
    let runtime = match version.as_str() {
        "threads" => Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build(),
        _ => Builder::new_current_thread().enable_all().build(),
    };
    runtime
        .context("cannot make a runtime")?
        .block_on(run(&version))
}

async fn run(version: &str) -> anyhow::Result<()> {
    let listener = TcpListener::bind(ADDRESS)
        .await
        .with_context(|| format!("cannot listen on {ADDRESS}"))?;
    let prices = Prices::new();
    sd_notify::notify(&[NotifyState::Ready])?;
    match version {
        "dropped" => dropped(listener, prices).await,
        "joined" => joined(listener, prices).await,
        "tested" => tested(listener, prices).await,
        "threads" => serve(listener, prices).await,
        "std-mutex" => {
            takes_a_std_mutex_twice();
            Ok(())
        }
        "async-mutex" => {
            takes_an_async_mutex_twice().await;
            Ok(())
        }
        other => bail!(
            "unknown version {other:?}; expected dropped, joined, tested, threads, std-mutex or async-mutex"
        ),
    }
}

// ANCHOR: fetch
/// Fetches new prices every second.
async fn fetch(prices: Prices) {
    for fetch in 1.. {
        sleep(FETCH_EVERY).await;
        if fetch == BROKEN_FETCH {
            // Stands for any bug: an index, an unwrap, an overflow.
            panic!("no price for this item");
        }
        prices.fetched_now();
    }
}
// ANCHOR_END: fetch

// ANCHOR: dropped
async fn dropped(listener: TcpListener, prices: Prices) -> anyhow::Result<()> {
    // The JoinHandle is dropped, and with it the only news of a panic.
    tokio::spawn(fetch(prices.clone()));
    serve(listener, prices).await
}
// ANCHOR_END: dropped

// ANCHOR: joined
async fn joined(listener: TcpListener, prices: Prices) -> anyhow::Result<()> {
    let fetching = tokio::spawn(fetch(prices.clone()));
    tokio::select! {
        served = serve(listener, prices) => served,
        // It never ends by itself: if it has ended, the service has, too.
        ended = fetching => {
            eprintln!("<3>the task that fetches prices has ended");
            ended.context("fetching prices")
        }
    }
}
// ANCHOR_END: joined

// ANCHOR: tested
async fn tested(listener: TcpListener, prices: Prices) -> anyhow::Result<()> {
    tokio::spawn(fetch(prices.clone()));
    tokio::select! {
        served = serve(listener, prices.clone()) => served,
        pinged = ping_while_fresh(&prices) => pinged,
    }
}

async fn ping_while_fresh(prices: &Prices) -> anyhow::Result<()> {
    let limit = sd_notify::watchdog_enabled().context("the unit has no WatchdogSec=")?;
    let mut ticks = interval(limit / 2);
    loop {
        ticks.tick().await;
        let age = prices.age();
        if age > STALE_AFTER {
            let status = format!("prices are {} s old", age.as_secs());
            sd_notify::notify(&[NotifyState::Status(&status), NotifyState::WatchdogTrigger])?;
        } else {
            sd_notify::notify(&[NotifyState::Watchdog])?;
        }
    }
}
// ANCHOR_END: tested

/// A deadlock whose core dump has this function in a backtrace: the thread waits in it.
fn takes_a_std_mutex_twice() {
    let mutex = std::sync::Mutex::new(());
    let _first = mutex.lock();
    let _second = mutex.lock();
}

/// A deadlock that no backtrace shows: the task waits, and no thread is in it.
async fn takes_an_async_mutex_twice() {
    let mutex = tokio::sync::Mutex::new(());
    let _first = mutex.lock().await;
    let _second = mutex.lock().await;
}

/// Answers every request with how old the prices are.
async fn serve(listener: TcpListener, prices: Prices) -> anyhow::Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        let prices = prices.clone();
        // A panic in here ends one connection and nothing else, which is right.
        tokio::spawn(async move {
            if let Err(error) = answer(client, &prices).await {
                eprintln!("<4>a client got no answer: {error:#}");
            }
        });
    }
}

async fn answer(mut client: TcpStream, prices: &Prices) -> anyhow::Result<()> {
    let mut request = [0; 1024];
    let length = client.read(&mut request).await?;
    if request[..length].starts_with(b"GET /block ") {
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    }
    let body = format!("prices, {} s old", prices.age().as_secs());
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close",
        body.len()
    );
    client
        .write_all(format!("{head}\r\n\r\n{body}").as_bytes())
        .await?;
    Ok(())
}

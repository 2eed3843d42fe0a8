//! Knows in which state the service is, and tells systemd.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::config::Config;
use crate::data::{Data, Part};
use crate::ending::Failure;
use crate::log;
use crate::manager::{self, Manager};
use crate::probe::probe;
use crate::server::Server;
use crate::signals::{ReloadSignal, StopSignals};

/// Where the service listens.
const ADDRESS: &str = "127.0.0.1:7878";

/// 5 s more from each part on.
const MORE_TIME: &str = "EXTEND_TIMEOUT_USEC=5000000";

/// How long the last requests may take. At twice this, systemd's timeout passes.
const LAST_REQUESTS_DEADLINE: Duration = Duration::from_secs(5);

/// Reports that have not been read yet. The supervisor never waits for long, so few are enough.
const REPORTS: usize = 8;

/// What the tasks report.
enum Report {
    PartArrived(Part),
    Loaded(anyhow::Result<Data>),
    ReloadAsked,
    Probed(anyhow::Result<()>),
    StopAsked,
}

/// The state of a service that has its data.
struct Serving {
    data: Arc<Data>,
    stop_serving: oneshot::Sender<()>,
    server: JoinHandle<Server>,
}

type Reports = mpsc::Sender<Report>;

/// Loads, serves until it is stopped, drains.
pub(crate) async fn run(config: Config, mut stop: StopSignals) -> Result<(), Failure> {
    let mut hangup = ReloadSignal::register().context("SIGHUP")?;
    let manager = Manager::from_env();
    let (reports, mut inbox) = mpsc::channel(REPORTS);

    // Dropping the set ends all of them. What they send into a closed channel does not matter.
    let mut tasks = JoinSet::new();
    let to = reports.clone();
    tasks.spawn(async move {
        stop.received().await;
        let _ = to.send(Report::StopAsked).await;
    });
    let to = reports.clone();
    tasks.spawn(async move {
        loop {
            hangup.received().await;
            let _ = to.send(Report::ReloadAsked).await;
        }
    });
    tasks.spawn(load(config, reports.clone()));

    let mut serving = None;
    let mut reload_when_loaded = false;
    while let Some(report) = inbox.recv().await {
        match report {
            Report::PartArrived(part) => {
                log::info(format_args!("{part} has arrived"));
                manager.tell(&[MORE_TIME]);
                manager.tell_status(&format!("Loading, {part} has arrived"));
            }
            Report::Loaded(data) => {
                let now_serving = Serving::begin(data?).await?;
                manager.tell(&["READY=1", "STATUS=Serving"]);
                if reload_when_loaded {
                    reload(&now_serving.data, &manager);
                }
                serving = Some(now_serving);
                if let Some(limit) = manager::watchdog_limit()? {
                    tasks.spawn(keep_probing(limit / 2, reports.clone()));
                }
            }
            Report::ReloadAsked => match &serving {
                Some(serving) => reload(&serving.data, &manager),
                None => reload_when_loaded = true,
            },
            Report::Probed(Ok(())) => manager.tell(&["WATCHDOG=1"]),
            Report::Probed(Err(error)) => {
                log::error(format_args!("does not work any more: {error:#}"));
                manager.tell_status(&format!("Out of order: {error:#}"));
                manager.tell(&["WATCHDOG=trigger"]);
            }
            Report::StopAsked => break,
        }
    }

    // No probe may find the door closed and take it for a failure.
    tasks.shutdown().await;
    manager.tell(&["STOPPING=1"]);
    manager.tell_status("Answering the last requests");
    match serving {
        Some(serving) => serving.end().await,
        None => Ok(()),
    }
}

async fn load(config: Config, reports: Reports) {
    let (parts, mut arrived) = mpsc::unbounded_channel();
    let loading = async move {
        Data::load(config, |part| {
            let _ = parts.send(part);
        })
        .await
    };
    let forwarding = async {
        while let Some(part) = arrived.recv().await {
            let _ = reports.send(Report::PartArrived(part)).await;
        }
    };
    let (data, ()) = tokio::join!(loading, forwarding);
    let _ = reports.send(Report::Loaded(data)).await;
}

/// Reports each result, and ends with the first that is bad: from there on nothing speaks for the service.
async fn keep_probing(period: Duration, reports: Reports) {
    let mut ticks = interval(period);
    // After a slow one, the next comes when it is due and not in addition.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let result = probe(ADDRESS).await;
        let is_bad = result.is_err();
        if reports.send(Report::Probed(result)).await.is_err() || is_bad {
            return;
        }
    }
}

fn reload(data: &Data, manager: &Manager) {
    manager.tell(&["RELOADING=1", &manager::time_stamp()]);
    let status = match Config::load() {
        Ok(config) => {
            data.reconfigure(config);
            "Serving, reloaded".to_owned()
        }
        Err(error) => {
            log::error(format_args!("keeps the old configuration: {error:#}"));
            format!("Serving, not reloaded: {error:#}")
        }
    };
    manager.tell_status(&status);
    manager.tell(&["READY=1"]);
}

impl Serving {
    async fn begin(data: Data) -> anyhow::Result<Self> {
        let data = Arc::new(data);
        let listener = TcpListener::bind(ADDRESS)
            .await
            .with_context(|| format!("{ADDRESS} is not available"))?;
        let server = Server::new(listener, Arc::clone(&data));
        let (stop_serving, stopped) = oneshot::channel();
        let server = tokio::spawn(async move {
            server
                .serve_until(async {
                    // The other end is only dropped together with the service.
                    let _ = stopped.await;
                })
                .await;
            server
        });
        Ok(Serving {
            data,
            stop_serving,
            server,
        })
    }

    async fn end(self) -> Result<(), Failure> {
        // If the server has panicked, the next line says so.
        let _ = self.stop_serving.send(());
        let server = self.server.await.context("the server has died")?;
        if timeout(LAST_REQUESTS_DEADLINE, server.drain())
            .await
            .is_err()
        {
            log::warning("the last requests take too long");
        }
        Ok(())
    }
}

//! Stage 06: a shop that keeps its promises on a bad day.
//!
//! The service of stage 05 has become a shop. Three services run the same program: the web front end (7878), the primary
//! database (7879, its file is `/var/lib/shop/orders`) and a worker that ships orders. `exercise-06.target` stands for all
//! of them, and `exercise-06-alert@.service` calls a person. The web front end is the one of stage 05; the database, the
//! worker and their units were written in a hurry.
//!
//! The check plays three game days. A customer looks at the page every 2 s (`GET /`) and orders every 3 s (`POST /orders`
//! with the order's number; 201 is the acknowledgement), and waits for 3 s. A day has 86,400 s; the lab plays the ten
//! minutes of it in which something happens:
//!
//! | | day 1 | day 2 |
//! |---|---|---|
//! | 0:30 | the web front end is killed | the disk is full |
//! | 1:18 | the database is killed | the database is killed |
//! | 2:06 | the operator reloads | the database is frozen |
//! | 2:54 | the database is slow | the database is out of memory |
//! | 3:42 | the worker is killed | the database is damaged |
//! | 4:30 | the database is wedged | the worker is killed |
//! | 5:18 | the web front end is out of memory | the web front end is killed |
//! | 6:06 | the disk is full | the operator stops and starts the shop |
//! | 6:54 | the operator stops and starts the shop | the database is wedged |
//! | 7:42 | the web front end is frozen | the configuration is bad |
//! | 8:30 | the configuration is bad | the database is slow |
//! | 9:18 | the database is damaged | the operator reloads |
//!
//! The third day comes from a seed. `GAME_DAY_SEED=7 cargo workshop check 06` chooses another than 6, and `cargo workshop
//! game-day --seed 7` plays that day alone.
//!
//! Frozen is SIGSTOP for good; slow is SIGSTOP for 3 s. Wedged is a deadlock: the database accepts connections and answers
//! nobody (`faults.rs`). The disk is full for 24 s. After a bad configuration and a reload, the web front end is killed
//! 7 s later; a damaged database is killed at once. Both then need a person, who reads the alert and has repaired the
//! cause 20 s after the kill (`systemctl reset-failed`, then `systemctl start exercise-06.target`). The operator stops the
//! shop for 10 s (`systemctl stop exercise-06.target`).
//!
//! The task: make these promises true, in `src` and in `units/exercise-06*`.
//!
//! 1. 99.9 % of the page views are answered with 200: the page is away for at most 86 s in a day. Looking needs no database.
//! 2. No outage is longer than 30 s: neither of the page, nor of the orders. What the operator stopped does not count, and
//!    5 s after his start do not either.
//! 3. No acknowledged order is lost: `GET /orders` lists it at the end of the day. What cannot be stored is refused: 507 if
//!    the disk is full, 503 if the database does not answer. And the worker ships all of them: never more than 60 s pass
//!    without a `STATUS=shipped 17 orders`, and the last of the day names as many as there are, or at most 8 fewer.
//! 4. No crash loop: after a fault, systemd restarts no unit more than three times.
//! 5. One alert if a person is needed, before the repair: when the web front end cannot use its configuration (exit code
//!    78) and when the database finds damage (65). Else none. An alert is a start of `exercise-06-alert@.service`.
//! 6. The operator is obeyed: 9 s after his stop of the target, no service runs; 10 s after his start, all three do. A
//!    reload shows a new greeting within 5 s and costs no request; with a bad configuration, the page stays as it was.
//! 7. All of that on the day of any seed.
//!
//! Look for `TODO` in `client.rs`, `database.rs`, `server.rs` and `worker.rs`, and in the units. You do not need to change
//! `store.rs`, `ending.rs` and `faults.rs`.

mod client;
mod config;
mod data;
mod database;
mod ending;
mod faults;
mod log;
mod notify;
mod self_test;
mod server;
mod signals;
mod store;
mod watchdog;
mod web;
mod worker;

use std::env;
use std::process::ExitCode;

use anyhow::{Context, anyhow};

use crate::config::Config;
use crate::ending::Failure;
use crate::signals::StopSignals;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::error(format_args!("{:#}", failure.error()));
            ExitCode::from(failure.code())
        }
    }
}

/// Plays the role that the first argument names.
async fn run() -> Result<(), Failure> {
    // Before anything else, so that SIGTERM never kills the service.
    let stop = StopSignals::register().context("cannot listen for signals")?;

    match env::args().nth(1).as_deref() {
        None | Some("web") => {
            let config = Config::load().map_err(Failure::Configuration)?;
            web::run(config, stop).await
        }
        Some("worker") => worker::run(stop).await,
        Some("database") => database::run(stop).await,
        Some(other) => Err(Failure::Configuration(anyhow!("no such role: {other}"))),
    }
}

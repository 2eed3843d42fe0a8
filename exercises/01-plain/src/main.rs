//! Stage 01: a program that becomes a service.
//!
//! It answers `GET /` with `Hello World!` on 127.0.0.1:7878, and is written for a terminal: Ctrl-C ends it, and a
//! person reads what it prints. Try it: `cargo run -p exercise-01`. Under systemd nobody sits in front of it.
//!
//! The task, here and in `units/exercise-01.service`:
//!
//! 1. systemd understands the unit: `systemd-analyze verify` reports nothing. The program is
//!    `/usr/local/bin/exercise-01`. `Description=` and `Documentation=` are set, for the people who read it.
//! 2. `Type=exec`: the start succeeds when the program runs, and fails when systemd cannot run it. Then `GET /` is
//!    answered.
//! 3. `systemctl enable` makes `multi-user.target` start it at boot.
//! 4. On SIGTERM and Ctrl-C the service refuses new connections, and gives requests in flight up to 5 s, including
//!    those that are only half-sent. Then it ends with exit code 0. `TimeoutStopSec=10s`: if it hangs, systemd ends it.
//! 5. If 127.0.0.1:7878 is taken, the service ends at once (the check waits for 5 s) with an exit code other than 0.
//!    Exactly one line has priority 3 (err), and this line names 127.0.0.1:7878. No `Restart=` yet: that is stage 02.
//! 6. While the service is healthy, no line has priority 3 or worse. A line gets its priority from how it begins:
//!    `<3>`, for example. See sd-daemon(3).
//!
//! You do not need to change `server.rs`; use its `Server::drain` for the fourth requirement.

mod log;
mod server;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal;

use crate::server::Server;

/// Where the service listens.
const ADDRESS: &str = "127.0.0.1:7878";

// TODO: if the port is taken, Rust prints this error itself, and without a priority. Log it as an error, in one line
// that names the address, and end with an exit code other than 0 (`std::process::ExitCode`).
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind(ADDRESS).await.context("cannot listen")?;
    let server = Server::new(listener);
    log::info(format_args!("serving http://{ADDRESS}/"));

    // TODO: Ctrl-C is SIGINT. What does `systemctl stop` send? See `tokio::signal::unix`.
    server
        .serve_until(async {
            let _ = signal::ctrl_c().await;
        })
        .await;

    // TODO: requests in flight are lost here. Let the server finish them, but not for longer than 5 s.
    log::info("stopped");
    Ok(())
}

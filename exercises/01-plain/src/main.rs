//! Stage 01: a program that becomes a service.
//!
//! It answers `GET /` with `Hello World!` on 127.0.0.1:7878, and is written for a terminal: Ctrl-C ends it, and a
//! person reads what it prints. Try it: `cargo run -p exercise-01`. Under systemd nobody sits in front of it.
//!
//! What to reach, here and in `units/exercise-01.service`:
//!
//! 1. systemd understands the unit: `systemd-analyze verify` reports nothing. The program is
//!    `/usr/local/bin/exercise-01`. People understand it as well: `Description=` and `Documentation=` are set.
//! 2. `Type=exec`: the start succeeds when the program runs, and fails when it cannot be run. Then `GET /` is answered.
//! 3. `systemctl enable` has `multi-user.target` start it at boot.
//! 4. On SIGTERM and Ctrl-C: new connections are refused, and requests in flight get up to 5 s, also those sent only in
//!    part. Then it ends, with exit code 0. `TimeoutStopSec=10s`: should it hang, systemd ends it.
//! 5. When 127.0.0.1:7878 is taken, it ends at once (the check waits for 5 s) with an exit code other than 0. Exactly
//!    one line has priority 3 (err), and this line names 127.0.0.1:7878. No `Restart=` yet: that is stage 02.
//! 6. While all is well, no line has priority 3 or worse. A line gets a priority by beginning with `<3>`, for example:
//!    sd-daemon(3).
//!
//! `server.rs` needs no change; there, `Server::drain` is for the fourth.

mod log;
mod server;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal;

use crate::server::Server;

/// Where the service listens.
const ADDRESS: &str = "127.0.0.1:7878";

// TODO: when the port is taken, Rust prints this error itself, and not for the journal. Log it as an error, in one
// line that names the address, and end with an exit code other than 0 (`std::process::ExitCode`).
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

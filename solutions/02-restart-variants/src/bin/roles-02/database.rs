//! The database: who connects gets the greeting.

use std::io::ErrorKind;

use anyhow::{Context, Error};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::config::Config;
use crate::exit_code::{Code, DONE, TEMPORARY};
use crate::{Stop, stopped};

/// Where it listens. As long as another one does, that one has the data.
const ADDRESS: &str = "127.0.0.1:7879";

/// Serves until it is stopped.
pub(crate) async fn run(config: Config, stop: Stop) -> anyhow::Result<Code> {
    let listener = TcpListener::bind(ADDRESS)
        .await
        .map_err(|error| {
            let temporary = error.kind() == ErrorKind::AddrInUse;
            let error = Error::from(error);
            if temporary {
                error.context(TEMPORARY)
            } else {
                error
            }
        })
        .context(ADDRESS)?;
    println!("<6>data is served on {ADDRESS}");

    tokio::select! {
        never = serve(listener, &config.greeting) => match never {},
        () = stopped(stop) => Ok(DONE),
    }
}

async fn serve(listener: TcpListener, greeting: &str) -> std::convert::Infallible {
    loop {
        if let Ok((mut client, _)) = listener.accept().await {
            let greeting = greeting.to_owned();
            // Nobody misses an answer that its client does not wait for.
            tokio::spawn(async move { client.write_all(greeting.as_bytes()).await });
        }
    }
}

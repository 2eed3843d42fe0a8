//! `cargo workshop room`: one file that holds everything a room without a network needs.
//!
//! `export` makes the kit where there is a network; `import` takes it apart on each machine of the room. [`kit`] has the format.

mod crates;
mod export;
mod import;
mod kit;

use std::path::PathBuf;

use stages::exercises::Workshop;

pub(crate) use import::guide;

/// What is imported besides the guest image, below the clone's target folder.
const IMPORTED: &str = "target/room";

/// Make one file with everything for a room without a network, or take it apart there.
#[derive(clap::Subcommand)]
pub(crate) enum Action {
    /// Write the kit: the clone, all crates, the guest image, the guide, and the Debian packages that the machines need. Needs a
    /// network, and takes about three minutes.
    Export {
        /// The file to write, e.g. kit.tar.
        file: PathBuf,
        /// Replace the file if it exists.
        #[arg(long)]
        force: bool,
    },
    /// Put everything from a kit in its place, after checking that it is complete. Needs no network.
    Import {
        /// The file that `room export` wrote.
        file: PathBuf,
    },
}

/// Makes a kit, or takes one apart.
pub(crate) fn run(workshop: &Workshop, action: &Action) -> anyhow::Result<()> {
    match action {
        Action::Export { file, force } => export::run(workshop, file, *force),
        Action::Import { file } => import::run(workshop, file),
    }
}

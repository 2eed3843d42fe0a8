//! Runs a service under real systemd, in virtual time, and returns a timeline.
//!
//! ```no_run
//! use std::time::Duration;
//! use systemd_lab::{GuestFile, Lab, Timeline, View};
//! use systemd_lab::protocol::Scenario;
//!
//! # fn main() -> Result<(), systemd_lab::LabError> {
//! let lab = Lab::open()?; // the first time, this builds the guest
//! let scenario = Scenario::new("killed once")
//!     .start("hello.service")
//!     .wait_for_job("hello.service", Duration::from_secs(30))
//!     .signal("hello.service", 9)
//!     .sleep(Duration::from_secs(300));
//! let files = [
//!     GuestFile::program("/usr/local/bin/hello", "target/x86_64-unknown-linux-gnu/debug/hello"),
//!     GuestFile::copy("/etc/systemd/system/hello.service", "hello.service"),
//! ];
//! let timeline: Timeline = lab.run(&scenario, &files)?;
//! println!("{}", View::everything(&["hello.service"]).render(&timeline));
//! # Ok(())
//! # }
//! ```
//!
//! For a service of your own, there is more: an [`Experiment`] takes its unit file, faults at chosen times and probes,
//! finds what is wrong with the plan before anything runs, and computes figures from the timeline.
//!
//! The guest has no network and none of the host's disks; it starts from the same snapshot every time, so the same scenario
//! and files give the same bytes. It runs Debian's current stable release; [`Lab::options`] opens a [`Guest`] of another
//! release, or with more of Debian's packages. `ARCHITECTURE.md` explains how this works.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "the lab runs on x86-64 Linux: it runs what is built there in a guest; use a cloud VM with x86-64 Linux, or an x86-64 Linux VM on this machine"
);

mod cache;
mod disk;
pub mod doctor;
mod elf;
mod error;
pub mod experiment;
pub mod explore;
#[cfg(test)]
mod fuzz;
mod guest;
mod guest_file;
pub mod host_packages;
mod image;
mod lab;
mod moments;
mod packages;
pub mod pool;
mod process;
mod progress;
mod qmp;
mod regular;
mod saved_state;
pub mod shrink;
mod sight;
mod snapshot;
mod suite;
pub mod sweep;
mod unit_files;
mod vm;
pub mod whole_file;

pub use error::{LabError, LabErrorKind};
pub use experiment::{Experiment, ExperimentError, Fault, PlanError, Probe};
pub use explore::Explore;
pub use guest::Guest;
pub use guest_file::GuestFile;
pub use lab::Lab;
pub use lab::options::{LabOptions, RunOptions};
pub use lab::shell::Shell;
pub use process::dies_with_us;
pub use regular::read_text;
pub use suite::{DEFAULT_MIRROR, MIRROR_VARIABLE, SUITE_VARIABLE, Suite};
pub use sweep::Sweep;
pub use systemd_lab_protocol as protocol;
pub use systemd_timeline::view::ERROR;
pub use systemd_timeline::{MeasuredWith, Picture, Timeline, UnitTexts, View};
pub use systemd_timeline::{
    clock_time, describe, nearest_second, visible, visible_json, visible_lines,
};
pub use systemd_timeline::{compare, diagnosis, findings, fold, names, picture};
pub use unit_files::unit_texts;

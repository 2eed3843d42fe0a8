//! Runs a service under real systemd, in virtual time, and returns a timeline.
//!
//! # A tutorial in five steps
//!
//! You need x86-64 Linux with QEMU and mmdebstrap; on Debian and Ubuntu, the first [`Lab::open`] installs them, or says what to
//! type. It also downloads a guest and boots it once, which takes about half a minute. The lab's own tests compile every snippet
//! on this page, and run all but the one in step 5.
//!
//! The service is called `hello`. This is its unit file, `hello.service`:
//!
//! ```ini
#![doc = include_str!("../tutorial/hello.service")]
//! ```
//!
//! Any program could be behind it. Here it is a shell script, and a tool of systemd's that listens for it:
//!
//! ```bash
#![doc = include_str!("../tutorial/hello")]
//! ```
//!
//! ## 1. Run it
//!
//! An [`Experiment`] takes unit files, and whatever else they need; [`GuestFile::from_host`] also takes a binary. The result is
//! a [`Timeline`]: every state, job, notification and exit, as systemd saw it.
//!
//! ```
//! use std::time::Duration;
//! use systemd_lab::{Experiment, GuestFile, Lab};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let lab = Lab::open()?;
//! let experiment = Experiment::new("tutorial/hello.service")
//!     .file(GuestFile::from_host("/usr/local/bin/hello", "tutorial/hello"))
//!     .lasting(Duration::from_secs(3600));
//! let timeline = experiment.run(&lab)?;
//! println!("{}", experiment.text(&timeline));
//! # assert!(experiment.text(&timeline).contains("hello.service  listening on 127.0.0.1:8080"));
//! # Ok(())
//! # }
//! ```
//!
//! The hour takes a second or two, because nothing happens in most of it: an idle guest's clock jumps to the next timer.
//!
//! ## 2. Break it
//!
//! A [`Fault`] comes at a time, or on an event (`"READY=1 + 200ms".parse::<When>()?`, see [`When`](experiment::When)). A [`Probe`]
//! asks again and again whether the service answers. A [`Summary`](experiment::Summary) has the figures.
//!
//! ```
//! use std::time::Duration;
//! use systemd_lab::{Experiment, Fault, GuestFile, Lab, Probe};
//! use systemd_lab::experiment::Recovery;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let experiment = Experiment::new("tutorial/hello.service")
//!     .file(GuestFile::from_host("/usr/local/bin/hello", "tutorial/hello"))
//!     .probe(Probe::get("http://127.0.0.1:8080/"))
//!     .fault(Duration::from_secs(10), "kill=SIGKILL".parse()?)
//!     .fault(Duration::from_secs(60), Fault::Freeze);
//! let timeline = experiment.run(&Lab::open()?)?;
//!
//! let summary = experiment.summary(&timeline);
//! assert_eq!(summary.restarts, 1);
//! let [killed, hung] = &summary.faults[..] else { unreachable!("two were planned") };
//! // RestartSec=2s, and up to a second until the next request.
//! assert!(matches!(killed.answering, Some(Recovery::After(time)) if time < Duration::from_secs(4)));
//! // For systemd, a process that exists is healthy.
//! assert!(!matches!(hung.answering, Some(Recovery::After(_))));
//! # Ok(())
//! # }
//! ```
//!
//! ## 3. Learn why
//!
//! [`Experiment::findings`] names what the author of the unit should know, with the line that decides and what to change.
//!
//! ```
//! # use std::time::Duration;
//! # use systemd_lab::{Experiment, Fault, GuestFile, Lab, Probe};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let experiment = Experiment::new("tutorial/hello.service")
//! #     .file(GuestFile::from_host("/usr/local/bin/hello", "tutorial/hello"))
//! #     .probe(Probe::get("http://127.0.0.1:8080/"))
//! #     .fault(Duration::from_secs(10), Fault::Freeze);
//! # let timeline = experiment.run(&Lab::open()?)?;
//! for finding in experiment.findings(&timeline) {
//!     println!("{}. To change it: {}", finding.what(), finding.change());
//! }
//! # let findings = experiment.findings(&timeline);
//! # assert!(findings[0].what().contains("hung, and systemd did not notice"), "{findings:?}");
//! # assert!(findings[0].change().contains("WatchdogSec="), "{findings:?}");
//! # Ok(())
//! # }
//! ```
//!
//! This prints that `hello.service` hung and systemd did not notice, and that `WatchdogSec=` would change it.
//! [`Experiment::picture`] draws the timeline, [`View`] chooses lines of it, and [`diagnosis`] compares two of them.
//!
//! ## 4. Say what must hold
//!
//! A [`Requirement`](experiment::Requirement) turns a run into a test. A [`Sweep`] repeats the run with a fault at every moment
//! of it, so that you need not guess the worst one; [`Explore`] combines faults at random, from a seed.
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//! use std::time::Duration;
//! use systemd_lab::{Experiment, Fault, GuestFile, Lab, Probe, Sweep};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let lab = Lab::open()?;
//! let experiment = Experiment::new("tutorial/hello.service")
//!     .file(GuestFile::from_host("/usr/local/bin/hello", "tutorial/hello"))
//!     .probe(Probe::get("http://127.0.0.1:8080/"))
//!     .require("recovery <= 5s".parse()?)
//!     .lasting(Duration::from_secs(5));
//!
//! let killed = experiment.clone().fault(Duration::from_secs(2), "kill".parse()?);
//! let timeline = killed.run(&lab)?;
//! for verdict in killed.verdicts(&timeline) {
//!     assert!(verdict.holds, "{}: {}", verdict.requirement, verdict.measured);
//! }
//!
//! let sweep = Sweep::new(experiment).fault("kill".parse()?);
//! # let sweep = sweep.at_most(std::num::NonZeroUsize::new(4).expect("it is not zero"));
//! let swept = sweep.run(&lab, &AtomicBool::new(false), |done, of| eprintln!("{done} of {of}"))?;
//! assert!(swept.holds());
//! # assert!(swept.trials.len() >= 4);
//! # Ok(())
//! # }
//! ```
//!
//! ## 5. Keep it
//!
//! As a `#[test]` of your own package, it runs your program as cargo has just built it:
//!
//! ```no_run
//! use std::time::Duration;
//! use systemd_lab::{Experiment, GuestFile, Lab, Probe};
//!
//! # macro_rules! env { ($name:literal) => { $name } }
//! fn it_comes_back() -> Result<(), Box<dyn std::error::Error>> {
//!     let experiment = Experiment::new("units/hello.service")
//!         .file(GuestFile::program("/usr/local/bin/hello", env!("CARGO_BIN_EXE_hello")))
//!         .probe(Probe::get("http://127.0.0.1:8080/"))
//!         .fault(Duration::from_secs(10), "kill".parse()?);
//!     let timeline = experiment.run(&Lab::open()?)?;
//!     experiment.check_saved("tests/saved/killed.timeline", &timeline)?;
//!     Ok(())
//! }
//! ```
//!
//! [`Experiment::check_saved`] compares the run with a file that you commit and review, and shows what differs;
//! `SYSTEMD_LAB_SAVED=write cargo test` writes it. Half a second is tolerated, so the file outlives updates of the guest. Link your
//! program statically, so that it runs in the guest on whatever machine it was built: `-Ctarget-feature=+crt-static`.
//!
//! # Below experiments
//!
//! An experiment becomes a [`Scenario`](protocol::Scenario), which you can also write yourself, step by step:
//!
//! ```
//! use std::time::Duration;
//! use systemd_lab::{GuestFile, Lab, Timeline, View};
//! use systemd_lab::protocol::Scenario;
//!
//! # fn main() -> Result<(), systemd_lab::LabError> {
//! let scenario = Scenario::new("killed once")
//!     .start("sleeper.service")
//!     .wait_for_job("sleeper.service", Duration::from_secs(30))
//!     .signal("sleeper.service", 9)
//!     .sleep(Duration::from_secs(300));
//! let unit = "[Service]\nExecStart=/usr/bin/sleep infinity\nRestart=always\n";
//! let files = [GuestFile::unit("sleeper.service", unit)];
//! let timeline: Timeline = Lab::open()?.run(&scenario, &files)?;
//! println!("{}", View::everything(&["sleeper.service"]).render(&timeline));
//! # assert!(View::everything(&["sleeper.service"]).render(&timeline).contains("restart 1"));
//! # Ok(())
//! # }
//! ```
//!
//! The guest has no network and none of the host's disks; it starts from the same snapshot every time, so the same scenario
//! and files give the same bytes. It runs Debian's current stable release; [`Lab::options`] opens a [`Guest`] of another
//! release, or with more of Debian's packages. [`LabError::kind`] says whether to blame the request, the program, the set-up or the lab.

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
    clock_time, describe, nearest_second, shell_word, visible, visible_json, visible_lines,
};
pub use systemd_timeline::{compare, diagnosis, findings, fold, names, picture};
pub use unit_files::unit_texts;

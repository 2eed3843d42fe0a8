//! The lab: takes a scenario and files, returns what happened.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use systemd_lab_protocol::{Blob, Event, EventKind, Job, Scenario};

use crate::cache::Cache;
use crate::elf;
use crate::error::LabError;
use crate::snapshot::Snapshot;
use crate::timeline::Timeline;
use crate::vm::{Origin, Pace, Vm, Wait};

/// A scenario takes a second or two of wall time; a service that computes all the time makes virtual time as slow
/// as emulation, and a busy machine slower still.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(120);

/// A restored guest speaks within a tenth of a second; a busy machine may take its time.
const SILENCE_DEADLINE: Duration = Duration::from_secs(60);

/// Permission bits of a unit or data file, and of a program.
const PLAIN: u32 = 0o644;
const EXECUTABLE: u32 = 0o755;

/// A file to put into the guest.
#[derive(Debug, Clone)]
pub struct GuestFile {
    path: String,
    mode: u32,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Text(String),
    Host(PathBuf),
}

impl GuestFile {
    /// A text file, e.g. a unit or a drop-in, at an absolute path.
    pub fn text(path: impl Into<String>, content: impl Into<String>) -> GuestFile {
        GuestFile {
            path: path.into(),
            mode: PLAIN,
            content: Content::Text(content.into()),
        }
    }

    /// The text of a file on the host.
    pub fn copy(path: impl Into<String>, host: impl Into<PathBuf>) -> GuestFile {
        GuestFile {
            path: path.into(),
            mode: PLAIN,
            content: Content::Host(host.into()),
        }
    }

    /// A program on the host, with mode 0755. A binary must be statically linked.
    pub fn program(path: impl Into<String>, host: impl Into<PathBuf>) -> GuestFile {
        GuestFile {
            path: path.into(),
            mode: EXECUTABLE,
            content: Content::Host(host.into()),
        }
    }

    fn load(&self) -> Result<Blob, LabError> {
        let content = match &self.content {
            Content::Text(text) => text.clone().into_bytes(),
            Content::Host(path) => {
                let content = fs::read(path).map_err(|source| LabError::Unreadable {
                    path: path.clone(),
                    source,
                })?;
                elf::prepare(path, content)?
            }
        };
        Ok(Blob {
            path: self.path.clone(),
            mode: self.mode,
            content,
        })
    }
}

/// A booted guest, ready to be restored any number of times, also by several threads and processes at once.
#[derive(Debug, Clone)]
pub struct Lab {
    cache: Cache,
    snapshot: Snapshot,
    deadline: Duration,
}

impl Lab {
    /// Opens the lab and sets up what is missing: packages, image, snapshot. Shows progress on a terminal.
    ///
    /// # Errors
    ///
    /// Whatever keeps the lab from being set up; see [`LabError`].
    pub fn open() -> Result<Lab, LabError> {
        if std::env::consts::ARCH != "x86_64" {
            return Err(LabError::UnsupportedHost {
                arch: std::env::consts::ARCH,
            });
        }
        let cache = Cache::locate()?;
        let snapshot = Snapshot::provide(&cache)?;
        Ok(Lab {
            cache,
            snapshot,
            deadline: DEFAULT_DEADLINE,
        })
    }

    /// Bounds every run by this much wall time instead of two minutes.
    pub fn with_deadline(mut self, deadline: Duration) -> Lab {
        self.deadline = deadline;
        self
    }

    /// Runs a scenario in a restored guest and returns what happened.
    ///
    /// # Errors
    ///
    /// [`LabError::OutOfTime`] when the deadline passes; otherwise the lab is broken. A service that fails is no error.
    pub fn run(&self, scenario: &Scenario, files: &[GuestFile]) -> Result<Timeline, LabError> {
        let blobs = files
            .iter()
            .map(GuestFile::load)
            .collect::<Result<Vec<_>, _>>()?;
        let job = Job::encode(scenario, &blobs)?;
        let restored = restore(&self.snapshot, &job, Pace::Virtual);
        let result = restored.and_then(|vm| self.finish(vm));
        match result {
            Err(
                LabError::Qemu { .. } | LabError::GuestSilent { .. } | LabError::BadEvent { .. },
            ) => {
                // Perhaps the snapshot is damaged where a look at sizes and times does not show it.
                let snapshot = Snapshot::repair(&self.cache)?;
                restore(&snapshot, &job, Pace::Virtual).and_then(|vm| self.finish(vm))
            }
            result => result,
        }
    }

    fn finish(&self, mut vm: Vm) -> Result<Timeline, LabError> {
        let first = SILENCE_DEADLINE.min(self.deadline);
        let mut wait = vm.wait_for_doorbell(first)?;
        if matches!(wait, Wait::TimedOut) {
            if vm.output().is_empty() {
                return Err(LabError::GuestSilent {
                    snapshot: self.snapshot.dir.clone(),
                    deadline: first,
                });
            }
            wait = vm.wait_for_doorbell(self.deadline.saturating_sub(first))?;
        }
        let timed_out = matches!(wait, Wait::TimedOut);
        let output = vm.output();
        drop(vm);
        let events = parse(&output, &self.snapshot.dir, timed_out)?;
        if timed_out {
            return Err(LabError::OutOfTime {
                deadline: self.deadline,
                virtual_ms: virtual_ms(&events),
            });
        }
        for event in &events {
            if let EventKind::AgentError { message } = &event.kind {
                return Err(LabError::Agent {
                    message: message.clone(),
                });
            }
        }
        Ok(Timeline::new(events))
    }
}

fn restore(snapshot: &Snapshot, job: &[u8], pace: Pace) -> Result<Vm, LabError> {
    let mut vm = Vm::start(&snapshot.qemu, &snapshot.dir, &Origin::Snapshot, pace, job)?;
    vm.load()?;
    vm.resume()?;
    Ok(vm)
}

/// One event a line. The last line of a run that was cut off may be incomplete.
fn parse(output: &[u8], snapshot: &Path, cut_off: bool) -> Result<Vec<Event>, LabError> {
    let bad = |message: String| LabError::BadEvent {
        message,
        snapshot: snapshot.to_owned(),
    };
    let mut events = Vec::new();
    for line in output.split_inclusive(|byte| *byte == b'\n') {
        match serde_json::from_slice::<Event>(line) {
            Ok(event) => events.push(event),
            Err(_) if cut_off && !line.ends_with(b"\n") => {}
            Err(error) => return Err(bad(error.to_string())),
        }
    }
    Ok(events)
}

fn virtual_ms(events: &[Event]) -> u64 {
    let began = events
        .iter()
        .find(|event| event.kind == EventKind::ScenarioBegan)
        .map_or(0, |event| event.at_us);
    events
        .last()
        .map_or(0, |event| event.at_us.saturating_sub(began) / 1000)
}

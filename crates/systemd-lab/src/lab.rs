//! The lab: takes a scenario and files, and returns what happened.

pub(crate) mod checkpoint;
mod listeners;
mod machine_end;
pub(crate) mod options;
mod remembered;
pub(crate) mod shell;
mod turn;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use systemd_lab_protocol::event::{Blinding, Source};
use systemd_lab_protocol::seal::Sealer;
use systemd_lab_protocol::{Blob, Event, EventKind, Job, Scenario};

use crate::cache::Cache;
use crate::error::LabError;
use crate::guest::Guest;
use crate::guest_file::GuestFile;
use crate::image;
use crate::progress::Step;
use crate::sight;
use crate::snapshot::{self, Snapshot};
use crate::vm::{Console, Origin, Pace, Vm};
use systemd_timeline::{MeasuredWith, Timeline};

use options::{LabOptions, RunOptions};
use turn::Turn;

/// A restored guest sends something within a tenth of a second; a busy machine may take longer.
const SILENCE_DEADLINE: Duration = Duration::from_secs(60);

/// A process that has had less than this share of the processor since its deadline does not want any: it hangs. Hundreds of
/// busy processes leave each of them more.
const SMALLEST_SHARE: u32 = 200;

/// A run that waits for others no longer than this does not report it.
const WAIT_UNTOLD: Duration = Duration::from_secs(1);

/// How soon a live event is seen. The guest does not notice that it is watched.
const LIVE_INTERVAL: Duration = Duration::from_millis(5);

/// How often to ask whether the processor has halted, once the console says so.
const HALT_INTERVAL: Duration = Duration::from_millis(20);

/// A booted guest that can be restored any number of times, also by several threads and processes at once.
#[derive(Debug, Clone)]
pub struct Lab {
    cache: Cache,
    guest: Guest,
    snapshot: Snapshot,
    on_wait: Option<fn(usize)>,
}

impl Lab {
    /// Opens the lab and sets up what is missing: packages, image, snapshot. Shows progress on a terminal. The guest
    /// comes from [`Guest::from_environment`].
    ///
    /// # Errors
    ///
    /// Whatever keeps the lab from being set up; see [`LabError`].
    pub fn open() -> Result<Lab, LabError> {
        Lab::options().open()
    }

    /// Options for opening the lab: another guest, only if it is set up, after a repair.
    pub fn options() -> LabOptions {
        LabOptions::default()
    }

    /// The guest of this lab.
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The paths of everything in the guest's packages, without a leading slash; `None` if the image is gone.
    pub(crate) fn guest_paths(&self) -> Option<HashSet<String>> {
        let image = image::Image::look_up(&self.cache, self.guest())?;
        image::contents::paths(&image.initrd()).ok()
    }

    /// The directory of its image in the cache. Once its snapshot exists, a lab works without the image.
    pub fn image(&self) -> PathBuf {
        image::Image::place(&self.cache, &self.guest)
    }

    /// The directory of its snapshot in the cache.
    pub fn snapshot(&self) -> &Path {
        &self.snapshot.dir
    }

    pub(crate) fn qemu(&self) -> &Path {
        &self.snapshot.qemu
    }

    /// Waits until there is a processor for one more run.
    fn turn(&self) -> Turn {
        let began = Instant::now();
        let mut told = 0;
        let mut step = None;
        let turn = Turn::take(&self.cache, &mut |ahead| {
            if began.elapsed() < WAIT_UNTOLD || ahead == told {
                return;
            }
            told = ahead;
            match self.on_wait {
                Some(on_wait) => on_wait(ahead),
                None => step = Some(Step::begin(waiting(ahead))),
            }
        });
        if let Some(on_wait) = self.on_wait
            && told > 0
        {
            on_wait(0);
        }
        turn
    }

    /// The versions that this lab measures with. The first call runs a scenario without steps.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub fn measured_with(&self) -> Result<MeasuredWith, LabError> {
        let options = RunOptions::default().remembered();
        let timeline = self.run_with(&Scenario::new("nothing"), &[], options)?;
        timeline.measured_with().ok_or_else(|| LabError::BadEvent {
            message: "it did not say what it is".to_owned(),
            snapshot: self.snapshot.dir.clone(),
        })
    }

    /// A program from a Debian package of the guest's suite that no guest can have, because it excludes one that every guest
    /// needs. Returns its path in the cache; downloads it the first time. `path` is its path in the package, below `/usr`
    /// also where Debian's older releases put it into `/sbin`.
    ///
    /// # Errors
    ///
    /// [`LabError::PackageDownload`] without a network; otherwise whatever is wrong with the name, the package or the cache.
    pub fn program_of_package(&self, package: &str, path: &str) -> Result<PathBuf, LabError> {
        image::program::provide(&self.cache, &self.guest, package, path)
    }

    /// Runs a scenario in a restored guest and returns what happened.
    ///
    /// # Errors
    ///
    /// [`LabError::OutOfTime`] when the deadline passes; otherwise the lab is broken. A service that fails is not an error.
    pub fn run(&self, scenario: &Scenario, files: &[GuestFile]) -> Result<Timeline, LabError> {
        self.run_with(scenario, files, RunOptions::default())
    }

    /// Runs a scenario with options: [`RunOptions`].
    ///
    /// # Errors
    ///
    /// As [`Self::run`], and [`LabError::Interrupted`].
    pub fn run_with(
        &self,
        scenario: &Scenario,
        files: &[GuestFile],
        options: RunOptions<'_>,
    ) -> Result<Timeline, LabError> {
        let timeline = self.run_unlabelled(scenario, files, options)?;
        Ok(timeline.with_labels_of(scenario))
    }

    /// The guest does not know the labels of steps, and what is remembered has none.
    fn run_unlabelled(
        &self,
        scenario: &Scenario,
        files: &[GuestFile],
        mut options: RunOptions<'_>,
    ) -> Result<Timeline, LabError> {
        let job = job(scenario, files)?;
        if options.is_in_real_time {
            return self.run_in_real_time(&job, &mut options);
        }
        if !options.is_remembered {
            return self.run_job(&job, &mut options);
        }
        let place = remembered::Place::of(&self.snapshot.dir, &job);
        if let Some(timeline) = place.as_ref().and_then(remembered::Place::read) {
            return Ok(timeline);
        }
        let timeline = self.run_job(&job, &mut options)?;
        if let Some(place) = place {
            place.write(&timeline);
        }
        Ok(timeline)
    }

    /// Like [`Self::run`], but does not rebuild a snapshot that does not work: for callers who want to know.
    pub(crate) fn run_as_it_is(
        &self,
        scenario: &Scenario,
        files: &[GuestFile],
        mut options: RunOptions<'_>,
    ) -> Result<Timeline, LabError> {
        let job = job(scenario, files)?;
        let _turn = self.turn();
        restore(&self.snapshot, &Origin::Snapshot, &job)
            .and_then(|vm| self.finish(vm, &mut options))
            .map(|timeline| timeline.with_labels_of(scenario))
    }

    fn run_job(&self, job: &[u8], options: &mut RunOptions<'_>) -> Result<Timeline, LabError> {
        self.with_snapshot(|snapshot| {
            let _turn = self.turn();
            restore(snapshot, &Origin::Snapshot, job).and_then(|vm| self.finish(vm, options))
        })
    }

    /// Tries again with a snapshot that is certainly complete, if that may help.
    fn with_snapshot<T>(
        &self,
        mut run: impl FnMut(&Snapshot) -> Result<T, LabError>,
    ) -> Result<T, LabError> {
        match run(&self.snapshot) {
            Err(
                LabError::Qemu { .. }
                | LabError::GuestEnded { .. }
                | LabError::GuestSilent { .. }
                | LabError::BadEvent { .. }
                | LabError::Agent { .. },
            ) => {
                // Perhaps the snapshot is damaged in a way that sizes and times do not show.
                let snapshot = Snapshot::repair(&self.cache, &self.guest)?;
                run(&snapshot)
            }
            result => result,
        }
    }

    fn run_in_real_time(
        &self,
        job: &[u8],
        options: &mut RunOptions<'_>,
    ) -> Result<Timeline, LabError> {
        let (_directory, mut vm) = snapshot::boot(
            &self.cache,
            &self.guest,
            &self.snapshot.qemu,
            Pace::Real,
            job,
        )?;
        vm.resume()?;
        self.finish(vm, options)
    }

    fn finish(&self, vm: Vm, options: &mut RunOptions<'_>) -> Result<Timeline, LabError> {
        let reader = EventReader::of(&vm);
        self.finish_from(vm, reader, options)
    }

    /// Like [`Self::finish`], for a guest whose first events were read already.
    fn finish_from(
        &self,
        mut vm: Vm,
        mut reader: EventReader,
        options: &mut RunOptions<'_>,
    ) -> Result<Timeline, LabError> {
        let began = Instant::now();
        // How much of the console was searched for the kernel's last words.
        let mut looked_at = 0;
        let (mut says_halted, mut asked_at) = (false, began);
        loop {
            let rang = vm.wait_for_doorbell(LIVE_INTERVAL);
            reader.read(&vm, &self.snapshot.dir, &mut options.on_event)?;
            if reader.is_cut(&vm) {
                break;
            }
            let rang = match rang {
                Err(error @ LabError::GuestEnded { .. }) => {
                    match reader.end_with_machine(&vm.console()) {
                        true => break,
                        false => return Err(error),
                    }
                }
                rang => rang?,
            };
            if rang {
                if reader.has_ended() || !reader.has_begun() {
                    break;
                }
                // The doorbell was rung not by the agent, but by a service that found the device. The guest is unchanged.
                vm.resume()?;
            }
            if vm.printed() > std::mem::replace(&mut looked_at, vm.printed()) {
                says_halted = machine_end::is_halted(&vm.console());
            }
            // A service may print the kernel's words: the processor shows whether they are true. It halts some instructions later.
            if says_halted && asked_at.elapsed() > HALT_INTERVAL {
                asked_at = Instant::now();
                if vm.is_halted()? {
                    reader.read(&vm, &self.snapshot.dir, &mut options.on_event)?;
                    reader.end_with_machine(&vm.console());
                    break;
                }
            }
            let silence = SILENCE_DEADLINE.min(options.deadline);
            if reader.events.is_empty() && is_over(silence, began, &vm) {
                let deadline = silence;
                return Err(LabError::GuestSilent {
                    snapshot: self.snapshot.dir.clone(),
                    deadline,
                });
            }
            if options
                .interruption
                .is_some_and(|it| it.load(Ordering::Relaxed))
            {
                return Err(LabError::Interrupted {
                    virtual_ms: virtual_ms(&reader.events),
                });
            }
            if is_over(options.deadline, began, &vm) {
                return Err(LabError::OutOfTime {
                    deadline: options.deadline,
                    used: vm.processor_time().unwrap_or_default(),
                    virtual_ms: virtual_ms(&reader.events),
                });
            }
        }
        reader.complaint()?;
        reader.end_after_machine();
        if !reader.has_ended() {
            return Err(LabError::BadEvent {
                message: "it stopped before its last event".to_owned(),
                snapshot: self.snapshot.dir.clone(),
            });
        }
        let mut events = reader.events;
        if let Some(EventKind::Hello { qemu, .. }) = events.first_mut().map(|it| &mut it.kind) {
            *qemu = vm.qemu_version().map(str::to_owned);
        }
        events.sort_by_key(|event| event.at_us);
        listeners::attribute(&mut events);
        Ok(Timeline::new(events))
    }
}

fn ensure_supported_host() -> Result<(), LabError> {
    match std::env::consts::ARCH {
        "x86_64" => Ok(()),
        arch => Err(LabError::UnsupportedHost { arch }),
    }
}

/// All bytes that the guest gets.
fn job(scenario: &Scenario, files: &[GuestFile]) -> Result<Vec<u8>, LabError> {
    job_that_begins(scenario, scenario, files)
}

/// The same with only the beginning of the scenario.
fn job_that_begins(
    scenario: &Scenario,
    beginning: &Scenario,
    files: &[GuestFile],
) -> Result<Vec<u8>, LabError> {
    sight::check(files)?;
    let mut blobs = loaded(files)?;
    blobs.extend(sight::needed(scenario, files));
    Ok(Job::encode(beginning, &blobs, &sight::log_levels(files))?)
}

/// The same for a person, who should see what systemd does with the files as they are.
fn job_of_person(files: &[GuestFile]) -> Result<Vec<u8>, LabError> {
    sight::check(files)?;
    let blobs = loaded(files)?;
    Ok(Job::encode(&Scenario::default(), &blobs, &BTreeMap::new())?)
}

fn loaded(files: &[GuestFile]) -> Result<Vec<Blob>, LabError> {
    files.iter().map(GuestFile::load).collect()
}

fn restore(snapshot: &Snapshot, origin: &Origin, job: &[u8]) -> Result<Vm, LabError> {
    let mut vm = Vm::start(
        &snapshot.qemu,
        &snapshot.dir,
        origin,
        Pace::Virtual,
        job,
        Console::Recorded,
    )?;
    vm.load()?;
    vm.resume()?;
    Ok(vm)
}

/// Turns the guest's growing output into events: one per line, each with the agent's seal.
struct EventReader {
    sealer: Sealer,
    /// How many bytes of lines were read.
    consumed: u64,
    events: Vec<Event>,
    /// A line was not from the agent. Nothing after it is read.
    has_foreign: bool,
}

impl EventReader {
    fn of(vm: &Vm) -> EventReader {
        EventReader {
            sealer: Sealer::new(vm.key()),
            consumed: 0,
            events: Vec::new(),
            has_foreign: false,
        }
    }

    /// The same for a guest that sent these events before it was saved.
    fn after(vm: &Vm, events: &[Event]) -> EventReader {
        EventReader {
            events: events.to_vec(),
            ..EventReader::of(vm)
        }
    }

    /// An incomplete last line is left for the next call.
    fn read(
        &mut self,
        vm: &Vm,
        snapshot: &Path,
        on_event: &mut dyn FnMut(&Event),
    ) -> Result<(), LabError> {
        if self.has_foreign || vm.too_much().is_some() {
            return Ok(());
        }
        let bad = |message: String| LabError::BadEvent {
            message,
            snapshot: snapshot.to_owned(),
        };
        let output = vm.output_after(self.consumed);
        for line in output.split_inclusive(|byte| *byte == b'\n') {
            let Some(sealed) = line.strip_suffix(b"\n") else {
                break;
            };
            let Some(json) = self.sealer.open(sealed) else {
                // Before a scenario has begun, nothing runs in the guest that could write this.
                if !self.has_begun() {
                    return Err(bad("its seal is wrong".to_owned()));
                }
                self.has_foreign = true;
                break;
            };
            let event = serde_json::from_slice(json).map_err(|error| bad(error.to_string()))?;
            on_event(&event);
            self.events.push(event);
            self.consumed += line.len() as u64;
        }
        Ok(())
    }

    fn has_begun(&self) -> bool {
        let has_begun = |event: &Event| matches!(event.kind, EventKind::ScenarioBegan { .. });
        self.events.iter().any(has_begun)
    }

    fn has_ended(&self) -> bool {
        matches!(self.events.last(), Some(last) if last.kind == EventKind::ScenarioEnded)
    }

    /// Whether the run ends here because a service wrote where only the agent may write, or wrote too much. The events then report
    /// it.
    fn is_cut(&mut self, vm: &Vm) -> bool {
        let how = match (self.has_foreign, vm.too_much()) {
            _ if !self.has_begun() => return false,
            (true, _) => Blinding::ForeignOutput,
            (false, Some(most)) => Blinding::TooMuchOutput { mib: most >> 20 },
            (false, None) => return false,
        };
        let at_us = self.events.iter().map(|event| event.at_us).max();
        for kind in [EventKind::WentBlind { how }, EventKind::ScenarioEnded] {
            self.events.push(Event {
                at_us: at_us.unwrap_or_default(),
                unit: None,
                source: Source::Agent,
                kind,
            });
        }
        true
    }

    /// Adds how the machine ended, if its console shows that and a scenario had begun: then something that ran in the scenario caused
    /// it.
    fn end_with_machine(&mut self, console: &str) -> bool {
        if !self.has_begun() {
            return false;
        }
        let end = machine_end::of(console, &self.events);
        let is_known = end.is_some();
        self.events.extend(end);
        is_known
    }

    /// The machine's end is also the scenario's end.
    fn end_after_machine(&mut self) {
        if let Some(last) = self.events.last()
            && matches!(last.kind, EventKind::MachineEnded { .. })
        {
            let ended = Event {
                kind: EventKind::ScenarioEnded,
                ..last.clone()
            };
            self.events.push(ended);
        }
    }

    /// The error of an agent that could not continue.
    fn complaint(&self) -> Result<(), LabError> {
        let message = self.events.iter().find_map(|event| match &event.kind {
            EventKind::AgentError { message } => Some(message.clone()),
            _ => None,
        });
        message.map_or(Ok(()), |message| Err(LabError::Agent { message }))
    }
}

/// Whether a run has used as much processor time as the deadline allows, or hangs and does not want any.
fn is_over(deadline: Duration, began: Instant, vm: &Vm) -> bool {
    let elapsed = began.elapsed();
    // It cannot have used more than the elapsed time, and asking costs something.
    elapsed > deadline && has_had_its_time(deadline, elapsed, vm.processor_time())
}

fn has_had_its_time(deadline: Duration, elapsed: Duration, used: Option<Duration>) -> bool {
    let Some(used) = used else {
        return elapsed > deadline;
    };
    used > deadline || elapsed.saturating_sub(deadline) > used.saturating_mul(SMALLEST_SHARE)
}

fn waiting(ahead: usize) -> String {
    let runs = if ahead == 1 { "run" } else { "runs" };
    format!("Waiting for a processor: {ahead} {runs} of other commands ahead")
}

fn virtual_ms(events: &[Event]) -> u64 {
    let began = events
        .iter()
        .find(|event| matches!(event.kind, EventKind::ScenarioBegan { .. }))
        .map_or(0, |event| event.at_us);
    events
        .last()
        .map_or(0, |event| event.at_us.saturating_sub(began) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_could_not_go_on_is_the_labs_fault() {
        let mut reader = EventReader {
            sealer: Sealer::new(&systemd_lab_protocol::seal::Key::new([0; 16])),
            consumed: 0,
            events: Vec::new(),
            has_foreign: false,
        };
        assert!(reader.complaint().is_ok());
        reader.events.push(Event {
            at_us: 1,
            unit: None,
            source: systemd_lab_protocol::event::Source::Agent,
            kind: EventKind::AgentError {
                message: "cannot do it".to_owned(),
            },
        });
        let error = reader.complaint().expect_err("it complains");
        assert_eq!(
            error.to_string(),
            "the lab's agent failed in the guest: cannot do it; this is a fault of the lab, please report it"
        );
    }

    #[test]
    fn only_time_with_a_processor_counts_unless_qemu_hangs() {
        let deadline = Duration::from_secs(120);
        let is_over = |elapsed, used_ms: u64| {
            let used = Duration::from_millis(used_ms);
            has_had_its_time(deadline, Duration::from_secs(elapsed), Some(used))
        };
        assert!(is_over(121, 120_001));
        // Forty other processes want two processors.
        assert!(!is_over(2_400, 119_000));
        assert!(!is_over(180, 300));
        assert!(is_over(181, 300));
        assert!(has_had_its_time(deadline, Duration::from_secs(121), None));
    }
}

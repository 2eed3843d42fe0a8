//! A run, saved at one moment: runs that begin alike continue from there, so their beginning is emulated only once.
//!
//! ARCHITECTURE.md, "Checkpoints", says what this saves and why the results stay the same.

use std::fs::File;

use systemd_lab_protocol::{Event, Job, Scenario, Step};

use super::options::{DEADLINE, RunOptions};
use super::{EventReader, Lab, job, restore};
use crate::error::LabError;
use crate::guest_file::GuestFile;
use crate::vm::{Origin, copy_of_ram};
use systemd_timeline::Timeline;

/// A guest in the middle of a scenario. It holds the guest's memory, about 200 MB.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    ram: File,
    state: File,
    /// What the guest has reported so far.
    events: Vec<Event>,
}

impl Lab {
    /// Runs the scenario up to its [`Step::Checkpoint`], and saves the guest there. `None` if that is not possible, e.g. because the
    /// machine ends before: a run from the start then shows why.
    pub(crate) fn checkpoint(
        &self,
        scenario: &Scenario,
        files: &[GuestFile],
    ) -> Option<Checkpoint> {
        let mut beginning = scenario.clone();
        beginning.steps.truncate(place_in(scenario)? + 1);
        let job = job(&beginning, files).ok()?;
        let _turn = self.turn();
        let ram = copy_of_ram(self.snapshot()).ok()?;
        let mut vm = restore(&self.snapshot, &Origin::SnapshotToSave { ram: &ram }, &job).ok()?;
        let rang = vm.wait_for_doorbell(DEADLINE).ok()?;
        let mut reader = EventReader::of(&vm);
        reader.read(&vm, self.snapshot(), &mut |_| {}).ok()?;
        let is_there = rang && !reader.has_ended() && reader.complaint().is_ok();
        if !is_there {
            return None;
        }
        Some(Checkpoint {
            state: vm.save_to_memory().ok()?,
            ram,
            events: reader.events,
        })
    }

    /// Runs the rest of a scenario that begins like the one of the checkpoint.
    ///
    /// # Errors
    ///
    /// As [`Lab::run`].
    pub(crate) fn run_from(
        &self,
        checkpoint: &Checkpoint,
        scenario: &Scenario,
        mut options: RunOptions<'_>,
    ) -> Result<Timeline, LabError> {
        let mut rest = scenario.clone();
        if let Some(place) = place_in(scenario) {
            rest.steps.drain(..=place);
        }
        let job = Job::encode(&rest, &[], &Default::default())?;
        let _turn = self.turn();
        let origin = Origin::Checkpoint {
            ram: &checkpoint.ram,
            state: &checkpoint.state,
        };
        let vm = restore(&self.snapshot, &origin, &job)?;
        let reader = EventReader::after(&vm, &checkpoint.events);
        let timeline = self.finish_from(vm, reader, &mut options)?;
        Ok(timeline.with_labels_of(scenario))
    }
}

fn place_in(scenario: &Scenario) -> Option<usize> {
    let mut steps = scenario.steps.iter();
    steps.position(|step| *step == Step::Checkpoint)
}

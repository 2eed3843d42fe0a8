//! A run, halted at one moment: runs that begin alike continue from there, so their beginning is emulated only once.
//!
//! ARCHITECTURE.md, "Checkpoints", says what this saves and why the results stay the same.

use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use systemd_lab_protocol::{Event, Job, Scenario, Step};

use super::options::{DEADLINE, RunOptions};
use super::{EventReader, Lab, job};
use crate::error::LabError;
use crate::guest_file::GuestFile;
use crate::vm::{Console, Origin, Pace, Processor, Vm};
use systemd_timeline::Timeline;

/// How often to look whether a guest has come to its checkpoint.
const GLANCE: Duration = Duration::from_millis(1);

/// Guests that stand still in the middle of a scenario. All of them belong to one thread, because only this thread may copy them.
pub(crate) struct Checkpoints {
    lab: Lab,
    orders: Option<Sender<Order>>,
    keeper: Option<JoinHandle<()>>,
}

/// Something that the keeper of the guests is to do.
type Order = Box<dyn FnOnce(&mut Vec<Standing>) + Send>;

/// A guest that stands still.
struct Standing {
    // Ends before the rest of its process does.
    processor: Processor,
    vm: Vm,
}

/// One of these guests.
pub(crate) struct Checkpoint {
    /// Among all guests of the keeper.
    number: usize,
    /// How many checkpoints the scenario had before it.
    earlier: usize,
    /// What the guest has reported so far.
    events: Vec<Event>,
}

impl Checkpoints {
    /// None so far.
    pub(crate) fn new(lab: &Lab) -> Checkpoints {
        let (orders, received) = channel::<Order>();
        let keeper = thread::spawn(move || {
            let mut standing = Vec::new();
            for order in received {
                order(&mut standing);
            }
        });
        Checkpoints {
            lab: lab.clone(),
            orders: Some(orders),
            keeper: Some(keeper),
        }
    }

    /// Runs the scenario up to its last [`Step::Checkpoint`]; from an earlier one of its checkpoints if there is a guest at that. `None`
    /// if that is not possible, e.g. because the machine ends before: a run from the start then shows why.
    pub(crate) fn make(
        &self,
        scenario: &Scenario,
        files: &[GuestFile],
        from: Option<&Checkpoint>,
    ) -> Option<Checkpoint> {
        let place = *places_in(scenario).last()?;
        let mut beginning = scenario.clone();
        beginning.steps.truncate(place + 1);
        let job = match from {
            Some(from) => rest(&beginning, from.earlier),
            None => job(&beginning, files),
        };
        let job = job.ok()?;
        let _turn = self.lab.turn();
        let lab = self.lab.clone();
        let from = from.map(|it| (it.number, it.earlier, it.events.clone()));
        let made = self.order(move |standing| {
            let (mut next, events) = match from {
                Some((number, earlier, events)) => {
                    let from = standing.get(number)?;
                    (from.follow_copy(earlier, &job).ok()?, events)
                }
                None => (Standing::restore(&lab, &job).ok()?, Vec::new()),
            };
            let mut reader = EventReader::after(&next.vm, &events);
            let stands = next.stands_within(DEADLINE);
            reader.read(&next.vm, lab.snapshot(), &mut |_| {}).ok()?;
            let is_there = stands && !reader.has_ended() && reader.complaint().is_ok();
            is_there.then(|| {
                standing.push(next);
                (standing.len() - 1, reader.events)
            })
        });
        let (number, events) = made.flatten()?;
        Some(Checkpoint {
            number,
            earlier: places_in(scenario).len() - 1,
            events,
        })
    }

    /// Runs the rest of a scenario that begins like the one of the checkpoint. `None` if the guest cannot be copied.
    ///
    /// # Errors
    ///
    /// As [`Lab::run`].
    pub(crate) fn run_from(
        &self,
        checkpoint: &Checkpoint,
        scenario: &Scenario,
        options: &mut RunOptions<'_>,
    ) -> Result<Option<Timeline>, LabError> {
        let job = rest(scenario, checkpoint.earlier)?;
        let _turn = self.lab.turn();
        let (number, earlier) = (checkpoint.number, checkpoint.earlier);
        let copied = self.order(move |standing| {
            let from = standing.get(number)?;
            from.vm.copy(&from.processor, earlier, &job, false).ok()
        });
        let Some((vm, _)) = copied.flatten() else {
            return Ok(None);
        };
        let reader = EventReader::after(&vm, &checkpoint.events);
        let timeline = self.lab.finish_from(vm, reader, options)?;
        Ok(Some(timeline.with_labels_of(scenario)))
    }

    /// Lets the keeper do something, and waits for it.
    fn order<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Vec<Standing>) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = channel();
        let order = Box::new(move |standing: &mut Vec<Standing>| {
            // Somebody waits for it below.
            let _ = answer.send(what(standing));
        });
        self.orders.as_ref()?.send(order).ok()?;
        answered.recv().ok()
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

impl Standing {
    /// A restored guest, on its way to the first checkpoint of this job.
    fn restore(lab: &Lab, job: &[u8]) -> Result<Standing, LabError> {
        let (qemu, directory) = (lab.qemu(), lab.snapshot());
        let (origin, console) = (Origin::Snapshot, Console::Recorded);
        let mut vm = Vm::start(qemu, directory, &origin, Pace::Virtual, job, console)?;
        vm.load()?;
        let processor = vm.stop_at_checkpoint()?;
        vm.resume()?;
        Ok(Standing { processor, vm })
    }

    /// A copy that is on its way to the next checkpoint.
    fn follow_copy(&self, earlier: usize, job: &[u8]) -> std::io::Result<Standing> {
        let (vm, processor) = self.vm.copy(&self.processor, earlier, job, true)?;
        let processor = processor.ok_or(std::io::ErrorKind::NotFound)?;
        Ok(Standing { processor, vm })
    }

    /// Whether the guest comes to its checkpoint.
    fn stands_within(&mut self, deadline: Duration) -> bool {
        let until = Instant::now() + deadline;
        while Instant::now() < until {
            match self.processor.has_stopped() {
                Ok(true) => return true,
                Ok(false) => {}
                Err(_) => return false,
            }
            // It may come to its end instead.
            if !matches!(self.vm.wait_for_doorbell(GLANCE), Ok(false)) {
                return false;
            }
        }
        false
    }
}

/// What is left of a scenario after one of its checkpoints, which has so many earlier ones.
fn rest(scenario: &Scenario, earlier: usize) -> Result<Vec<u8>, LabError> {
    let mut rest = scenario.clone();
    if let Some(place) = places_in(scenario).get(earlier) {
        rest.steps.drain(..=*place);
    }
    Ok(Job::encode(&rest, &[], &Default::default())?)
}

fn places_in(scenario: &Scenario) -> Vec<usize> {
    let steps = scenario.steps.iter().enumerate();
    let checkpoints = steps.filter(|(_, step)| **step == Step::Checkpoint);
    checkpoints.map(|(place, _)| place).collect()
}

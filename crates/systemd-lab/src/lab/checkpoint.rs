//! A run, halted at one moment: runs that begin alike continue from there, so their beginning is emulated only once.
//!
//! ARCHITECTURE.md, "Checkpoints", says what this saves and why the results stay the same.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use systemd_lab_protocol::{Event, EventKind, Job, Scenario, Step};

use super::options::{DEADLINE, RunOptions};
use super::{EventReader, Lab, job_that_begins, machine_end};
use crate::error::LabError;
use crate::guest_file::GuestFile;
use crate::vm::{Console, Origin, Pace, Processor, Vm};
use systemd_timeline::Timeline;

/// How often to look whether a guest has come to its checkpoint.
const GLANCE: Duration = Duration::from_millis(1);

/// How often to ask, meanwhile, whether it is still wanted.
const GLANCE_AT_STOP: Duration = Duration::from_millis(50);

/// Guests that stand still in the middle of a scenario. All of them belong to one thread, because only this thread may copy them.
pub(crate) struct Checkpoints {
    lab: Lab,
    orders: Option<Sender<Order>>,
    keeper: Option<JoinHandle<()>>,
}

/// Something that the keeper of the guests is to do.
type Order = Box<dyn FnOnce(&mut Guests) + Send>;

/// All guests of a keeper.
#[derive(Default)]
struct Guests {
    standing: BTreeMap<usize, Standing>,
    /// How many there have been.
    numbered: usize,
    coming: Vec<Coming>,
}

/// A guest on its way to its checkpoint.
struct Coming {
    guest: Standing,
    until: Instant,
    then: Then,
}

/// What is done with a guest once it stands still; with `None` if it never does.
type Then = Box<dyn FnOnce(&mut Guests, Option<Standing>)>;

/// A guest that stands still, or is about to.
struct Standing {
    // Ends before the rest of its process does.
    processor: Processor,
    vm: Vm,
}

/// One of these guests.
pub(crate) struct Checkpoint {
    /// Among all guests of the keeper.
    number: usize,
    /// Its place among the checkpoints of its scenario.
    place: usize,
    /// What the guest has reported so far.
    events: Vec<Event>,
}

impl Checkpoints {
    /// None so far.
    pub(crate) fn new(lab: &Lab) -> Checkpoints {
        let (orders, received) = channel::<Order>();
        let keeper = thread::spawn(move || Guests::default().keep(&received));
        Checkpoints {
            lab: lab.clone(),
            orders: Some(orders),
            keeper: Some(keeper),
        }
    }

    /// Runs the scenario up to its last [`Step::Checkpoint`]: from this guest, or else from the snapshot. `None` once `stop` is set, and
    /// if it is not possible, e.g. because the machine ends before: a run from the start then shows why.
    pub(crate) fn make(
        &self,
        scenario: &Scenario,
        files: &[GuestFile],
        from: Option<&Checkpoint>,
        stop: &AtomicBool,
    ) -> Option<Checkpoint> {
        let places = places_in(scenario);
        let mut beginning = scenario.clone();
        beginning.steps.truncate(places.last()? + 1);
        let job = match (from, places.as_slice()) {
            (Some(from), _) => rest(&beginning, from.place),
            (None, [_]) => job_that_begins(scenario, &beginning, files),
            // It would stop at the first one.
            (None, _) => return None,
        };
        let job = job.ok()?;
        let _turn = self.lab.turn();
        let lab = self.lab.clone();
        let from = from.map(|it| (it.number, it.place, it.events.clone()));
        let (answer, answered) = channel();
        self.order(move |guests| {
            let (guest, events) = match from {
                Some((number, place, events)) => {
                    let from = guests.standing.get(&number)?;
                    (from.follow_copy(place, &job).ok()?, events)
                }
                None => (Standing::restore(&lab, &job).ok()?, Vec::new()),
            };
            let mut reader = EventReader::after(&guest.vm, &events);
            let keep = move |guests: &mut Guests, guest: Option<Standing>| {
                let guest = guest?;
                reader.read(&guest.vm, lab.snapshot(), &mut |_| {}).ok()?;
                let is_whole = !reader.is_cut(&guest.vm) && !reader.has_ended();
                // How a scenario goes on beside a service that computes all the time depends on how much of it is left.
                let busy = |event: &Event| matches!(event.kind, EventKind::ProcessorBusy { .. });
                let is_fit = reader.complaint().is_ok() && !reader.events.iter().any(busy);
                (is_whole && is_fit).then(|| (guests.keep_standing(guest), reader.events))
            };
            guests.coming.push(Coming {
                guest,
                until: Instant::now() + DEADLINE,
                // Somebody waits for it below.
                then: Box::new(move |guests, guest| drop(answer.send(keep(guests, guest)))),
            });
            Some(())
        })??;
        let (number, events) = loop {
            match answered.recv_timeout(GLANCE_AT_STOP) {
                Ok(made) => break made?,
                Err(RecvTimeoutError::Timeout) if !stop.load(Ordering::Relaxed) => {}
                Err(_) => return None,
            }
        };
        Some(Checkpoint {
            number,
            place: places.len() - 1,
            events,
        })
    }

    /// Ends the guest of a checkpoint.
    pub(crate) fn end(&self, checkpoint: &Checkpoint) {
        let number = checkpoint.number;
        self.order(move |guests| drop(guests.standing.remove(&number)));
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
        let job = rest(scenario, checkpoint.place)?;
        let _turn = self.lab.turn();
        let (number, place) = (checkpoint.number, checkpoint.place);
        let copied = self.order(move |guests| {
            let from = guests.standing.get(&number)?;
            from.vm.copy(&from.processor, place, &job, false).ok()
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
        what: impl FnOnce(&mut Guests) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = channel();
        let order = Box::new(move |guests: &mut Guests| {
            // Somebody waits for it below.
            let _ = answer.send(what(guests));
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

impl Guests {
    /// Carries out orders until there will be no more. Meanwhile guests come to their checkpoints.
    fn keep(mut self, orders: &Receiver<Order>) {
        loop {
            let order = match self.coming.is_empty() {
                true => orders.recv().map_err(RecvTimeoutError::from),
                false => orders.recv_timeout(GLANCE),
            };
            match order {
                Ok(order) => order(&mut self),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            for coming in std::mem::take(&mut self.coming) {
                self.look_at(coming);
            }
        }
    }

    fn look_at(&mut self, mut coming: Coming) {
        match coming.guest.stands() {
            Some(true) => (coming.then)(self, Some(coming.guest)),
            Some(false) if Instant::now() < coming.until => self.coming.push(coming),
            _ => (coming.then)(self, None),
        }
    }

    /// Keeps the guest. Returns its number.
    fn keep_standing(&mut self, guest: Standing) -> usize {
        self.numbered += 1;
        self.standing.insert(self.numbered, guest);
        self.numbered
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
        // From here on, the processor ends before the rest, also after an error.
        let mut standing = Standing { processor, vm };
        let resumed = standing.vm.resume_without_answer();
        resumed.map_err(LabError::io("resuming the guest"))?;
        Ok(standing)
    }

    /// A copy that is on its way to the next checkpoint.
    fn follow_copy(&self, place: usize, job: &[u8]) -> std::io::Result<Standing> {
        let (vm, processor) = self.vm.copy(&self.processor, place, job, true)?;
        let processor = processor.ok_or(std::io::ErrorKind::NotFound)?;
        Ok(Standing { processor, vm })
    }

    /// Whether the guest has come to its checkpoint; `None` if it never will.
    fn stands(&mut self) -> Option<bool> {
        if self.processor.has_stopped().ok()? {
            return Some(true);
        }
        // It may come to its end instead, or halt.
        let goes_on = self.vm.goes_on() && !machine_end::is_halted(&self.vm.console());
        goes_on.then_some(false)
    }
}

/// What is left of a scenario after the checkpoint at this place among its checkpoints.
fn rest(scenario: &Scenario, place: usize) -> Result<Vec<u8>, LabError> {
    let mut rest = scenario.clone();
    if let Some(step) = places_in(scenario).get(place) {
        rest.steps.drain(..=*step);
    }
    Ok(Job::encode(&rest, &[], &Default::default())?)
}

fn places_in(scenario: &Scenario) -> Vec<usize> {
    let steps = scenario.steps.iter().enumerate();
    let checkpoints = steps.filter(|(_, step)| **step == Step::Checkpoint);
    checkpoints.map(|(place, _)| place).collect()
}

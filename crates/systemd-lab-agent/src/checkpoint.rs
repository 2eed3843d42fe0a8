//! A pause in a scenario, at which the host copies the machine. Each copy carries out the steps of its own job, so runs that begin
//! alike share their beginning.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use systemd_lab_protocol::seal::Key;
use systemd_lab_protocol::{Job, Step};

use crate::guest::JobMemory;

/// What a pause needs.
pub struct Checkpoint {
    memory: Arc<JobMemory>,
    /// How many pauses there were.
    passed: AtomicUsize,
}

impl Checkpoint {
    /// With the memory of this guest.
    pub fn new(memory: &Arc<JobMemory>) -> Checkpoint {
        Checkpoint {
            memory: Arc::clone(memory),
            passed: AtomicUsize::new(0),
        }
    }

    /// Stops the machine at the next gate. It goes on as a copy with another job: returns that job's key, and its steps. No time passes
    /// in between. The caller has written out all events, because the host reads them before it makes copies.
    ///
    /// # Errors
    ///
    /// When there is no job.
    pub fn pass(&self) -> anyhow::Result<(Key, Vec<Step>)> {
        let number = self.passed.fetch_add(1, Ordering::Relaxed);
        self.memory.pass_gate(number);
        let key = self.memory.take_key();
        let job = Job::decode(self.memory.bytes()).context("no job after the checkpoint")?;
        Ok((key, job.scenario.steps))
    }
}

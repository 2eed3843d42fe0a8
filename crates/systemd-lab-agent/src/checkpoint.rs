//! A pause in a scenario, at which the host saves the guest. Each guest that is restored from there carries out the steps of
//! its own job, so runs that begin alike share their beginning.

use std::sync::Arc;

use anyhow::Context;
use systemd_lab_protocol::seal::Key;
use systemd_lab_protocol::{Job, Step};

use crate::guest::{Doorbell, JobMemory};

/// What a pause needs.
pub struct Checkpoint {
    memory: Arc<JobMemory>,
    doorbell: Arc<Doorbell>,
}

impl Checkpoint {
    /// With the devices of this guest.
    pub fn new(memory: &Arc<JobMemory>, doorbell: &Arc<Doorbell>) -> Checkpoint {
        Checkpoint {
            memory: Arc::clone(memory),
            doorbell: Arc::clone(doorbell),
        }
    }

    /// Stops the VM. Returns when the host has restored it: with the new job's key, and the steps that are left. The caller has
    /// written out all events, because the host reads them before it saves the guest.
    ///
    /// # Errors
    ///
    /// When the guest was restored without a job.
    pub fn pass(&self) -> anyhow::Result<(Key, Vec<Step>)> {
        self.doorbell.ring();
        let key = self.memory.take_key();
        let job = Job::decode(self.memory.bytes()).context("no job after the checkpoint")?;
        Ok((key, job.scenario.steps))
    }
}

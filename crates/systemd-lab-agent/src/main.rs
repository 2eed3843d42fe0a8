//! Boots the guest, prepares it, stops for the snapshot, and runs the job that a restored guest finds in memory.

use std::any::Any;
use std::fs::OpenOptions;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, anyhow};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use systemd_lab_agent::alarm::Alarm;
use systemd_lab_agent::files::write_file;
use systemd_lab_agent::guest::Doorbell;
use systemd_lab_agent::outbox::{EVENTS_PORT, Outbox};
use systemd_lab_agent::prepare::{Prepared, TRACEFS, prepare, wait_for_beginning};
use systemd_lab_agent::recorder::{Events, Recorder, own_event};
use systemd_lab_agent::runner::Pauses;
use systemd_lab_agent::termination::Terminated;
use systemd_lab_agent::{REHEARSE, boot, preparations, runner};
use systemd_lab_protocol::{EventKind, Job, Step};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(REHEARSE) {
        return ExitCode::SUCCESS;
    }
    if boot::is_first_process() {
        let Err(error) = boot::become_systemd();
        eprintln!("{error:#}");
        return ExitCode::FAILURE;
    }
    let (doorbell, mut outbox) = match connect() {
        Ok(connected) => connected,
        Err(error) => {
            // Without a connection to the host, only the guest's journal is left.
            eprintln!("{error:#}");
            return ExitCode::FAILURE;
        }
    };
    let prepared = guarded(|| prepare(&doorbell));
    if let Err(error) = &prepared {
        report(&mut outbox, error);
    }
    doorbell.ring();

    // The snapshot is taken here; each restored guest continues here.
    let handover = prepared
        .as_ref()
        .ok()
        .map(|prepared| prepared.handover.clone());
    if let Ok(prepared) = prepared
        && let Err(error) = guarded(|| run_job(prepared, &mut outbox))
    {
        if error.is::<Terminated>() {
            // The host learns from the kernel how the machine ends.
            return ExitCode::SUCCESS;
        }
        report(&mut outbox, &error);
    }
    doorbell.ring();
    // A person resumed the guest to look around in it.
    if let Some(handover) = handover {
        handover.after_the_end();
    }
    loop {
        thread::park();
    }
}

/// Opens both connections to the host: one to stop the VM, one for events.
fn connect() -> anyhow::Result<(Arc<Doorbell>, Events)> {
    let doorbell = Arc::new(Doorbell::map()?);
    let port = OpenOptions::new()
        .write(true)
        .open(EVENTS_PORT)
        .with_context(|| format!("cannot open {EVENTS_PORT}; QEMU must have a virtserialport"))?;
    Ok((doorbell, Outbox::new(Box::new(port))))
}

fn run_job(mut prepared: Prepared, outbox: &mut Events) -> anyhow::Result<()> {
    // A service with all privileges but these cannot look into this process, which holds the key.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    outbox.seal_with(&prepared.memory.take_key());
    prepared.handover.arm()?;
    // Sent at once: the host may be waiting for a first sign of life.
    outbox.push(&own_event(None, prepared.hello))?;
    outbox.flush()?;
    let memory = prepared.memory.bytes();
    let mut job = Job::decode(memory)?;
    for file in &job.files {
        let content = &memory[file.offset..file.offset + file.length];
        write_file(&file.path, content, file.mode)
            .with_context(|| format!("cannot write {}", file.path))?;
    }
    prepared.handover.at_once();
    let not_prepared = preparations::carry_out(&job.scenario.preparations)?;
    if not_prepared.is_some() {
        job.scenario.steps.clear();
        job.scenario.observe.clear();
    }
    if job.scenario.steps.first() == Some(&Step::Checkpoint) {
        let (key, rest) = prepared.checkpoint.pass()?;
        outbox.seal_with(&key);
        job.scenario.steps.splice(1.., rest);
    }
    if job.scenario.awaits_events() {
        prepared.sources.alarm = Some(Alarm::set(Path::new(TRACEFS))?);
    }
    let begins_us = wait_for_beginning()?;
    let mut recorder = Recorder::new(&job.scenario, &mut prepared.sources, outbox);
    recorder.leave_out_above(&job.log_levels);
    if !job.scenario.preparations.is_empty() {
        recorder.leave_out_before(begins_us);
    }
    if let Some(kind) = not_prepared {
        recorder.add(kind);
    }
    let pauses = Pauses {
        handover: &prepared.handover,
        checkpoint: &prepared.checkpoint,
    };
    runner::run(&job.scenario, begins_us, &mut recorder, pauses).inspect_err(|_| {
        // What happened before may explain the error, but the error is the one that counts.
        let _ = recorder.collect();
    })
}

/// Tells the host that the lab is broken.
fn report(outbox: &mut Events, error: &anyhow::Error) {
    let message = format!("{error:#}");
    eprintln!("{message}");
    let event = own_event(None, EventKind::AgentError { message });
    // If the port is what failed, the host sees that the last event is missing.
    let _ = outbox.push(&event).and_then(|()| outbox.flush());
}

/// Turns a panic into an error: the host must hear about it instead of waiting.
fn guarded<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    panic::catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(anyhow!("the agent panicked: {}", panic_message(&*panic))))
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

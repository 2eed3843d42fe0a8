//! Brings together what is seen: journal, socket trace and the agent's own doings become one stream
//! of events, which conditions look at and the outbox writes out.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use systemd_lab_protocol::event::Source;
use systemd_lab_protocol::{Condition, Event, EventKind, Scenario};

use crate::alarm::Alarm;
use crate::conditions::Observed;
use crate::journal::events::Interpreter;
use crate::journal::follower::Follower;
use crate::load::Load;
use crate::outbox::Outbox;
use crate::pace::{Waiter, now_us};
use crate::processes::Processes;
use crate::schedule::Schedule;
use crate::sockets::SocketTrace;
use crate::termination::{Terminated, Termination};

/// The outbox that events go to, whatever is behind it.
pub type Events = Outbox<Box<dyn Write>>;

/// Where events are read.
pub struct Sources {
    /// What systemd and the services log.
    pub journal: Follower,
    /// Which sockets listen.
    pub sockets: SocketTrace,
    /// Whose processes they were.
    pub processes: Processes,
    /// Whether the machine is ending.
    pub termination: Termination,
    /// Whether something computes without pause.
    pub load: Load,
    /// Waits for more of all these.
    pub waiter: Waiter,
    /// Says at once that the journal has grown, if the scenario waits for an event.
    pub alarm: Option<Alarm>,
}

/// Sees what happens and passes it on.
pub struct Recorder<'a> {
    sources: &'a mut Sources,
    interpreter: Interpreter,
    observed: Observed,
    schedule: Schedule,
    /// What came of the preparations is left out: until then, and what is told of all the same.
    preparation: Option<(u64, Vec<Event>)>,
    outbox: &'a mut Events,
    /// Events that were not passed on yet.
    batch: Vec<Event>,
    /// Something has computed without pause.
    is_busy: bool,
}

impl<'a> Recorder<'a> {
    /// Begins to record a scenario.
    pub fn new(
        scenario: &Scenario,
        sources: &'a mut Sources,
        outbox: &'a mut Events,
    ) -> Recorder<'a> {
        Recorder {
            sources,
            interpreter: Interpreter::default(),
            observed: Observed::new(scenario),
            schedule: Schedule::default(),
            preparation: None,
            outbox,
            batch: Vec::new(),
            is_busy: false,
        }
    }

    /// Leaves out what was logged before this stamp: what comes of preparing the guest. What systemd says of unit files stays, as it
    /// may not say it again; but once is enough.
    pub fn leave_out_before(&mut self, at_us: u64) {
        self.preparation = Some((at_us, Vec::new()));
    }

    /// A job begins: see [`Observed::begin_job`].
    pub fn begin_job(&mut self, unit: &str) {
        self.observed.begin_job(unit);
    }

    /// A step begins: see [`Observed::begin_step`].
    pub fn begin_step(&mut self, index: usize) {
        self.observed.begin_step(now_us());
        self.begin_later_step(index);
    }

    /// A step begins beside the current one, whose conditions stay as they are.
    pub fn begin_later_step(&mut self, index: usize) {
        self.add(EventKind::StepBegan { index });
    }

    /// What is carried out later.
    pub fn schedule(&mut self) -> &mut Schedule {
        &mut self.schedule
    }

    /// Something that the agent did or received just now.
    pub fn add(&mut self, kind: EventKind) {
        self.add_event(own_event(None, kind));
    }

    /// An event from elsewhere. It is written out with the next batch.
    pub fn add_event(&mut self, event: Event) {
        self.batch.push(event);
    }

    /// Reads what has happened since, and writes out everything so far.
    ///
    /// # Errors
    ///
    /// When something cannot be read or written; [`Terminated`] when the machine is ending, after everything was written out.
    pub fn collect(&mut self) -> anyhow::Result<()> {
        let (batch, interpreter) = (&mut self.batch, &mut self.interpreter);
        let Sources {
            journal,
            sockets,
            processes,
            load,
            alarm,
            ..
        } = &mut *self.sources;
        // Before reading: what is written from here on sets it off again.
        if let Some(alarm) = alarm {
            alarm.silence();
        }
        // First the journal: it says which processes systemd forked.
        journal.read_new(|entry| batch.extend(interpreter.event(entry, processes)))?;
        batch.extend(sockets.read_new(processes)?);
        let busy = load.look();
        self.is_busy |= busy.is_some();
        batch.extend(busy);
        self.write_out()?;
        match self.is_terminated() {
            true => Err(Terminated.into()),
            false => Ok(()),
        }
    }

    /// Whether something has computed for long without a pause.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Whether the machine is ending.
    pub fn is_terminated(&self) -> bool {
        self.sources.termination.has_come()
    }

    /// Writes out everything so far, and reads nothing.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write_out(&mut self) -> anyhow::Result<()> {
        let batch = &mut self.batch;
        // Stable: of equal stamps, the order in which they were read stays.
        batch.sort_by_key(|event| event.at_us);
        for event in batch.drain(..) {
            if let Some((end_us, told)) = &mut self.preparation
                && event.at_us < *end_us
                && matches!(event.source, Source::Journal(_))
            {
                let is_same = |it: &Event| it.unit == event.unit && it.kind == event.kind;
                if !matches!(event.kind, EventKind::UnitFile { .. }) || told.iter().any(is_same) {
                    continue;
                }
                told.push(event.clone());
            }
            self.observed.observe(&event);
            self.schedule.observe(&event);
            self.outbox.push(&event)?;
        }
        self.outbox.flush()?;
        Ok(())
    }

    /// Waits until there may be something to collect, `other` can be read, or the time has passed.
    ///
    /// # Errors
    ///
    /// When the duration is longer than the kernel can count.
    pub fn wait(&self, other: BorrowedFd<'_>, timeout: Duration) -> io::Result<()> {
        let Sources {
            journal,
            sockets,
            termination,
            load,
            waiter,
            alarm,
            ..
        } = &*self.sources;
        let mut sources = vec![journal.as_fd(), sockets.as_fd(), termination.as_fd(), other];
        sources.extend(load.sources());
        let alarm = alarm.as_ref().filter(|_| self.schedule.awaits_events());
        sources.extend(alarm.map(AsFd::as_fd));
        waiter.wait(&sources, timeout)
    }

    /// Waits until the time has passed, whatever happens but the machine's end.
    ///
    /// # Errors
    ///
    /// When the duration is longer than the kernel can count.
    pub fn doze(&self, duration: Duration) -> io::Result<()> {
        let Sources {
            termination,
            load,
            waiter,
            ..
        } = &*self.sources;
        let mut sources = vec![termination.as_fd()];
        sources.extend(load.sources());
        waiter.wait(&sources, duration)
    }

    /// Whether the condition was true at the last [`Recorder::collect`].
    pub fn holds(&self, condition: &Condition) -> bool {
        self.observed.holds(condition)
    }

    /// Adds what tells of events that were left out.
    pub fn add_truncations(&mut self) {
        for (unit, kind) in self.outbox.truncations() {
            self.add_event(own_event(unit, kind));
        }
        let lines = self.sources.journal.lost();
        if lines > 0 {
            self.add(EventKind::LogTruncated { lines });
        }
    }
}

/// An event of the agent's own, which happens now.
pub fn own_event(unit: Option<String>, kind: EventKind) -> Event {
    Event {
        at_us: now_us(),
        unit,
        source: Source::Agent,
        kind,
    }
}

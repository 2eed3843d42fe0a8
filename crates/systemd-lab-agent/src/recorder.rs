//! Combines the sources: journal, socket trace and the agent's own actions become one stream of
//! events, which conditions look at and the outbox writes out.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use systemd_lab_protocol::event::{Blinding, Source};
use systemd_lab_protocol::seal::Key;
use systemd_lab_protocol::{Condition, Event, EventKind, Scenario};

use crate::alarm::Alarm;
use crate::conditions::Observed;
use crate::journal::events::Interpreter;
use crate::journal::follower::Follower;
use crate::levels::Levels;
use crate::load::{Load, Sent};
use crate::outbox::Outbox;
use crate::pace::{Waiter, now_us};
use crate::processes::Processes;
use crate::schedule::Schedule;
use crate::sockets::SocketTrace;
use crate::systemd;
use crate::termination::{Terminated, Termination};

/// systemd's log level and target, as the lab needs them.
const LOG_LEVEL: &str = "debug";
const LOG_TARGET: &str = "journal-or-kmsg";

/// Two clocks that are read one after the other may differ by this much, so the stamp of systemd's log may be this much too early.
const CLOCKS_DIFFER_US: u64 = 1_000;

/// The outbox that receives events, whatever is behind it.
pub type Events = Outbox<Box<dyn Write>>;

/// Where the agent reads events.
pub struct Sources {
    /// What systemd and the services log.
    pub journal: Follower,
    /// Which units keep systemd from logging what it does about them.
    pub levels: Levels,
    /// Which sockets listen.
    pub sockets: SocketTrace,
    /// The units of processes.
    pub processes: Processes,
    /// Whether the machine is ending.
    pub termination: Termination,
    /// Whether something computes without pause.
    pub load: Load,
    /// Waits for more of all these.
    pub waiter: Waiter,
    /// Reports at once that the journal has grown, if the scenario waits for an event.
    pub alarm: Option<Alarm>,
}

/// Sees what happens and passes it on.
pub struct Recorder<'a> {
    sources: &'a mut Sources,
    interpreter: Interpreter,
    observed: Observed,
    schedule: Schedule,
    /// The effects of the preparations are left out: until when, and which events are reported anyway.
    preparation: Option<(u64, Vec<Event>)>,
    outbox: &'a mut Events,
    /// Events that were not passed on yet.
    batch: Vec<Event>,
    /// The unit that has computed without pause, if one has.
    busy: Option<String>,
    /// What services have sent so far.
    sent: Sent,
    /// When the recorder last looked at what has happened.
    looked_us: u64,
    /// The journal cannot be read, or receives nothing: this has been reported already.
    has_no_journal: bool,
}

impl<'a> Recorder<'a> {
    /// Starts to record a scenario.
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
            busy: None,
            sent: Sent::default(),
            looked_us: now_us(),
            has_no_journal: false,
        }
    }

    /// Leaves out lines of services above these levels: see [`systemd_lab_protocol::Job::log_levels`].
    pub fn leave_out_above(&mut self, log_levels: &BTreeMap<String, u8>) {
        self.interpreter.leave_out_above(log_levels);
    }

    /// Leaves out what was logged before this stamp, as an effect of preparing the guest. systemd's messages about unit files stay,
    /// as it may not repeat them; but each is reported only once.
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

    /// A step begins while the current one goes on. The current step's conditions stay as they are.
    pub fn begin_later_step(&mut self, index: usize) {
        self.add(EventKind::StepBegan { index, label: None });
    }

    /// The steps to carry out later.
    pub fn schedule(&mut self) -> &mut Schedule {
        &mut self.schedule
    }

    /// From now on, seals events with this key: see [`Outbox::seal_with`].
    pub fn seal_with(&mut self, key: &Key) {
        self.outbox.seal_with(key);
    }

    /// Adds something that the agent has just done or received.
    pub fn add(&mut self, kind: EventKind) {
        self.add_event(own_event(None, kind));
    }

    /// Adds an event from elsewhere. It is written out with the next batch.
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
            levels,
            sockets,
            processes,
            load,
            alarm,
            ..
        } = &mut *self.sources;
        // Before reading, so that what is written from here on sets the alarm off again.
        if let Some(alarm) = alarm {
            alarm.silence();
        }
        // The journal comes first: it says which processes systemd forked.
        let sent = &mut self.sent;
        let read = journal.read_new(|entry| {
            let event = interpreter.event(entry, processes);
            match event.as_ref().map(|event| &event.kind) {
                Some(EventKind::Notified { .. }) => sent.notifications += 1,
                Some(EventKind::Log { .. }) => sent.lines += 1,
                _ => {}
            }
            batch.extend(event);
        });
        batch.extend(interpreter.take_dropped());
        for at_us in interpreter.take_returns() {
            let restored = own_event(None, EventKind::SightRestored);
            batch.push(Event { at_us, ..restored });
        }
        for unit in levels.newly_hidden() {
            batch.push(Event {
                // systemd read this setting with all unit files, and has logged nothing since.
                at_us: interpreter.last_reload_us().unwrap_or(self.looked_us),
                ..own_event(
                    Some(unit),
                    EventKind::WentBlind {
                        how: Blinding::LogLevelMax,
                    },
                )
            });
        }
        batch.extend(sockets.read_new(processes)?);
        if let Some(busy) = load.look(self.sent) {
            self.busy.clone_from(&busy.unit);
            batch.push(busy);
        }
        let is_removed = journal.is_removed();
        if let Err(error) = read {
            // A process that runs as root may do anything with journald's files.
            self.lose_journal(error.to_string());
        } else if is_removed {
            self.lose_journal("its files were removed".to_owned());
        }
        self.looked_us = now_us();
        self.see_again();
        self.write_out()?;
        match self.is_terminated() {
            true => Err(Terminated.into()),
            false => Ok(()),
        }
    }

    /// Restores systemd's logging if a process has changed it. If systemd does not answer now, the recorder tries again later.
    fn see_again(&mut self) {
        if self.interpreter.is_blind()
            && !self.is_terminated()
            && systemd::set_log_target(LOG_TARGET).is_ok()
            && systemd::set_log_level(LOG_LEVEL).is_ok()
        {
            self.interpreter.sees_again();
            self.add(EventKind::SightRestored);
        }
    }

    /// Nothing is known about what systemd did since it last logged something. This is reported once.
    fn lose_journal(&mut self, message: String) {
        // A machine that ends also ends journald, and a crash of systemd has been reported already.
        if self.is_terminated()
            || self.interpreter.has_ended()
            || std::mem::replace(&mut self.has_no_journal, true)
        {
            return;
        }
        let how = Blinding::NoJournal { message };
        self.batch.push(Event {
            at_us: self.interpreter.last_debug_us().unwrap_or(self.looked_us),
            ..own_event(None, EventKind::WentBlind { how })
        });
    }

    /// Checks whether the journal contains what systemd logged when it was asked something at this time, which it answered. Reports
    /// `why` if the journal does not.
    pub fn check_sight(&mut self, asked_us: u64, why: &str) {
        let last_us = self.interpreter.last_debug_us().unwrap_or_default();
        if last_us + CLOCKS_DIFFER_US < asked_us && !self.interpreter.is_blind() {
            self.lose_journal(why.to_owned());
        }
    }

    /// The unit that has computed for a long time without a pause, if there is one.
    pub fn busy(&self) -> Option<&str> {
        self.busy.as_deref()
    }

    /// Whether the machine is ending.
    pub fn is_terminated(&self) -> bool {
        self.sources.termination.has_come()
    }

    /// Writes out everything so far, without reading.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write_out(&mut self) -> anyhow::Result<()> {
        let batch = &mut self.batch;
        // Stable: events with equal stamps stay in the order in which they were read.
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

    /// Waits until there may be something to collect, `other` becomes readable, or the time has passed.
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

    /// Waits until the time has passed. Only the end of the machine interrupts this wait.
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

    /// Adds the events that report what was left out.
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

/// An event of the agent's own, stamped with the current time.
pub fn own_event(unit: Option<String>, kind: EventKind) -> Event {
    Event {
        at_us: now_us(),
        unit,
        source: Source::Agent,
        kind,
    }
}

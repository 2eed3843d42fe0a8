//! Carries out a scenario, step by step.
//!
//! A refusal by systemd or the service is an outcome ([`StepOutcome`]); an error here means that the
//! lab itself is broken.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::Context;
use systemd_lab_protocol::event::{Source, StepOutcome};
use systemd_lab_protocol::{Condition, Event, EventKind, Scenario, Step};

use crate::checkpoint::Checkpoint;
use crate::command;
use crate::commands::Commands;
use crate::dbus::CallError;
use crate::files::write_file;
use crate::handover::Handover;
use crate::http::Request;
use crate::journal;
use crate::load;
use crate::memory;
use crate::pace::{self, now_us};
use crate::probes::{Probe, Probes};
use crate::recorder::{Recorder, own_event};
use crate::requests::{Requests, response};
use crate::systemd::{self, JobType};
use crate::termination::{Terminated, Termination};

/// How long to wait in one go for something that has a deadline of its own.
const LONGEST_SILENCE: Duration = Duration::from_secs(3600);

/// If the processor is busy without a pause, a scenario may go on for this much longer. That takes a quiet host about 30 s, and gives
/// a busy phase time to end by itself. A scenario that would go on for longer ends at once.
const LONGEST_BUSY_REST: Duration = Duration::from_secs(60);

/// The same, if nothing that could change anything is still to come: no fault, and no deadline of the unit's.
const LONGEST_REST_WITH_NOTHING_TO_COME: Duration = Duration::from_secs(10);

/// Where a scenario may stop before its end.
#[derive(Clone, Copy)]
pub struct Pauses<'a> {
    /// For a person.
    pub handover: &'a Handover,
    /// For the host, which saves the guest.
    pub checkpoint: &'a Checkpoint,
}

/// Runs the scenario to its end, and records it. It begins at `began_us` of `CLOCK_MONOTONIC`, which is now.
///
/// # Errors
///
/// When the lab is broken. What was recorded so far is written out as far as possible.
///
/// Never returns once a person has taken over. If the machine ends before the scenario does, this returns [`Terminated`] after
/// writing out what happened.
pub fn run(
    scenario: &Scenario,
    began_us: u64,
    recorder: &mut Recorder<'_>,
    pauses: Pauses<'_>,
) -> anyhow::Result<()> {
    let mut runner = Runner {
        recorder,
        requests: Requests::new()?,
        probes: Probes::default(),
        commands: Commands::default(),
        began_us,
        ends: Duration::ZERO,
        something_comes: None,
        is_last_sleep: false,
        checkpoint: pauses.checkpoint,
        handover: pauses.handover,
    };
    runner.recorder.add_event(Event {
        at_us: began_us,
        ..own_event(
            None,
            EventKind::ScenarioBegan {
                name: scenario.name.clone(),
            },
        )
    });
    // The host must know it before a service can write into the agent's port.
    runner.recorder.write_out()?;
    let carried_out = match runner.carry_out(scenario) {
        Err(error) if error.is::<TooBusy>() => Ok(()),
        result => result,
    };
    if runner.recorder.is_terminated() {
        // A step fails when systemd is no longer there to answer.
        runner.end_with_machine()?;
        return Err(Terminated.into());
    }
    carried_out?;
    pauses.handover.leave_to_person();
    match runner.end(scenario) {
        Err(_) if runner.recorder.is_terminated() => {
            runner.end_with_machine()?;
            Err(Terminated.into())
        }
        result => result,
    }
}

struct Runner<'a, 'b> {
    recorder: &'a mut Recorder<'b>,
    requests: Requests,
    probes: Probes,
    commands: Commands,
    /// When the scenario began: `CLOCK_MONOTONIC` in microseconds.
    began_us: u64,
    /// The latest time at which it will have ended, since then.
    ends: Duration,
    /// Whether something was still to come when the processor was found to be busy.
    something_comes: Option<bool>,
    /// The rest of the scenario only lets time pass.
    is_last_sleep: bool,
    checkpoint: &'a Checkpoint,
    handover: &'a Handover,
}

/// The rest of the scenario would take too long.
#[derive(Debug, thiserror::Error)]
#[error("the processor is busy without a pause")]
struct TooBusy;

impl Runner<'_, '_> {
    fn carry_out(&mut self, scenario: &Scenario) -> anyhow::Result<()> {
        let mut steps = scenario.steps.clone();
        // A first checkpoint was before the scenario began.
        let mut next = usize::from(steps.first() == Some(&Step::Checkpoint));
        while let Some(step) = steps.get(next).cloned() {
            let index = next;
            next += 1;
            self.handover.leave_to_person();
            if let Step::Later { when, what } = &step {
                let schedule = self.recorder.schedule();
                schedule.add(index, when, what, self.began_us);
                continue;
            }
            if step == Step::Checkpoint {
                self.collect()?;
                let (key, rest) = self.checkpoint.pass()?;
                self.recorder.seal_with(&key);
                steps.truncate(next);
                steps.extend(rest);
                continue;
            }
            self.recorder.begin_step(index);
            self.is_last_sleep = next == steps.len() && matches!(step, Step::SleepUntil { .. });
            self.ends = latest_end(self.elapsed(), &steps[index..]);
            let outcome = self
                .step(&step)
                .with_context(|| format!("in step {index}"))?;
            let ends_here = match outcome {
                StepOutcome::Done => false,
                StepOutcome::Refused { .. } => !scenario.goes_on_when_refused,
                StepOutcome::DeadlinePassed => true,
            };
            self.recorder.add(EventKind::StepEnded {
                index,
                label: None,
                outcome,
            });
            if ends_here {
                break;
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> anyhow::Result<StepOutcome> {
        match step {
            Step::Start { unit } => self.queue_job(JobType::Start, unit),
            Step::Stop { unit } => self.queue_job(JobType::Stop, unit),
            Step::Restart { unit } => self.queue_job(JobType::Restart, unit),
            Step::Reload { unit } => self.queue_job(JobType::Reload, unit),
            Step::ResetFailed { unit } => called(systemd::reset_failed(unit)),
            Step::Enable { unit } => called(systemd::enable(unit)),
            Step::Disable { unit } => called(systemd::disable(unit)),
            Step::DaemonReload => called(systemd::reload()),
            Step::Signal { unit, signal, whom } => called(systemd::kill(unit, *whom, *signal)),
            Step::Freeze { unit } => called(systemd::freeze(unit)),
            Step::Thaw { unit } => called(systemd::thaw(unit)),
            Step::Reboot => called(systemd::reboot()),
            Step::OutOfMemory { unit } => self.run_out_of_memory(unit),
            Step::WaitFor {
                condition,
                deadline,
            } => self.wait_for(condition, *deadline),
            Step::Sleep { duration } => self.sleep_until(self.elapsed().saturating_add(*duration)),
            Step::SleepUntil { time } => self.sleep_until(*time),
            Step::Later { .. } | Step::Checkpoint => Ok(refused(
                "EINVAL",
                "only a step of the scenario may come later".into(),
            )),
            Step::Probe {
                name,
                target,
                every,
                deadline,
            } => match Probe::new(name, target, *every, *deadline) {
                Err(message) => Ok(refused("EINVAL", message)),
                Ok(probe) => Ok(done_or_refused(self.probes.begin(probe))),
            },
            Step::Request {
                name,
                method,
                url,
                body,
                deadline,
                background,
            } => match Request::new(method, url, body.as_deref()) {
                Err(message) => Ok(refused("EINVAL", message)),
                Ok(request) => self.request(name, request, *deadline, *background),
            },
            Step::AwaitResponse { name } => self.await_response(name),
            Step::HalfOpen {
                name,
                address,
                bytes,
            } => Ok(done_or_refused(
                self.requests.open_half(name, address, bytes),
            )),
            Step::FinishRequest {
                name,
                bytes,
                deadline,
            } => Ok(match self.requests.finish_half(name, bytes, *deadline) {
                Some(event) => {
                    self.recorder.add_event(event);
                    StepOutcome::Done
                }
                None => no_such_connection(name),
            }),
            Step::CloseConnection { name } => Ok(match self.requests.close_half(name) {
                true => StepOutcome::Done,
                false => no_such_connection(name),
            }),
            Step::WriteFile {
                path,
                content,
                mode,
            } => Ok(done_or_refused(write_file(path, content.as_bytes(), *mode))),
            Step::Run { argv, deadline } => Ok(self.run_command(argv, *deadline)),
            Step::RunInBackground { argv, deadline } => {
                Ok(done_or_refused(self.commands.begin(argv, *deadline)))
            }
        }
    }

    /// The journal may report the job only later: a step that waits for its end must not mistake the previous job's
    /// end for it.
    fn queue_job(&mut self, job: JobType, unit: &str) -> anyhow::Result<StepOutcome> {
        let result = systemd::queue_job(job, unit);
        if result.is_ok() {
            self.recorder.begin_job(unit);
        }
        called(result)
    }

    /// Reads and writes out everything so far.
    fn collect(&mut self) -> anyhow::Result<()> {
        for event in self.requests.take_finished() {
            self.recorder.add_event(event);
        }
        for event in self.probes.take_changes() {
            self.recorder.add_event(event);
        }
        for event in self.commands.take_finished() {
            self.recorder.add_event(event);
        }
        self.recorder.collect()?;
        let rest = self.ends.saturating_sub(self.elapsed());
        let Some(unit) = self.recorder.busy().map(str::to_owned) else {
            return Ok(());
        };
        let is_left = self.something_comes.is_some_and(|comes| comes)
            || rest <= LONGEST_REST_WITH_NOTHING_TO_COME;
        if rest <= LONGEST_BUSY_REST && (is_left || self.something_comes(&unit)) {
            return Ok(());
        }
        Err(TooBusy.into())
    }

    /// Whether something is still to come that could end or change what keeps the processor busy.
    fn something_comes(&mut self, unit: &str) -> bool {
        let comes = !self.is_last_sleep
            || !self.recorder.schedule().is_empty()
            || systemd::has_deadline(unit);
        self.something_comes = Some(comes);
        comes
    }

    /// Waits for something to collect, after waiting for `elapsed` in vain.
    fn wait(&self, elapsed: Duration, left: Duration) -> io::Result<()> {
        let timeout = pace::interval(elapsed).map_or(left, |interval| interval.min(left));
        self.recorder.wait(self.requests.as_fd(), timeout)?;
        self.handover.leave_to_person();
        Ok(())
    }

    fn wait_for(
        &mut self,
        condition: &Condition,
        deadline: Duration,
    ) -> anyhow::Result<StepOutcome> {
        let began = Instant::now();
        loop {
            self.collect()?;
            if self.recorder.holds(condition) {
                return Ok(StepOutcome::Done);
            }
            let elapsed = began.elapsed();
            if elapsed >= deadline {
                return Ok(StepOutcome::DeadlinePassed);
            }
            if !self.carry_out_due()? {
                let left = (deadline - elapsed).min(self.until_next());
                self.wait(elapsed, left)?;
            }
        }
    }

    /// Carries out the steps that are due while the current step goes on, and returns whether there were any.
    fn carry_out_due(&mut self) -> anyhow::Result<bool> {
        let mut any = false;
        while let Some((index, step)) = self.recorder.schedule().take_due(now_us()) {
            self.handover.leave_to_person();
            self.recorder.begin_later_step(index);
            let outcome = self
                .step(&step)
                .with_context(|| format!("in step {index}"))?;
            self.recorder.add(EventKind::StepEnded {
                index,
                label: None,
                outcome,
            });
            any = true;
        }
        Ok(any)
    }

    /// The time until such a step is due.
    fn until_next(&mut self) -> Duration {
        let next_us = self.recorder.schedule().next_us();
        next_us.map_or(LONGEST_SILENCE, |next_us| {
            Duration::from_micros(next_us.saturating_sub(now_us()))
        })
    }

    /// Sleeps until this long after the scenario began.
    fn sleep_until(&mut self, end: Duration) -> anyhow::Result<StepOutcome> {
        // The beginning of the sleep, or the time when the last step in it was carried out.
        let mut began = Instant::now();
        loop {
            let left = end.saturating_sub(self.elapsed());
            if left.is_zero() {
                return Ok(StepOutcome::Done);
            }
            if self.carry_out_due()? {
                began = Instant::now();
                self.collect()?;
                continue;
            }
            let left = left.min(self.until_next());
            self.recorder.wait(self.requests.as_fd(), left)?;
            self.handover.leave_to_person();
            if began.elapsed() >= pace::DOZE && !self.recorder.schedule().awaits_events() {
                let left = end.saturating_sub(self.elapsed()).min(self.until_next());
                self.recorder.doze(left.min(pace::DOZE))?;
                self.handover.leave_to_person();
            }
            self.collect()?;
        }
    }

    fn run_out_of_memory(&self, unit: &str) -> anyhow::Result<StepOutcome> {
        let group = match systemd::control_group(unit) {
            Ok(group) => group,
            Err(error) => return called(Err(error)),
        };
        Ok(match group {
            Some(group) => done_or_refused(memory::run_out(&group)),
            None => refused("ESRCH", format!("Unit {unit} has no processes.")),
        })
    }

    /// Since the scenario began.
    fn elapsed(&self) -> Duration {
        Duration::from_micros(now_us().saturating_sub(self.began_us))
    }

    fn request(
        &mut self,
        name: &str,
        request: Request,
        deadline: Duration,
        background: bool,
    ) -> anyhow::Result<StepOutcome> {
        if background {
            self.requests
                .send_in_background(name, request, deadline)
                .context("cannot send a request in the background")?;
        } else {
            let outcome = request.send(deadline);
            self.recorder.add_event(response(name, outcome));
        }
        Ok(StepOutcome::Done)
    }

    fn await_response(&mut self, name: &str) -> anyhow::Result<StepOutcome> {
        loop {
            self.collect()?;
            if !self.requests.is_pending(name) {
                return Ok(StepOutcome::Done);
            }
            self.recorder.wait(self.requests.as_fd(), LONGEST_SILENCE)?;
            self.handover.leave_to_person();
        }
    }

    fn run_command(&mut self, argv: &[String], deadline: Duration) -> StepOutcome {
        match command::run(argv, deadline) {
            Err(error) => refused_by(&error),
            Ok(finished) => {
                self.recorder.add(EventKind::Command {
                    argv: argv.to_vec(),
                    status: finished.status,
                    output: finished.output,
                });
                match finished.timed_out {
                    true => StepOutcome::DeadlinePassed,
                    false => StepOutcome::Done,
                }
            }
        }
    }

    /// Writes out everything known when the machine ends. systemd is no longer there to answer for properties.
    fn end_with_machine(&mut self) -> anyhow::Result<()> {
        Termination::let_journald_end();
        for event in self.probes.end().into_iter().chain(self.commands.end()) {
            self.recorder.add_event(event);
        }
        self.recorder.add_truncations();
        match self.recorder.collect() {
            Err(error) if !error.is::<Terminated>() => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes out everything known at the end.
    fn end(&mut self, scenario: &Scenario) -> anyhow::Result<()> {
        // Nothing after this could take too long.
        self.ends = Duration::ZERO;
        for event in self.probes.end().into_iter().chain(self.commands.end()) {
            self.recorder.add_event(event);
        }
        // systemd logs at debug level that it was asked: if that entry is in the journal, so is everything that it did before.
        let mut asked_us = now_us();
        let mut systemd = systemd::Questions::default();
        let mut is_too_busy = systemd.is_too_busy();
        let mut written = journal::synchronize();
        if !matches!((&is_too_busy, &written), (Ok(false), Ok(true))) {
            // The scenario is over: whatever gives journald and systemd no rest has had its time.
            load::freeze_services();
            asked_us = now_us();
            is_too_busy = systemd.is_too_busy();
            written = journal::synchronize();
        }
        self.collect()?;
        let why = match (&is_too_busy, written) {
            (_, Err(error)) => Some(format!("{error:#}")),
            (_, Ok(false)) => Some("journald does not write what it has received".to_owned()),
            (Ok(false), Ok(true)) => Some("systemd logs nothing into it".to_owned()),
            (Err(error), _) => Some(error.to_string()),
            // Nothing about it can be known.
            (Ok(true), Ok(true)) => None,
        };
        if let Some(why) = why {
            self.recorder.check_sight(asked_us, &why);
        }
        for unit in &scenario.observe {
            let values = match scenario.observe_only.as_slice() {
                [] => systemd.unit_properties(unit),
                names => systemd.unit_properties_named(unit, names),
            };
            let values = match values {
                // systemd's socket is gone: a process removed it.
                Err(CallError::Io(_)) => continue,
                values => {
                    values.with_context(|| format!("cannot read the properties of {unit}"))?
                }
            };
            self.recorder.add_event(Event {
                at_us: now_us(),
                unit: Some(unit.clone()),
                source: Source::Properties,
                kind: EventKind::Properties { values },
            });
        }
        self.recorder.add_truncations();
        self.recorder.add(EventKind::ScenarioEnded);
        self.recorder.write_out()
    }
}

/// When these steps will have ended, judging from the steps alone. The first step counts with its deadline. Each later step
/// counts with the shortest time that it takes, because what it waits for comes long before its deadline.
fn latest_end(now: Duration, steps: &[Step]) -> Duration {
    let deadline = match steps.first() {
        Some(
            Step::WaitFor { deadline, .. }
            | Step::Request { deadline, .. }
            | Step::FinishRequest { deadline, .. }
            | Step::Run { deadline, .. },
        ) => *deadline,
        _ => Duration::ZERO,
    };
    let now = now.saturating_add(deadline);
    steps.iter().fold(now, |end, step| match step {
        Step::Sleep { duration } => end.saturating_add(*duration),
        Step::SleepUntil { time } => end.max(*time),
        _ => end,
    })
}

fn called(result: Result<(), CallError>) -> anyhow::Result<StepOutcome> {
    match result {
        Ok(()) => Ok(StepOutcome::Done),
        Err(CallError::Refused { name, message }) => Ok(refused(&name, message)),
        Err(error @ CallError::TimedOut(_)) => Ok(refused("ETIMEDOUT", error.to_string())),
        // A process may have removed systemd's socket.
        Err(CallError::Io(error)) => Ok(refused_by(&error)),
        Err(error) => Err(error.into()),
    }
}

fn done_or_refused(result: io::Result<()>) -> StepOutcome {
    match result {
        Ok(()) => StepOutcome::Done,
        Err(error) => refused_by(&error),
    }
}

fn no_such_connection(name: &str) -> StepOutcome {
    refused("ENOTCONN", format!("no connection named {name} is open"))
}

fn refused_by(error: &io::Error) -> StepOutcome {
    refused(unix_error(error), error.to_string())
}

fn refused(error: &str, message: String) -> StepOutcome {
    StepOutcome::Refused {
        error: error.to_owned(),
        message,
    }
}

/// The errno(3) name of the errors that steps can meet.
fn unix_error(error: &io::Error) -> &'static str {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::NotFound => "ENOENT",
        Kind::PermissionDenied => "EACCES",
        Kind::ConnectionRefused => "ECONNREFUSED",
        Kind::ConnectionReset => "ECONNRESET",
        Kind::BrokenPipe => "EPIPE",
        Kind::TimedOut | Kind::WouldBlock => "ETIMEDOUT",
        Kind::InvalidInput => "EINVAL",
        Kind::StorageFull => "ENOSPC",
        Kind::OutOfMemory => "ENOMEM",
        Kind::NotADirectory => "ENOTDIR",
        Kind::IsADirectory => "EISDIR",
        _ => "EIO",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_ends_when_its_steps_do() {
        let seconds = Duration::from_secs;
        let scenario = Scenario::new("x")
            .start("a.service")
            .sleep(seconds(5))
            .sleep_until(seconds(60))
            .wait_for_job("a.service", seconds(7));
        let end = |from: usize| latest_end(seconds(10), &scenario.steps[from..]);
        assert_eq!(
            [end(0), end(1), end(3), end(4)],
            [60, 60, 17, 10].map(seconds)
        );
    }

    #[test]
    fn what_systemd_refuses_is_an_outcome() {
        let outcome = called(Err(CallError::Refused {
            name: "org.freedesktop.systemd1.NoSuchUnit".into(),
            message: "Unit x.service not found.".into(),
        }));
        assert!(matches!(
            outcome,
            Ok(StepOutcome::Refused { error, .. }) if error == "org.freedesktop.systemd1.NoSuchUnit"
        ));
        assert!(called(Err(CallError::Malformed("x"))).is_err());
    }

    #[test]
    fn unix_errors_have_their_usual_names() {
        let of = |number| refused_by(&io::Error::from_raw_os_error(number));
        for (number, name) in [(111, "ECONNREFUSED"), (2, "ENOENT"), (28, "ENOSPC")] {
            assert!(matches!(of(number), StepOutcome::Refused { error, .. } if error == name));
        }
    }
}

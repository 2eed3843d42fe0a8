//! Probes: each asks again and again whether a service answers, on a thread of its own, while the scenario's steps go on.
//!
//! Only changes are reported. They do not wake the agent: it picks them up whenever it looks at what has happened, so an
//! hour of probes costs no more than its connections.

use std::io::{self, Read, Write};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use systemd_lab_protocol::event::{ProbeOutcome, ResponseOutcome, Source};
use systemd_lab_protocol::scenario::{ProbeTarget, first_attempt};
use systemd_lab_protocol::{Event, EventKind};

use crate::command;
use crate::endpoint::{Bounded, Endpoint};
use crate::http::{Request, outcome_of};
use crate::pace::now_us;
use crate::recorder::own_event;

/// A probe that asks all the time would leave the guest no time for anything else.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// What to ask, and how often.
pub struct Probe {
    name: String,
    question: Question,
    every: Duration,
    deadline: Duration,
}

enum Question {
    Get(Request),
    Connect(Endpoint),
    Ask {
        endpoint: Endpoint,
        send: String,
        expect: String,
    },
    Run(Vec<String>),
}

/// How much of a line is read at most.
const LONGEST_LINE: usize = 4096;

impl Probe {
    /// Builds a probe from a step's parts.
    ///
    /// # Errors
    ///
    /// A message that says what is wrong with the address or the interval.
    pub fn new(
        name: &str,
        target: &ProbeTarget,
        every: Duration,
        deadline: Duration,
    ) -> Result<Probe, String> {
        if every < SHORTEST_INTERVAL {
            let shortest = SHORTEST_INTERVAL.as_millis();
            return Err(format!(
                "a probe may come every {shortest} ms at most often"
            ));
        }
        let question = match target {
            ProbeTarget::Get(url) => Question::Get(Request::new("GET", url, None)?),
            ProbeTarget::Connect(address) | ProbeTarget::ConnectUnix(address) => {
                Question::Connect(Endpoint::parse(address)?)
            }
            ProbeTarget::GetUnix { socket, path } => {
                Question::Get(Request::over_unix("GET", socket, path))
            }
            ProbeTarget::Ask {
                address,
                send,
                expect,
            } => Question::Ask {
                endpoint: Endpoint::parse(address)?,
                send: send.clone(),
                expect: expect.clone(),
            },
            ProbeTarget::Run(argv) => Question::Run(argv.clone()),
        };
        Ok(Probe {
            name: name.to_owned(),
            question,
            every,
            deadline,
        })
    }

    fn attempt(&self) -> ProbeOutcome {
        match &self.question {
            Question::Get(request) => probe_outcome(request.send(self.deadline)),
            Question::Connect(endpoint) => match endpoint.connect(self.deadline) {
                Ok(_) => ProbeOutcome::Connected,
                Err(error) => probe_outcome(outcome_of(Err(error))),
            },
            Question::Ask {
                endpoint,
                send,
                expect,
            } => {
                let outcome = ask(endpoint, send, expect, self.deadline);
                outcome.unwrap_or_else(|error| probe_outcome(outcome_of(Err(error))))
            }
            Question::Run(argv) => match command::run(argv, self.deadline) {
                Ok(finished) if finished.timed_out => ProbeOutcome::TimedOut,
                Ok(finished) => ProbeOutcome::Exited {
                    status: finished.status,
                },
                Err(error) => ProbeOutcome::Broken {
                    error: error.to_string(),
                },
            },
        }
    }
}

/// Sends the bytes and reads until the answer matches the expected beginning, or cannot match it any more: an incomplete
/// line may be enough.
fn ask(
    endpoint: &Endpoint,
    send: &str,
    expect: &str,
    deadline: Duration,
) -> io::Result<ProbeOutcome> {
    let end = Instant::now() + deadline;
    let mut stream = Bounded::new(endpoint.connect(deadline)?, end);
    stream.write_all(send.as_bytes())?;
    let mut line = Vec::new();
    let mut buffer = [0; LONGEST_LINE];
    loop {
        if line.starts_with(expect.as_bytes()) {
            return Ok(ProbeOutcome::Expected);
        }
        let is_complete = line.contains(&b'\n') || line.len() >= LONGEST_LINE;
        let read = match is_complete {
            true => 0,
            false => stream.read(&mut buffer)?,
        };
        if read == 0 && line.is_empty() {
            let kind = io::ErrorKind::UnexpectedEof;
            return Err(io::Error::new(kind, "connection closed without an answer"));
        }
        if read == 0 {
            let line = String::from_utf8_lossy(&line);
            let line = line.lines().next().unwrap_or_default().to_owned();
            return Ok(ProbeOutcome::Unexpected { line });
        }
        line.extend_from_slice(&buffer[..read]);
    }
}

/// Whether the service answers counts, not what it answers: a body may differ each time.
fn probe_outcome(outcome: ResponseOutcome) -> ProbeOutcome {
    match outcome {
        ResponseOutcome::Answered { status, .. } => ProbeOutcome::Answered { status },
        ResponseOutcome::Refused => ProbeOutcome::Refused,
        ResponseOutcome::TimedOut => ProbeOutcome::TimedOut,
        ResponseOutcome::Broken { error } => ProbeOutcome::Broken { error },
    }
}

/// All probes of a scenario.
pub struct Probes {
    counts: Vec<(String, Arc<Mutex<Count>>)>,
    changes: Receiver<Event>,
    changed: Sender<Event>,
}

/// The finished attempts of one probe.
#[derive(Default)]
struct Count {
    attempts: u64,
    failed: u64,
    last: Option<ProbeOutcome>,
    /// Later attempts are not part of the scenario.
    is_over: bool,
}

impl Default for Probes {
    fn default() -> Probes {
        let (changed, changes) = mpsc::channel();
        Probes {
            counts: Vec::new(),
            changes,
            changed,
        }
    }
}

impl Probes {
    /// Starts a probe.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub fn begin(&mut self, probe: Probe) -> io::Result<()> {
        let count = Arc::new(Mutex::new(Count::default()));
        self.counts.push((probe.name.clone(), Arc::clone(&count)));
        let changed = self.changed.clone();
        thread::Builder::new().spawn(move || ask_until_the_end(&probe, &count, &changed))?;
        Ok(())
    }

    /// The changes since the last call.
    pub fn take_changes(&mut self) -> Vec<Event> {
        self.changes.try_iter().collect()
    }

    /// Stops counting, and returns the changes since the last call and the totals of each probe.
    pub fn end(&mut self) -> Vec<Event> {
        let ended = self.counts.iter().map(|(name, count)| {
            let mut count = locked(count);
            count.is_over = true;
            let kind = EventKind::ProbeEnded {
                name: name.clone(),
                attempts: count.attempts,
                failed: count.failed,
            };
            own_event(None, kind)
        });
        let ended: Vec<Event> = ended.collect();
        let mut events = self.take_changes();
        events.extend(ended);
        events
    }
}

fn ask_until_the_end(probe: &Probe, count: &Mutex<Count>, changed: &Sender<Event>) {
    let mut due = Instant::now() + first_attempt(probe.every);
    loop {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let asked_us = now_us();
        let outcome = probe.attempt();
        // An outage lasts from the first attempt without an answer until an answer arrives.
        let at_us = match outcome.is_success() {
            true => now_us(),
            false => asked_us,
        };
        let mut count = locked(count);
        if count.is_over {
            return;
        }
        if count.last.as_ref() != Some(&outcome) {
            let kind = EventKind::ProbeChanged {
                name: probe.name.clone(),
                outcome: outcome.clone(),
                attempts_before: count.attempts,
            };
            // Sent under the lock, so that the thread that ends the count has all changes that were counted.
            let sent = changed.send(Event {
                at_us,
                unit: None,
                source: Source::Agent,
                kind,
            });
            if sent.is_err() {
                return;
            }
        }
        count.attempts += 1;
        count.failed += u64::from(!outcome.is_success());
        count.last = Some(outcome);
        drop(count);
        // Attempts that were missed while one lasted are not made up for in a burst, and the phase stays the same.
        while due <= Instant::now() {
            due += probe.every;
        }
    }
}

/// If a thread panicked while it counted, its count up to then is right.
fn locked(count: &Mutex<Count>) -> MutexGuard<'_, Count> {
    count.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const EVERY: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(20);

    fn changes(events: &[Event]) -> Vec<&ProbeOutcome> {
        let outcome = |event| match event {
            &Event {
                kind: EventKind::ProbeChanged { ref outcome, .. },
                ..
            } => Some(outcome),
            _ => None,
        };
        events.iter().filter_map(outcome).collect()
    }

    fn wait_for(probes: &mut Probes, seen: &mut Vec<Event>, number: usize) {
        let began = Instant::now();
        while changes(seen).len() < number {
            assert!(began.elapsed() < LONG, "in vain: {seen:?}");
            seen.extend(probes.take_changes());
            thread::sleep(EVERY);
        }
    }

    #[test]
    fn only_changes_are_reported_and_all_attempts_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let target = ProbeTarget::Connect(address.to_string());
        let probe = Probe::new("p", &target, EVERY, LONG).expect("it is right");
        let mut probes = Probes::default();
        probes.begin(probe).expect("there are threads");
        let mut seen = Vec::new();
        wait_for(&mut probes, &mut seen, 1);
        while locked(&probes.counts[0].1).attempts < 3 {
            thread::sleep(EVERY);
        }
        drop(listener);
        wait_for(&mut probes, &mut seen, 2);
        seen.extend(probes.end());
        assert_eq!(
            changes(&seen)[..2],
            [&ProbeOutcome::Connected, &ProbeOutcome::Refused]
        );
        let Some(EventKind::ProbeEnded {
            attempts, failed, ..
        }) = seen.last().map(|event| &event.kind)
        else {
            panic!("no sum: {seen:?}");
        };
        assert!(*attempts > *failed && *failed >= 1, "{attempts} {failed}");
        assert!(attempts - failed >= 3);
    }

    #[test]
    fn attempts_meet_neither_faults_nor_timers() {
        let delay = |ms| first_attempt(Duration::from_millis(ms)).as_millis();
        assert_eq!([10, 100, 1_000, 5_000].map(delay), [4, 45, 450, 450]);
    }

    #[test]
    fn only_loopback_and_no_interval_too_short() {
        let wrong = |target: ProbeTarget, every| Probe::new("p", &target, every, LONG).err();
        let connect = |address: &str| ProbeTarget::Connect(address.to_owned());
        assert!(wrong(connect("192.0.2.1:80"), EVERY).is_some());
        assert!(wrong(connect("localhost"), EVERY).is_some());
        assert!(wrong(ProbeTarget::Get("127.0.0.1:80".to_owned()), EVERY).is_some());
        assert!(wrong(connect("127.0.0.1:80"), Duration::ZERO).is_some());
    }
}

//! Talks to QEMU's monitor: QMP, one JSON object a line, on QEMU's standard input and output
//! (QEMU documentation, interop/qmp-spec).

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The monitor answers at once, except on a machine that hardly gives QEMU any time.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

/// How long to wait between two questions after a migration. Saving and loading the device state take about ten
/// milliseconds.
const MIGRATION_POLL: Duration = Duration::from_micros(500);

/// How many commands there have been. A QEMU that is copied may still owe its original an answer, so no two commands have the same number.
static COMMANDS: AtomicU64 = AtomicU64::new(1);

pub(crate) struct Qmp {
    to_qemu: ChildStdin,
    from_qemu: Receiver<Value>,
    events: Vec<String>,
    guest_ended: bool,
    /// The version in QEMU's greeting.
    version: Option<String>,
}

/// Why the monitor did not answer.
#[derive(Debug)]
pub(crate) enum QmpError {
    /// The deadline passed.
    TimedOut,
    /// QEMU is gone.
    Gone,
    /// QEMU is gone because the guest powered itself off, rebooted or panicked.
    GuestEnded,
    /// QEMU refused the command.
    Refused(String),
}

impl Qmp {
    pub(crate) fn connect(to_qemu: ChildStdin, from_qemu: ChildStdout) -> Result<Qmp, QmpError> {
        let mut qmp = Qmp::of_pipes(to_qemu, from_qemu, None);
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// A monitor at the other end of these pipes that takes commands already, because it was connected to before it was copied.
    pub(crate) fn of_pipes(
        to_qemu: ChildStdin,
        from_qemu: ChildStdout,
        version: Option<String>,
    ) -> Qmp {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(from_qemu).lines().map_while(Result::ok) {
                let Ok(message) = serde_json::from_str(&line) else {
                    continue;
                };
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        Qmp {
            to_qemu,
            from_qemu: receiver,
            events: Vec::new(),
            guest_ended: false,
            version,
        }
    }

    /// Sends a command whose answer nobody waits for. Returns its number.
    pub(crate) fn send(&mut self, command: &str, arguments: Value) -> Result<u64, QmpError> {
        let number = COMMANDS.fetch_add(1, Ordering::Relaxed);
        let message = json!({ "execute": command, "arguments": arguments, "id": number });
        writeln!(self.to_qemu, "{message}").map_err(|_| QmpError::Gone)?;
        Ok(number)
    }

    /// Runs a command and returns its result.
    pub(crate) fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, QmpError> {
        let number = self.send(command, arguments)?;
        let deadline = Instant::now() + ANSWER_DEADLINE;
        loop {
            let answer = self.receive(deadline)?;
            if answer.get("id").is_some_and(|id| *id != number) {
                continue;
            }
            if let Some(result) = answer.get("return") {
                return Ok(result.clone());
            }
            if let Some(error) = answer.get("error") {
                return Err(QmpError::Refused(format!("{command}: {error}")));
            }
            self.note_event(&answer);
        }
    }

    /// QEMU's version, e.g. `7.2.22`.
    pub(crate) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Waits until an event with this name has arrived, even before this call.
    pub(crate) fn wait_for(&mut self, event: &str, deadline: Instant) -> Result<(), QmpError> {
        loop {
            if let Some(index) = self.events.iter().position(|name| name == event) {
                self.events.remove(index);
                return Ok(());
            }
            let message = self.receive(deadline)?;
            self.note_event(&message);
        }
    }

    /// Waits until a migration, in or out, has completed successfully.
    pub(crate) fn finish_migration(&mut self) -> Result<(), QmpError> {
        let deadline = Instant::now() + ANSWER_DEADLINE;
        while Instant::now() < deadline {
            let answer = self.execute("query-migrate", json!({}))?;
            match answer.get("status").and_then(Value::as_str) {
                Some("completed") => return Ok(()),
                Some("failed") => return Err(QmpError::Refused(answer.to_string())),
                _ => std::thread::sleep(MIGRATION_POLL),
            }
        }
        Err(QmpError::TimedOut)
    }

    fn receive(&mut self, deadline: Instant) -> Result<Value, QmpError> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.from_qemu
            .recv_timeout(left)
            .map_err(|error| match error {
                RecvTimeoutError::Timeout => QmpError::TimedOut,
                RecvTimeoutError::Disconnected if self.guest_ended => QmpError::GuestEnded,
                RecvTimeoutError::Disconnected => QmpError::Gone,
            })
    }

    fn note_event(&mut self, message: &Value) {
        if let Some(name) = message.get("event").and_then(Value::as_str) {
            self.guest_ended |= name == "SHUTDOWN" && message["data"]["guest"] == true;
            self.events.push(name.to_owned());
        }
        if let Some(version) = message.pointer("/QMP/version/qemu") {
            let part = |name: &str| version.get(name).and_then(Value::as_u64);
            let parts = [part("major"), part("minor"), part("micro")];
            let parts: Option<Vec<u64>> = parts.into_iter().collect();
            self.version = parts.map(|parts| format!("{}.{}.{}", parts[0], parts[1], parts[2]));
        }
    }
}

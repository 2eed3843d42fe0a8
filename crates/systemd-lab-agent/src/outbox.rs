//! The way out of the guest: events, each a line of JSON that begins with a seal, through a virtio-serial port.
//!
//! The host only reads. A service that logs megabytes neither slows the lab nor hides what else
//! happened: both the log lines of a unit and the whole output are bounded.

use std::collections::BTreeMap;
use std::io::{self, Write};

use systemd_lab_protocol::event::Source;
use systemd_lab_protocol::seal::{Key, SEAL_SIZE, Sealer};
use systemd_lab_protocol::{Event, EventKind};

/// The port's device: the first port of the first virtio-serial device.
pub const EVENTS_PORT: &str = "/dev/vport0p1";

/// The kernel's driver takes at most this much per write (`port_fops_write`).
const LARGEST_WRITE: usize = 32 << 10;

/// The largest number of log lines that a timeline keeps for one unit. A service that logs ten
/// lines a second for three minutes stays below; anyone who needs more would not look at a
/// timeline.
pub const LOG_LINES_PER_UNIT: u64 = 2_000;

/// Once this much was written, only the agent's own events are still added. A unit that restarts
/// takes about 20 KiB each time, so the limit is reached after hundreds of restarts.
const LARGEST_OUTPUT: u64 = 16 << 20;

/// Collects events and writes them out in batches.
pub struct Outbox<W> {
    port: W,
    batch: Vec<u8>,
    /// Bytes so far, written or in the batch.
    total: u64,
    /// Log lines so far, by unit.
    log_lines: BTreeMap<String, u64>,
    /// Events that were left out because the output was too large.
    left_out: u64,
    /// Before there is a job there is no key, and only the agent runs.
    sealer: Option<Sealer>,
}

impl<W: Write> Outbox<W> {
    /// An outbox that writes to `port`.
    pub fn new(port: W) -> Outbox<W> {
        Outbox {
            port,
            batch: Vec::with_capacity(2 * LARGEST_WRITE),
            total: 0,
            log_lines: BTreeMap::new(),
            left_out: 0,
            sealer: None,
        }
    }

    /// From now on, seals events.
    pub fn seal_with(&mut self, key: &Key) {
        self.sealer = Some(Sealer::new(key));
    }

    /// Adds an event to the batch, unless there were too many.
    ///
    /// # Errors
    ///
    /// When the event cannot be written as JSON, which does not happen.
    pub fn push(&mut self, event: &Event) -> io::Result<()> {
        if let (EventKind::Log { .. }, Some(unit)) = (&event.kind, &event.unit) {
            // Not `entry()`: it would copy the name each time.
            let lines = match self.log_lines.get_mut(unit) {
                Some(lines) => lines,
                None => self.log_lines.entry(unit.clone()).or_default(),
            };
            *lines += 1;
            if *lines > LOG_LINES_PER_UNIT {
                return Ok(());
            }
        }
        let is_own = matches!(event.source, Source::Agent | Source::Properties);
        if self.total > LARGEST_OUTPUT && !is_own {
            self.left_out += 1;
            return Ok(());
        }
        let before = self.batch.len();
        if self.sealer.is_some() {
            self.batch.extend([0; SEAL_SIZE]);
        }
        serde_json::to_writer(&mut self.batch, event)?;
        if let Some(sealer) = &mut self.sealer {
            let (seal, json) = self.batch[before..].split_at_mut(SEAL_SIZE);
            seal.copy_from_slice(&sealer.seal(json));
        }
        self.batch.push(b'\n');
        self.total += (self.batch.len() - before) as u64;
        Ok(())
    }

    /// Events that report what was left out: one for each unit, and one for the whole output.
    pub fn truncations(&self) -> Vec<(Option<String>, EventKind)> {
        let too_many = |lines: u64| lines.saturating_sub(LOG_LINES_PER_UNIT);
        let units = self
            .log_lines
            .iter()
            .map(|(unit, &lines)| (Some(unit.clone()), too_many(lines)));
        units
            .chain([(None, self.left_out)])
            .filter(|&(_, lines)| lines > 0)
            .map(|(unit, lines)| (unit, EventKind::LogTruncated { lines }))
            .collect()
    }

    /// Writes the batch out.
    ///
    /// # Errors
    ///
    /// When the port does not accept it.
    pub fn flush(&mut self) -> io::Result<()> {
        for piece in self.batch.chunks(LARGEST_WRITE) {
            self.port.write_all(piece)?;
        }
        self.batch.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(unit: &str) -> Event {
        Event {
            at_us: 1,
            unit: Some(unit.into()),
            source: Source::Journal(Default::default()),
            kind: EventKind::Log {
                priority: 6,
                message: "x".repeat(100),
            },
        }
    }

    #[test]
    fn a_batch_is_lines_of_json() {
        let mut outbox = Outbox::new(Vec::new());
        outbox.push(&log("a.service")).expect("it is JSON");
        outbox.push(&log("b.service")).expect("it is JSON");
        outbox.flush().expect("a Vec takes all");
        let text = String::from_utf8(outbox.port).expect("it is text");
        let events: Vec<Event> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("it is an event"))
            .collect();
        assert_eq!(events, [log("a.service"), log("b.service")]);
    }

    #[test]
    fn each_line_has_its_seal() {
        let key = Key::new([7; 16]);
        let mut outbox = Outbox::new(Vec::new());
        outbox.seal_with(&key);
        for unit in ["a.service", "b.service"] {
            outbox.push(&log(unit)).expect("it is JSON");
            outbox.flush().expect("a Vec takes all");
        }
        let mut sealer = Sealer::new(&key);
        let lines = outbox.port.split(|byte| *byte == b'\n');
        let opened: Vec<Event> = lines
            .filter_map(|line| serde_json::from_slice(sealer.open(line)?).ok())
            .collect();
        assert_eq!(opened, [log("a.service"), log("b.service")]);
    }

    #[test]
    fn writes_are_bounded() {
        struct Port(Vec<usize>);
        impl Write for Port {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.push(bytes.len());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut outbox = Outbox::new(Port(Vec::new()));
        for _ in 0..1000 {
            outbox.push(&log("a.service")).expect("it is JSON");
        }
        outbox.flush().expect("the port takes all");
        assert!(outbox.port.0.len() > 1);
        assert!(outbox.port.0.iter().all(|&length| length <= LARGEST_WRITE));
    }

    #[test]
    fn log_lines_are_bounded_per_unit() {
        let mut outbox = Outbox::new(Vec::new());
        for _ in 0..LOG_LINES_PER_UNIT + 7 {
            outbox.push(&log("loud.service")).expect("it is JSON");
        }
        outbox.push(&log("quiet.service")).expect("it is JSON");
        assert_eq!(
            outbox.truncations(),
            [(
                Some("loud.service".into()),
                EventKind::LogTruncated { lines: 7 }
            )]
        );
        outbox.flush().expect("a Vec takes all");
        let lines = outbox.port.iter().filter(|&&byte| byte == b'\n').count() as u64;
        assert_eq!(lines, LOG_LINES_PER_UNIT + 1);
    }

    #[test]
    fn the_whole_output_is_bounded_but_for_the_agent_itself() {
        let mut outbox = Outbox::new(io::sink());
        outbox.total = LARGEST_OUTPUT + 1;
        outbox.push(&log("a.service")).expect("it is JSON");
        assert!(outbox.batch.is_empty());
        let ended = Event {
            at_us: 2,
            unit: None,
            source: Source::Agent,
            kind: EventKind::ScenarioEnded,
        };
        outbox.push(&ended).expect("it is JSON");
        assert!(!outbox.batch.is_empty());
        assert_eq!(
            outbox.truncations(),
            [(None, EventKind::LogTruncated { lines: 1 })]
        );
    }
}

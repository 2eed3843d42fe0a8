//! When the guest is handed over to a person, and to what kind of terminal: part of the job's header.
//!
//! ```text
//! offset 16  when        u64 LE    CLOCK_MONOTONIC in microseconds; 0: at once, all ones: never
//! offset 24  rows        u16 LE
//! offset 26  columns     u16 LE
//! offset 28  TERM        36 bytes  padded with zeros
//! ```
//!
//! This part has a fixed size and place, so a run that is handed over has the same bytes everywhere else as the
//! earlier run that was not.

use std::ops::Range;

const WHEN: Range<usize> = 16..24;
const ROWS: Range<usize> = 24..26;
const COLUMNS: Range<usize> = 26..28;
const NAME: Range<usize> = 28..64;

/// The value of `when` for a job that is never handed over, and for one that is only a shell.
const NEVER: u64 = u64::MAX;
const AT_ONCE: u64 = 0;

/// The shell's profile prints this once it accepts input: "start of text" in ASCII. What the console carries before that
/// is not meant for the person.
pub const SHELL_IS_READY: u8 = 0x02;

/// When a person takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handover {
    /// The scenario runs to its end.
    Never,
    /// As soon as the job's files are written. The agent carries out no step.
    AtOnce,
    /// At this instant, in microseconds of `CLOCK_MONOTONIC`. The guest rings the doorbell, and becomes a shell
    /// when it is resumed.
    At {
        /// The instant.
        us: u64,
    },
}

impl Handover {
    fn to_number(self) -> u64 {
        match self {
            Handover::Never => NEVER,
            Handover::AtOnce => AT_ONCE,
            // An instant whose value happens to mean "never" or "at once": use the nearest other one.
            Handover::At { us } => us.clamp(AT_ONCE + 1, NEVER - 1),
        }
    }

    pub(crate) fn write_never(header: &mut [u8]) {
        header[WHEN].copy_from_slice(&NEVER.to_le_bytes());
    }

    /// Reads the handover from a job. A memory that is too short for one means never.
    pub fn read(memory: &[u8]) -> Handover {
        let number = memory.get(WHEN).and_then(|bytes| bytes.try_into().ok());
        match number.map_or(NEVER, u64::from_le_bytes) {
            NEVER => Handover::Never,
            AT_ONCE => Handover::AtOnce,
            us => Handover::At { us },
        }
    }
}

/// The terminal that a person sits at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    /// Its kind, as in the variable `TERM`: see terminfo(5).
    pub name: String,
    /// Height in characters.
    pub rows: u16,
    /// Width in characters.
    pub columns: u16,
}

impl Default for Terminal {
    /// The terminal that a pipe counts as: no colours, 24 lines of 80 characters.
    fn default() -> Terminal {
        Terminal {
            name: "dumb".into(),
            rows: 24,
            columns: 80,
        }
    }
}

impl Terminal {
    /// Writes the terminal and the handover into the header of an encoded job.
    pub fn write(&self, when: Handover, job: &mut [u8]) {
        job[WHEN].copy_from_slice(&when.to_number().to_le_bytes());
        job[ROWS].copy_from_slice(&self.rows.to_le_bytes());
        job[COLUMNS].copy_from_slice(&self.columns.to_le_bytes());
        let name = if is_usual(&self.name) {
            &self.name
        } else {
            &Terminal::default().name
        };
        job[NAME].fill(0);
        job[NAME][..name.len()].copy_from_slice(name.as_bytes());
    }

    /// Reads the terminal from a job; the default if there is none.
    pub fn read(memory: &[u8]) -> Terminal {
        let default = Terminal::default();
        let number = |place: Range<usize>, default: u16| {
            let bytes = memory.get(place).and_then(|bytes| bytes.try_into().ok());
            match bytes.map_or(0, u16::from_le_bytes) {
                0 => default,
                number => number,
            }
        };
        let name = memory.get(NAME).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        Terminal {
            name: if is_usual(&name) { name } else { default.name },
            rows: number(ROWS, default.rows),
            columns: number(COLUMNS, default.columns),
        }
    }
}

/// Names in terminfo look like this. Anything else would have to be quoted in a unit file.
fn is_usual(name: &str) -> bool {
    let usual = |c: char| c.is_ascii_alphanumeric() || "-+._".contains(c);
    !name.is_empty() && name.len() <= NAME.len() && name.chars().all(usual)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Job, Scenario};

    fn job() -> Vec<u8> {
        Job::encode(&Scenario::default(), &[], &Default::default()).expect("it fits")
    }

    #[test]
    fn an_ordinary_job_is_handed_over_never() {
        assert_eq!(Handover::read(&job()), Handover::Never);
        assert_eq!(Handover::read(&[]), Handover::Never);
        assert_eq!(Terminal::read(&job()), Terminal::default());
    }

    #[test]
    fn what_is_written_is_read_back_and_nothing_else_changes() {
        let terminal = Terminal {
            name: "xterm-256color".into(),
            rows: 50,
            columns: 132,
        };
        for when in [Handover::AtOnce, Handover::At { us: 37_123_456 }] {
            let mut job = job();
            terminal.write(when, &mut job);
            assert_eq!(Handover::read(&job), when);
            assert_eq!(Terminal::read(&job), terminal);
            assert_eq!(Job::decode(&job), Job::decode(&self::job()));
        }
    }

    #[test]
    fn a_bad_name_becomes_the_simplest_terminal() {
        for name in ["", "a b", "%n\nExecStart=", &"x".repeat(37)] {
            let mut job = job();
            let terminal = Terminal {
                name: name.into(),
                ..Terminal::default()
            };
            terminal.write(Handover::AtOnce, &mut job);
            assert_eq!(Terminal::read(&job).name, "dumb");
        }
    }
}

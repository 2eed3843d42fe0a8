//! How a guest ended by itself, according to the last words on its console.
//!
//! By then, the agent is gone or had no time to report: reboot(2) takes effect at once. The kernel says how and when it
//! ends: its messages carry the time since boot, which differs from `CLOCK_MONOTONIC` only by microseconds.

use systemd_lab_protocol::event::{MachineEnd, Source};
use systemd_lab_protocol::{Event, EventKind};

use crate::image::AGENT_ENDED;

/// What the kernel prints at the end (kernel/reboot.c, kernel/panic.c, drivers/tty/sysrq.c), and what the lab's own unit
/// prints when its agent is gone.
const LAST_WORDS: [(&str, MachineEnd); 6] = [
    (AGENT_ENDED, MachineEnd::AgentEnded),
    ("Kernel panic - not syncing: ", MachineEnd::Panicked),
    ("reboot: Restarting system", MachineEnd::Rebooted),
    ("sysrq: Resetting", MachineEnd::Rebooted),
    ("reboot: Power down", MachineEnd::PoweredOff),
    ("reboot: System halted", MachineEnd::Halted),
];

/// The unit that systemd starts to end all processes, including the agent, and to begin again with the same
/// kernel: systemd-soft-reboot.service(8).
const SOFT_REBOOT: &str = "systemd-soft-reboot.service";

/// Whether the kernel has halted the processor: the machine still exists, but nothing will ever happen.
pub(super) fn is_halted(console: &str) -> bool {
    matches!(find(console), Some((MachineEnd::Halted, ..)))
}

/// The event that says how the machine ended after these events, if its console shows it.
pub(super) fn of(console: &str, events: &[Event]) -> Option<Event> {
    let (mut how, message, printed_us) = find(console)?;
    // The kernel keeps running in this case, and prints nothing about it.
    if how == MachineEnd::AgentEnded && events.iter().any(|event| event.is_about(SOFT_REBOOT)) {
        how = MachineEnd::SoftRebooted;
    }
    let last_us = events.iter().map(|event| event.at_us).max();
    Some(Event {
        at_us: printed_us.max(last_us).unwrap_or_default(),
        unit: None,
        source: Source::Console,
        kind: EventKind::MachineEnded { how, message },
    })
}

/// How it ended, the words, and the time: microseconds since boot.
fn find(console: &str) -> Option<(MachineEnd, String, Option<u64>)> {
    // The words are in order of their weight: a panic reboots, and a missing agent powers off.
    LAST_WORDS.iter().find_map(|(words, how)| {
        let mut lines = console.lines().skip_while(|line| !line.contains(words));
        let (stamp_us, message) = parts(lines.next()?);
        let message = match how {
            // systemd has reset the terminal in the same line.
            MachineEnd::AgentEnded => words,
            _ => message.strip_prefix("reboot: ").unwrap_or(message),
        };
        // Other lines have no stamp, but the kernel has the last word.
        let at_us = stamp_us.or_else(|| lines.find_map(|line| parts(line).0));
        Some((*how, message.to_owned(), at_us))
    })
}

/// When the kernel printed the line, if it was the kernel, and the message.
fn parts(line: &str) -> (Option<u64>, &str) {
    let line = line.trim();
    match line.strip_prefix('[').and_then(|it| it.split_once("] ")) {
        Some((stamp, message)) => (microseconds(stamp.trim()), message),
        None => (None, line),
    }
}

/// `65.144077`, the kernel's format for seconds.
fn microseconds(stamp: &str) -> Option<u64> {
    let (seconds, fraction) = stamp.split_once('.')?;
    let seconds: u64 = seconds.parse().ok()?;
    let fraction: u64 = fraction.parse().ok()?;
    Some(seconds * 1_000_000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_last_words_say_how_and_when() {
        for (console, how, message, us) in [
            (
                "[   65.144077] reboot: Restarting system\r\n",
                MachineEnd::Rebooted,
                "Restarting system",
                Some(65_144_077),
            ),
            (
                "[   65.1] sysrq: Trigger a crash\r\n[   65.000002] Kernel panic - not syncing: sysrq triggered crash\r\n[ 65.3] CPU: 0\r\n",
                MachineEnd::Panicked,
                "Kernel panic - not syncing: sysrq triggered crash",
                Some(65_000_002),
            ),
            (
                "the agent of the lab has ended\r\n[   65.400000] reboot: Power down\r\n",
                MachineEnd::AgentEnded,
                "the agent of the lab has ended",
                Some(65_400_000),
            ),
        ] {
            assert_eq!(find(console), Some((how, message.to_owned(), us)));
        }
        assert_eq!(find("[    1.0] systemd[1]: hello\r\n"), None);
        assert!(is_halted("[   65.4] reboot: System halted\r\n"));
        assert!(!is_halted("[   65.4] reboot: Power down\r\n"));
    }
}

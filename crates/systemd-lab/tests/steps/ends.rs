//! Services that end the machine: a normal outcome, whose timeline says how and when the machine
//! ended.

use std::time::Duration;

use systemd_lab::protocol::event::MachineEnd;
use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{GuestFile, Timeline};

use crate::support::{UNIT, run};

/// When the services below end the machine, after their start.
const WHEN: Duration = Duration::from_secs(5);

/// Longer than systemd needs to end everything.
const LATER: Duration = Duration::from_secs(60);

/// Runs a unit that ends the machine.
fn ended(text: &str) -> (Timeline, MachineEnd, String) {
    let file = GuestFile::text(format!("/etc/systemd/system/{UNIT}"), text);
    let scenario = Scenario::new("the end")
        .start(UNIT)
        .sleep(LATER)
        .observe(UNIT);
    let timeline = run(&scenario, &[file]);
    let last_two = timeline.events().iter().rev().take(2);
    let last_two: Vec<&EventKind> = last_two.map(|event| &event.kind).collect();
    let [
        EventKind::ScenarioEnded,
        EventKind::MachineEnded { how, message },
    ] = last_two[..]
    else {
        panic!("it did not end: {last_two:?}");
    };
    let (how, message) = (*how, message.clone());
    let end = timeline.time_of(&timeline.events()[timeline.events().len() - 1]);
    assert!(
        (WHEN..WHEN + Duration::from_secs(2)).contains(&end),
        "{end:?}"
    );
    (timeline, how, message)
}

fn doing(command: &str) -> String {
    format!("[Service]\nExecStart=/bin/sh -c 'sleep 5; {command}; sleep 100'\n")
}

fn failing(action: &str) -> String {
    format!("[Unit]\nFailureAction={action}\n[Service]\nExecStart=/bin/sh -c 'sleep 5; exit 3'\n")
}

#[test]
fn a_failure_action_reboots_or_powers_off() {
    for (action, how, said) in [
        ("reboot", MachineEnd::Rebooted, "Rebooting: "),
        ("reboot-force", MachineEnd::Rebooted, "Forcibly rebooting: "),
        ("poweroff", MachineEnd::PoweredOff, "Powering off: "),
        (
            "poweroff-force",
            MachineEnd::PoweredOff,
            "Forcibly powering off: ",
        ),
    ] {
        let (timeline, ended, _) = ended(&failing(action));
        assert_eq!(ended, how, "{action}");
        let expected = format!("{said}unit {UNIT} failed");
        let is_said = timeline.of(UNIT).any(|event| {
            matches!(&event.kind, EventKind::Manager { message, .. } if *message == expected)
        });
        assert!(is_said, "{action}: {expected}");
    }
}

/// reboot(2) leaves no time for a report.
#[test]
fn an_immediate_action_is_seen_all_the_same() {
    let (_, how, _) = ended(&failing("reboot-immediate"));
    assert_eq!(how, MachineEnd::Rebooted);
    let (_, how, _) = ended(&failing("poweroff-immediate"));
    assert_eq!(how, MachineEnd::PoweredOff);
}

#[test]
fn a_process_asks_for_it() {
    for (command, how) in [
        ("systemctl reboot", MachineEnd::Rebooted),
        ("systemctl halt", MachineEnd::Halted),
        ("systemctl soft-reboot", MachineEnd::SoftRebooted),
        ("echo b >/proc/sysrq-trigger", MachineEnd::Rebooted),
        ("echo o >/proc/sysrq-trigger", MachineEnd::PoweredOff),
    ] {
        let (_, ended, _) = ended(&doing(command));
        assert_eq!(ended, how, "{command}");
    }
}

#[test]
fn the_kernel_panics() {
    let (_, how, message) = ended(&doing("echo c >/proc/sysrq-trigger"));
    assert_eq!(how, MachineEnd::Panicked);
    assert_eq!(message, "Kernel panic - not syncing: sysrq triggered crash");
}

/// The agent sees everything, so nothing is seen without it.
#[test]
fn a_process_ends_the_agent() {
    for command in ["pkill -KILL -x agent", "kill -KILL -1"] {
        let (_, how, _) = ended(&doing(command));
        assert_eq!(how, MachineEnd::AgentEnded, "{command}");
    }
}

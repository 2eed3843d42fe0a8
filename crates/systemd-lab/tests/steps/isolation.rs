//! The guest is isolated: what runs in it can reach neither a network nor the host.

use std::time::Duration;

use systemd_lab::protocol::Scenario;

use crate::commands;
use crate::support::{LONG, run};

/// Connecting fails at once, or never.
const TIMEOUT: Duration = Duration::from_secs(5);

#[test]
fn the_guest_has_no_network() {
    let run_bash =
        |scenario: Scenario, script: &str| scenario.run(&["/usr/bin/bash", "-c", script], LONG);
    let scenario = run_bash(Scenario::new("alone"), "ls /sys/class/net");
    // Class 02 is a network controller: PCI Code and ID Assignment Specification.
    let scenario = run_bash(
        scenario,
        "grep -l ^0x02 /sys/bus/pci/devices/*/class; grep -c ^0x /sys/bus/pci/devices/*/class | wc -l",
    );
    let scenario = run_bash(scenario, "cat /proc/net/route | wc -l");
    // The address that the host would have in QEMU's own network, and a machine on the Internet.
    let connect = |scenario, address: &str| {
        run_bash(
            scenario,
            &format!(
                "timeout {} bash -c 'exec 3<>/dev/tcp/{address}' 2>&1 | head -n 1",
                TIMEOUT.as_secs()
            ),
        )
    };
    let scenario = connect(connect(scenario, "10.0.2.2/22"), "192.0.2.1/80");
    let timeline = run(&scenario, &[]);
    let outputs: Vec<&str> = commands(&timeline)
        .iter()
        .map(|(_, output)| output.trim())
        .collect();
    let [interfaces, controllers, routes, host, internet] = outputs[..] else {
        panic!("{}", timeline.to_json_lines());
    };
    assert_eq!(interfaces, "lo");
    let devices: u32 = controllers.parse().expect("no controller, but devices");
    assert!(devices > 0, "the guest shows its devices");
    // Only the table's header.
    assert_eq!(routes, "1");
    for answer in [host, internet] {
        assert!(answer.ends_with("Network is unreachable"), "{answer}");
    }
}

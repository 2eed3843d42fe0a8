//! What the lab needs in the guest to see what systemd does, and so what no unit and no file of a scenario may replace.

/// The unit that the lab runs before the snapshot, to see that it sees.
pub const REHEARSAL: &str = "systemd-lab-rehearsal.service";

/// Units of the lab itself. No user wants a unit of these names.
pub const LAB_UNITS: [&str; 5] = [
    "systemd-lab-agent.service",
    "systemd-lab-packages.service",
    REHEARSAL,
    "systemd-lab-shell.service",
    "systemd-lab.target",
];

/// Units of the journal, which the lab reads. What they do is not part of a timeline.
pub const JOURNAL_UNITS: [&str; 4] = [
    "systemd-journald.service",
    "systemd-journald.socket",
    "systemd-journald-dev-log.socket",
    "systemd-journald-audit.socket",
];

/// Templates of the journal: those of other namespaces.
const JOURNAL_TEMPLATES: [&str; 3] = [
    "systemd-journald",
    "systemd-journald-sync",
    "systemd-journald-varlink",
];

/// Whether a unit of this name is the lab's or the journal's own.
pub fn is_own_unit(unit: &str) -> bool {
    let template = unit.split_once('@').map(|(template, _)| template);
    LAB_UNITS.contains(&unit)
        || JOURNAL_UNITS.contains(&unit)
        || template.is_some_and(|it| JOURNAL_TEMPLATES.contains(&it))
}

/// Settings that take from the lab what it sees: systemd logs nothing about a unit above its `LogLevelMax=`, not even at debug
/// level, and what a unit in another `LogNamespace=` logs is in another journal.
pub const BLINDING_SETTINGS: [&str; 2] = ["LogLevelMax", "LogNamespace"];

/// The drop-in that takes these settings back. Drop-ins are read in the order of their names, whatever folders they are in: a
/// tilde comes last in ASCII. systemd.unit(5), "Description".
pub const DROP_IN: &str = "~systemd-lab.conf";

/// Where a drop-in for all units of a type is, with the section that the settings belong in: all types that have them.
const TYPES: [(&str, &str); 4] = [
    ("service", "Service"),
    ("socket", "Socket"),
    ("mount", "Mount"),
    ("swap", "Swap"),
];

/// The drop-ins, for all units: path in the guest, and text.
pub fn drop_ins() -> impl Iterator<Item = (String, String)> {
    TYPES.iter().map(|(kind, section)| {
        let path = format!("/run/systemd/system/{kind}.d/{DROP_IN}");
        let text = format!(
            "# The lab sees what systemd does by systemd's own log.\n[{section}]\nLogLevelMax=debug\nLogNamespace=\n"
        );
        (path, text)
    })
}

//! What the lab needs in the guest to see what systemd does. No unit and no file of a scenario may replace it.

/// The unit that the lab runs before the snapshot, to check that it sees.
pub const REHEARSAL: &str = "systemd-lab-rehearsal.service";

/// The lab's own units. No user would choose these names.
pub const LAB_UNITS: [&str; 5] = [
    "systemd-lab-agent.service",
    "systemd-lab-packages.service",
    REHEARSAL,
    "systemd-lab-shell.service",
    "systemd-lab.target",
];

/// Units of the journal, which the lab reads. A timeline leaves out what they do.
pub const JOURNAL_UNITS: [&str; 4] = [
    "systemd-journald.service",
    "systemd-journald.socket",
    "systemd-journald-dev-log.socket",
    "systemd-journald-audit.socket",
];

/// Templates of the journal, for other namespaces.
const JOURNAL_TEMPLATES: [&str; 3] = [
    "systemd-journald",
    "systemd-journald-sync",
    "systemd-journald-varlink",
];

/// Whether a unit with this name belongs to the lab or to the journal.
pub fn is_own_unit(unit: &str) -> bool {
    let template = unit.split_once('@').map(|(template, _)| template);
    LAB_UNITS.contains(&unit)
        || JOURNAL_UNITS.contains(&unit)
        || template.is_some_and(|it| JOURNAL_TEMPLATES.contains(&it))
}

/// Settings that blind the lab. systemd logs nothing about a unit above its `LogLevelMax=`, not even at debug level. What
/// systemd logs about a unit in another `LogNamespace=` goes to another journal.
pub const BLINDING_SETTINGS: [&str; 2] = ["LogLevelMax", "LogNamespace"];

/// The drop-in that overrides these settings. systemd reads drop-ins in the order of their names, whatever folders they are
/// in: a tilde sorts last in ASCII. systemd.unit(5), "Description".
pub const DROP_IN: &str = "~systemd-lab.conf";

/// Where a drop-in for all units of a type is stored, and the section that the settings belong in, for all types that have the
/// settings.
const TYPES: [(&str, &str); 4] = [
    ("service", "Service"),
    ("socket", "Socket"),
    ("mount", "Mount"),
    ("swap", "Swap"),
];

/// The drop-ins for all units: path in the guest, and text.
pub fn drop_ins() -> impl Iterator<Item = (String, String)> {
    TYPES.iter().map(|(kind, section)| {
        let path = format!("/run/systemd/system/{kind}.d/{DROP_IN}");
        let text = format!(
            "# The lab sees what systemd does by systemd's own log.\n[{section}]\nLogLevelMax=debug\nLogNamespace=\n"
        );
        (path, text)
    })
}

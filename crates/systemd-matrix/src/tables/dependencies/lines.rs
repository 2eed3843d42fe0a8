//! The rows: what the other unit is like, what is done to it, and what the manual says of each setting.
//!
//! Each row quotes the sentences from which it follows: of systemd.unit(5) of systemd 257, unless it names another page. In 252,
//! `BindsTo=` is described in other words, the rate limit of `Upholds=` is not mentioned, and there is no `RestartMode=`; the
//! rest is the same. The manual compares settings with each other: `Requisite=` and `BindsTo=` are like `Requires=`, `PartOf=` is
//! like it "but limited to stopping and restarting of units", and `Upholds=` is like `Wants=`.

use systemd_lab::names::{SIGKILL, SIGTERM};

use crate::group::Action;

/// How a unit depends on the other one, each with the beginning of its units' names. `After=` is always set, too.
pub(super) const SETTINGS: [(&str, &str); 6] = [
    ("Requires=", "requires"),
    ("Requisite=", "requisite"),
    ("BindsTo=", "binds-to"),
    ("PartOf=", "part-of"),
    ("Wants=", "wants"),
    ("Upholds=", "upholds"),
];

// The possible texts of a cell.
pub(super) const NOT_STARTED: &str = "not started";
pub(super) const STARTS_BOTH: &str = "starts both";
pub(super) const STARTS_ALONE: &str = "starts";
pub(super) const STARTS_TWICE: &str = "starts twice";
pub(super) const RETRIES_IT: &str = "retries it";
pub(super) const WAITS: &str = "waits";
pub(super) const RUNS_ON: &str = "runs on";
pub(super) const STARTS_IT: &str = "starts it";
pub(super) const STOPPED: &str = "stopped";
pub(super) const RESTARTED: &str = "restarted";

/// A row before it is measured.
pub(super) struct Line {
    pub(super) label: &'static str,
    pub(super) stem: &'static str,
    pub(super) means: &'static str,
    pub(super) other: Other,
    /// `RestartMode=` of the other unit, if systemd should restart it.
    pub(super) mode: Option<&'static str>,
    /// `Restart=` of the unit itself.
    pub(super) restart: &'static str,
    /// What is done to the other unit.
    pub(super) action: Action,
    /// What the manual says of each setting.
    pub(super) manual: [&'static str; SETTINGS.len()],
}

/// The state of the other unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Other {
    /// Only the unit starts it.
    IsDown,
    /// It is started together with the unit, and each of its starts fails.
    Fails,
    /// The same, and only the first start fails.
    FailsOnce,
    /// It is started together with the unit, and ends with this `Result` afterwards.
    Ends(&'static str),
}

/// `Requires=`: "If this unit gets activated, the units listed will be activated as well." `Wants=`: "Units listed in this option
/// will be started if the configuring unit is." `Requisite=`: "if the units listed here are not started already, they will not be
/// started and the starting of this unit will fail immediately".
const IS_DOWN: Line = Line {
    label: "is down",
    stem: "down",
    means: "the unit alone is started",
    other: Other::IsDown,
    mode: None,
    restart: "no",
    action: Action::Nothing,
    manual: [
        STARTS_BOTH,
        NOT_STARTED,
        STARTS_BOTH,
        STARTS_ALONE,
        STARTS_BOTH,
        STARTS_BOTH,
    ],
};

/// `Requires=`: "If one of the other units fails to activate, and an ordering dependency After= on the failing unit is set, this
/// unit will not be started." `Wants=`: "if the listed units fail to start [...], this unit will still be started". `Upholds=`: "as
/// long as this unit is up, all units listed in Upholds= are started whenever found to be inactive or failed [...]. The restart
/// happens without delay, and usual per-unit rate-limit applies."
const FAILS: Line = Line {
    label: "fails at start",
    stem: "fails",
    means: "both are started together, and the other unit's start fails",
    other: Other::Fails,
    manual: [
        NOT_STARTED,
        NOT_STARTED,
        NOT_STARTED,
        STARTS_ALONE,
        STARTS_ALONE,
        RETRIES_IT,
    ],
    ..IS_DOWN
};

/// systemd.service(5): with `normal`, "the service restarts by going through a failed/inactive state", so it is as in [`FAILS`].
/// `PartOf=`: "When systemd stops or restarts the units listed here, the action is propagated to this unit."
const FAILS_ONCE: Line = Line {
    label: "fails, `normal`",
    stem: "fails-normal",
    means: "the same, and the other unit is restarted with `RestartMode=normal`",
    other: Other::FailsOnce,
    mode: Some("normal"),
    manual: [
        NOT_STARTED,
        NOT_STARTED,
        NOT_STARTED,
        STARTS_TWICE,
        STARTS_ALONE,
        STARTS_ALONE,
    ],
    ..FAILS
};

/// systemd.service(5): with `direct`, "the service transitions to the activating state directly during auto-restart", and
/// "dependent units are not notified of these temporary failures". `After=`: "the listed unit is fully started up before the
/// configured unit is started".
const FAILS_ONCE_DIRECT: Line = Line {
    label: "fails, `direct`",
    stem: "fails-direct",
    means: "the same with `RestartMode=direct`",
    mode: Some("direct"),
    manual: [WAITS; SETTINGS.len()],
    ..FAILS_ONCE
};

/// `Requires=`: "this unit will be stopped (or restarted) if one of the other units is explicitly stopped (or restarted)"; that a
/// unit deactivates on its own "is not propagated to units having a Requires= dependency". `BindsTo=`: "it also does so when a
/// listed unit stops unexpectedly (which includes when it fails)". `Wants=` "has a one-time effect".
const KILLED: Line = Line {
    label: "is killed",
    stem: "killed",
    means: "both run, and the other unit's main process gets SIGKILL",
    other: Other::Ends("signal"),
    action: Action::Signal(SIGKILL),
    manual: [RUNS_ON, RUNS_ON, STOPPED, RUNS_ON, RUNS_ON, STARTS_IT],
    ..IS_DOWN
};

/// An automatic restart is not an explicit one, which `Requires=` speaks of; `PartOf=` speaks of each restart by systemd. `BindsTo=`
/// with `After=`: "the unit bound to strictly has to be in active state for this unit to also be in active state".
const KILLED_NORMAL: Line = Line {
    label: "killed, `normal`",
    stem: "killed-normal",
    means: "the same, and the other unit is restarted with `RestartMode=normal`",
    mode: Some("normal"),
    manual: [RUNS_ON, RUNS_ON, STOPPED, RESTARTED, RUNS_ON, RUNS_ON],
    ..KILLED
};

/// systemd.service(5): "Dependent units are not notified of these temporary failures."
const KILLED_DIRECT: Line = Line {
    label: "killed, `direct`",
    stem: "killed-direct",
    means: "the same with `RestartMode=direct`",
    mode: Some("direct"),
    manual: [RUNS_ON; SETTINGS.len()],
    ..KILLED
};

/// As [`KILLED`]: "a service process may decide to exit cleanly", and "the main process of a service unit might terminate on its own
/// choice".
const ENDS: Line = Line {
    label: "ends by itself",
    stem: "ends",
    means: "both run, and the other unit's main process ends cleanly",
    other: Other::Ends("success"),
    action: Action::Signal(SIGTERM),
    ..KILLED
};

/// "Explicitly stopped": see [`KILLED`]. `Upholds=`: see [`FAILS`].
const IS_STOPPED: Line = Line {
    label: "`systemctl stop`",
    stem: "stopped",
    means: "both run, and the other unit is stopped",
    other: Other::Ends("success"),
    action: Action::Stop,
    manual: [STOPPED, STOPPED, STOPPED, STOPPED, RUNS_ON, STARTS_IT],
    ..IS_DOWN
};

/// systemd.service(5), `Restart=`: "When the death of the process is a result of systemd operation (e.g. service stop or restart),
/// the service will not be restarted."
const IS_STOPPED_ALWAYS: Line = Line {
    label: "stop, `always`",
    stem: "stopped-always",
    means: "the same, and the unit itself has `Restart=always`",
    restart: "always",
    ..IS_STOPPED
};

/// "Explicitly restarted": see [`KILLED`]. `Upholds=` starts a unit only if "no job is queued" for it.
const IS_RESTARTED: Line = Line {
    label: "`systemctl restart`",
    stem: "restarted",
    means: "both run, and the other unit is restarted",
    action: Action::Restart,
    manual: [RESTARTED, RESTARTED, RESTARTED, RESTARTED, RUNS_ON, RUNS_ON],
    ..IS_STOPPED
};

/// In the order of the table.
pub(super) const LINES: [Line; 11] = [
    IS_DOWN,
    FAILS,
    FAILS_ONCE,
    FAILS_ONCE_DIRECT,
    KILLED,
    KILLED_NORMAL,
    KILLED_DIRECT,
    ENDS,
    IS_STOPPED,
    IS_STOPPED_ALWAYS,
    IS_RESTARTED,
];

//! What the agent asks systemd: the methods behind `systemctl`, org.freedesktop.systemd1(5).
//!
//! Each call of a scenario uses its own connection. systemd sends its signals to every open private connection, and logs each of
//! them at debug level: one that stayed open would fill the journal. But a new connection costs systemd ten million instructions, to
//! register all its objects and methods there. So the first connections are made before the snapshot ([`connect_ahead`]), and all
//! questions after the scenario share one ([`Questions`]).

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use systemd_lab_protocol::scenario::Whom;

use crate::dbus::{Argument, CallError, Connection, Method};

/// systemd's own socket, for root only; the guest has no bus.
const PRIVATE_SOCKET: &str = "/run/systemd/private";

const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const PEER: &str = "org.freedesktop.DBus.Peer";

/// How long a call may take. systemd answers within milliseconds, unless it is too busy: notifications come first, and a service may
/// send them without a pause. sd-bus waits just as long (`BUS_DEFAULT_TIMEOUT`), so `systemctl` would give up then, too.
const LONGEST_CALL: Duration = Duration::from_secs(25);

/// systemd's mode for a job that replaces a conflicting one: the default of `systemctl`.
const JOB_MODE: &str = "replace";

/// What to do with a unit, as a queued job.
#[derive(Debug, Clone, Copy)]
pub enum JobType {
    /// `systemctl start`
    Start,
    /// `systemctl stop`
    Stop,
    /// `systemctl restart`
    Restart,
    /// `systemctl reload`
    Reload,
}

/// Queues a job for a unit, and does not wait for it.
///
/// # Errors
///
/// [`CallError::Refused`] e.g. when the unit does not exist or its file is bad.
pub fn queue_job(job: JobType, unit: &str) -> Result<(), CallError> {
    let member = match job {
        JobType::Start => "StartUnit",
        JobType::Stop => "StopUnit",
        JobType::Restart => "RestartUnit",
        JobType::Reload => "ReloadUnit",
    };
    manager(member, &[Argument::Text(unit), Argument::Text(JOB_MODE)])
}

/// `systemctl reboot`, which is this job if there is no logind: nothing can cancel it.
///
/// # Errors
///
/// [`CallError::Refused`] when systemd is already shutting down.
pub fn reboot() -> Result<(), CallError> {
    let arguments = [
        Argument::Text("reboot.target"),
        Argument::Text("replace-irreversibly"),
    ];
    manager("StartUnit", &arguments)
}

/// `systemctl reset-failed UNIT`.
///
/// # Errors
///
/// [`CallError::Refused`] when the unit is not loaded.
pub fn reset_failed(unit: &str) -> Result<(), CallError> {
    manager("ResetFailedUnit", &[Argument::Text(unit)])
}

/// `systemctl enable UNIT`, including the reload that follows.
///
/// # Errors
///
/// [`CallError::Refused`] when the unit does not exist or has no `[Install]` section.
pub fn enable(unit: &str) -> Result<(), CallError> {
    let arguments = [
        Argument::Texts(&[unit]),
        Argument::Bool(false), // not only until the next boot
        Argument::Bool(false), // do not replace other links
    ];
    manager("EnableUnitFiles", &arguments)?;
    reload()
}

/// `systemctl disable UNIT`, including the reload that follows.
///
/// # Errors
///
/// [`CallError::Refused`] when systemd cannot remove the links.
pub fn disable(unit: &str) -> Result<(), CallError> {
    let arguments = [Argument::Texts(&[unit]), Argument::Bool(false)];
    manager("DisableUnitFiles", &arguments)?;
    reload()
}

/// `systemctl daemon-reload`. Returns when systemd has read all unit files again.
///
/// # Errors
///
/// [`CallError::Refused`] when systemd is reloading already.
pub fn reload() -> Result<(), CallError> {
    manager("Reload", &[])
}

/// `systemctl kill --kill-whom=WHOM --signal=SIGNAL UNIT`.
///
/// # Errors
///
/// [`CallError::Refused`] when the unit has no such process.
pub fn kill(unit: &str, whom: Whom, signal: i32) -> Result<(), CallError> {
    let whom = match whom {
        Whom::Main => "main",
        Whom::All => "all",
    };
    let arguments = [
        Argument::Text(unit),
        Argument::Text(whom),
        Argument::Int(signal),
    ];
    manager("KillUnit", &arguments)
}

/// `systemctl freeze UNIT`. Returns when all processes of the unit stand still.
///
/// # Errors
///
/// [`CallError::Refused`] when the unit is not active.
pub fn freeze(unit: &str) -> Result<(), CallError> {
    manager("FreezeUnit", &[Argument::Text(unit)])
}

/// `systemctl thaw UNIT`.
///
/// # Errors
///
/// [`CallError::Refused`] when the unit is not active.
pub fn thaw(unit: &str) -> Result<(), CallError> {
    manager("ThawUnit", &[Argument::Text(unit)])
}

/// How many connections are made ahead: few scenarios make more calls in their first 90 s.
const CONNECTIONS: usize = 5;

/// The connections made ahead, for the next calls.
static AHEAD: Mutex<Vec<Connection>> = Mutex::new(Vec::new());

/// Makes the connections for the next calls, which may come much later. systemd closes those on which nothing is sent within 90 s, and a
/// call that finds none makes its own.
///
/// # Errors
///
/// When systemd does not listen.
pub fn connect_ahead() -> io::Result<()> {
    let mut ahead = AHEAD.lock().unwrap_or_else(PoisonError::into_inner);
    while ahead.len() < CONNECTIONS {
        ahead.push(Connection::open(Path::new(PRIVATE_SOCKET))?);
    }
    Ok(())
}

fn connect(deadline: Duration) -> Result<Connection, CallError> {
    let next = || AHEAD.lock().unwrap_or_else(PoisonError::into_inner).pop();
    while let Some(mut connection) = next() {
        match connection.authenticate(deadline) {
            Ok(()) => return Ok(connection),
            Err(error @ CallError::TimedOut(_)) => return Err(error),
            // systemd has closed the connection.
            Err(_) => {}
        }
    }
    Ok(Connection::open(Path::new(PRIVATE_SOCKET))?)
}

/// Several questions in a row, over one connection.
#[derive(Default)]
pub struct Questions {
    connection: Option<Connection>,
}

impl Questions {
    /// Whether systemd is too busy to answer, within a second, a question that it can always answer.
    ///
    /// # Errors
    ///
    /// When the question cannot be sent.
    pub fn is_too_busy(&mut self) -> Result<bool, CallError> {
        const QUICK: Duration = Duration::from_secs(1);
        let method = Method {
            path: MANAGER_PATH,
            interface: PEER,
            member: "Ping",
        };
        match self.ask(method, &[], QUICK) {
            Ok(_) => Ok(false),
            Err(CallError::TimedOut(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// All properties of a unit: `systemctl show UNIT`.
    ///
    /// # Errors
    ///
    /// [`CallError::Refused`] when the name is not that of a unit.
    pub fn unit_properties(&mut self, unit: &str) -> Result<BTreeMap<String, Value>, CallError> {
        let path = unit_path(unit);
        let method = Method {
            path: &path,
            interface: PROPERTIES,
            member: "GetAll",
        };
        // An empty name means all interfaces, those of a unit and of its type at once.
        let answer = self.ask(method, &[Argument::Text("")], LONGEST_CALL)?;
        match answer.into_iter().next() {
            Some(Value::Object(values)) => Ok(values.into_iter().map(in_one_order).collect()),
            _ => Err(CallError::Malformed("GetAll did not return properties")),
        }
    }

    /// These properties of a unit, of the interface that all units have: org.freedesktop.systemd1(5), "Unit Objects". Each takes systemd
    /// far less work than all of them.
    ///
    /// # Errors
    ///
    /// [`CallError::Refused`] when the name is not that of a unit, or it has no such property.
    pub fn unit_properties_named(
        &mut self,
        unit: &str,
        names: &[String],
    ) -> Result<BTreeMap<String, Value>, CallError> {
        let path = unit_path(unit);
        let method = Method {
            path: &path,
            interface: PROPERTIES,
            member: "Get",
        };
        let one = |name: &String| {
            let arguments = [Argument::Text(UNIT), Argument::Text(name)];
            let answer = self.ask(method, &arguments, LONGEST_CALL)?;
            let value = answer.into_iter().next();
            let value = value.ok_or(CallError::Malformed("Get did not return a property"))?;
            Ok(in_one_order((name.clone(), value)))
        };
        names.iter().map(one).collect()
    }

    fn ask(
        &mut self,
        method: Method<'_>,
        arguments: &[Argument<'_>],
        deadline: Duration,
    ) -> Result<Vec<Value>, CallError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(deadline)?,
        };
        let answer = connection.call(method, arguments, deadline);
        // After any other error, the start of the next answer is unknown.
        if matches!(answer, Ok(_) | Err(CallError::Refused { .. })) {
            self.connection = Some(connection);
        }
        answer
    }
}

/// Whether systemd will act on the unit by itself if the unit goes on like this: the unit is not active, or has a watchdog or
/// a maximum run time. `true` if nothing is known about the unit.
pub fn has_deadline(unit: &str) -> bool {
    let Ok(properties) = Questions::default().unit_properties(unit) else {
        return true;
    };
    let number = |name: &str| properties.get(name).and_then(Value::as_u64);
    let is_set = |name: &str| number(name).is_some_and(|value| value > 0 && value < u64::MAX);
    let is_active = properties.get("ActiveState").and_then(Value::as_str) == Some("active");
    !is_active || is_set("WatchdogUSec") || is_set("RuntimeMaxUSec")
}

/// The unit's control group; none if it has no processes.
///
/// # Errors
///
/// [`CallError::Refused`] when the name is not that of a unit.
pub fn control_group(unit: &str) -> Result<Option<String>, CallError> {
    let properties = Questions::default().unit_properties(unit)?;
    let group = properties.get("ControlGroup").and_then(Value::as_str);
    Ok(group.filter(|group| !group.is_empty()).map(str::to_owned))
}

/// Properties that are sets of names. systemd keeps them in hash tables and lists them in that order, which differs after each
/// boot. org.freedesktop.systemd1(5), "Unit Objects".
const SETS: &[&str] = &[
    "After",
    "Before",
    "BindsTo",
    "BoundBy",
    "ConflictedBy",
    "Conflicts",
    "ConsistsOf",
    "JoinsNamespaceOf",
    "Names",
    "OnFailure",
    "OnFailureOf",
    "OnSuccess",
    "OnSuccessOf",
    "PartOf",
    "PropagatesReloadTo",
    "PropagatesStopTo",
    "ReloadPropagatedFrom",
    "RequiredBy",
    "Requires",
    "RequiresMountsFor",
    "Requisite",
    "RequisiteOf",
    "SliceOf",
    "StopPropagatedFrom",
    "TriggeredBy",
    "Triggers",
    "UpheldBy",
    "Upholds",
    "WantedBy",
    "Wants",
    "WantsMountsFor",
];

/// A property, sorted if it is a set.
fn in_one_order((name, mut value): (String, Value)) -> (String, Value) {
    if let (Ok(_), Value::Array(names)) = (SETS.binary_search(&name.as_str()), &mut value) {
        names.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
    }
    (name, value)
}

/// systemd's version as it reports it, e.g. `257.13-1~deb13u1`.
///
/// # Errors
///
/// When systemd does not answer.
pub fn version() -> Result<String, CallError> {
    let arguments = [Argument::Text(MANAGER), Argument::Text("Version")];
    match manager_property("Get", &arguments)?.into_iter().next() {
        Some(Value::String(version)) => Ok(version),
        _ => Err(CallError::Malformed("the version is not text")),
    }
}

/// `systemctl log-level LEVEL`.
///
/// # Errors
///
/// When systemd does not answer.
pub fn set_log_level(level: &str) -> Result<(), CallError> {
    set("LogLevel", level)
}

/// `systemctl log-target TARGET`.
///
/// # Errors
///
/// When systemd does not answer.
pub fn set_log_target(target: &str) -> Result<(), CallError> {
    set("LogTarget", target)
}

fn set(property: &str, value: &str) -> Result<(), CallError> {
    let arguments = [
        Argument::Text(MANAGER),
        Argument::Text(property),
        Argument::TextVariant(value),
    ];
    manager_property("Set", &arguments).map(drop)
}

fn manager(member: &str, arguments: &[Argument<'_>]) -> Result<(), CallError> {
    let method = Method {
        path: MANAGER_PATH,
        interface: MANAGER,
        member,
    };
    call(method, arguments).map(drop)
}

fn manager_property(member: &str, arguments: &[Argument<'_>]) -> Result<Vec<Value>, CallError> {
    let method = Method {
        path: MANAGER_PATH,
        interface: PROPERTIES,
        member,
    };
    call(method, arguments)
}

fn call(method: Method<'_>, arguments: &[Argument<'_>]) -> Result<Vec<Value>, CallError> {
    connect(LONGEST_CALL)?.call(method, arguments, LONGEST_CALL)
}

/// A unit's object path: each byte that is neither a letter nor a digit after the first place becomes
/// `_` and two hexadecimal digits (`bus_label_escape` in systemd).
fn unit_path(unit: &str) -> String {
    let mut path = format!("{MANAGER_PATH}/unit/");
    for (at, byte) in unit.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_digit()) {
            path.push(byte.into());
        } else {
            path.push_str(&format!("_{byte:02x}"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sets_are_sorted_and_lists_are_not() {
        assert!(SETS.is_sorted());
        let of = |name: &str| in_one_order((name.to_owned(), json!(["b", "a"]))).1;
        assert_eq!(of("After"), json!(["a", "b"]));
        assert_eq!(of("ExecStart"), json!(["b", "a"]));
    }

    #[test]
    fn a_unit_name_is_escaped() {
        assert_eq!(
            unit_path("exercise-01.service"),
            "/org/freedesktop/systemd1/unit/exercise_2d01_2eservice"
        );
        assert_eq!(
            unit_path("9p@a.service"),
            "/org/freedesktop/systemd1/unit/_39p_40a_2eservice"
        );
    }
}

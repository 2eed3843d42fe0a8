//! What is to happen in the guest, as data.
//!
//! The agent runs a scenario alone and asks nothing of the host until it has ended, because any wait
//! for the host would let virtual time jump by an arbitrary amount.

mod builder;
mod when;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::preparation::Preparation;
pub use when::{Happening, Trigger, When};

/// What is to happen to one or more services, in order.
///
/// All durations are in the guest's virtual time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// A few words about what this scenario tries, e.g. `stop during a slow request`.
    pub name: String,
    /// What the guest is given before the scenario begins, in this order. If one is not possible, the
    /// agent reports [`crate::EventKind::NotPrepared`] and ends the scenario before its first step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preparations: Vec<Preparation>,
    /// The steps, carried out one after the other. A step that misses its deadline ends the scenario;
    /// see [`crate::EventKind::StepEnded`].
    pub steps: Vec<Step>,
    /// The labels of steps, by index. The guest does not need them: they are not part of the job, and the host adds them to the
    /// steps' events. Several steps may share a label.
    #[serde(skip)]
    pub labels: BTreeMap<usize, String>,
    /// Units whose effective properties are recorded when the scenario ends
    /// (as `systemctl show UNIT` prints them; see [`crate::EventKind::Properties`]).
    pub observe: Vec<String>,
    /// Which of their properties: those with these names, of the interface org.freedesktop.systemd1.Unit. All, if there is no name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observe_only: Vec<String>,
    /// If systemd refuses a step, the scenario carries on. A plan of faults needs this: a fault may find nothing left to
    /// hit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub goes_on_when_refused: bool,
}

impl Scenario {
    /// Whether a step is triggered by an event.
    pub fn awaits_events(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| {
            matches!(
                step,
                Step::Later {
                    when: When::On(_),
                    ..
                }
            )
        })
    }
}

/// One thing that the agent does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// `systemctl start --no-block UNIT`: queues the start job and does not wait for it.
    Start {
        /// The unit's name with its suffix, e.g. `hello.service`.
        unit: String,
    },
    /// `systemctl stop --no-block UNIT`.
    Stop {
        /// The unit's name.
        unit: String,
    },
    /// `systemctl restart --no-block UNIT`.
    Restart {
        /// The unit's name.
        unit: String,
    },
    /// `systemctl reload --no-block UNIT`.
    Reload {
        /// The unit's name.
        unit: String,
    },
    /// `systemctl reset-failed UNIT`: also clears the start limit's counter.
    ResetFailed {
        /// The unit's name.
        unit: String,
    },
    /// `systemctl enable UNIT`: makes the links that `[Install]` asks for.
    Enable {
        /// The unit's name.
        unit: String,
    },
    /// `systemctl disable UNIT`.
    Disable {
        /// The unit's name.
        unit: String,
    },
    /// `systemctl daemon-reload`. Not needed for a unit that systemd has not loaded yet.
    DaemonReload,
    /// `systemctl kill --kill-whom=WHOM --signal=SIGNAL UNIT`.
    Signal {
        /// The unit's name.
        unit: String,
        /// The signal's number, as in signal(7) for x86-64.
        signal: i32,
        /// The main process alone, or every process of the unit.
        whom: Whom,
    },
    /// `systemctl freeze UNIT`: all processes of the unit stop running (cgroup freezer).
    Freeze {
        /// The unit's name.
        unit: String,
    },
    /// `systemctl thaw UNIT`.
    Thaw {
        /// The unit's name.
        unit: String,
    },
    /// Lowers the memory limit of a unit's control group for an instant, until the kernel has killed a process there: the largest,
    /// or all of them if systemd asked for that (`OOMPolicy=kill`).
    OutOfMemory {
        /// The unit's name.
        unit: String,
    },
    /// `systemctl reboot`: systemd stops everything, then the machine ends, and the scenario with it.
    Reboot,
    /// Waits until `condition` has become true since the scenario began, at most for `deadline`.
    WaitFor {
        /// What to wait for.
        condition: Condition,
        /// The longest wait. After it, the scenario ends.
        deadline: Duration,
    },
    /// Lets virtual time pass.
    Sleep {
        /// For how long.
        duration: Duration,
    },
    /// Lets virtual time pass until this long after the scenario began; does not wait if that time has passed already.
    SleepUntil {
        /// Counted from [`crate::EventKind::ScenarioBegan`].
        time: Duration,
    },
    /// Carries out a step when its time has come, while the following steps go on. The step begins
    /// ([`crate::EventKind::StepBegan`], with this step's index) when the agent carries it out, which may be never. The
    /// agent does so only during [`Step::Sleep`], [`Step::SleepUntil`] and [`Step::WaitFor`]. Whatever the outcome, the
    /// scenario carries on.
    Later {
        /// When.
        when: When,
        /// What to do. It must not be a step that waits.
        what: Box<Step>,
    },
    /// Lets the machine stand still, without the guest's noticing, so that the host can copy it: see [`crate::job::GATES`]. Each copy
    /// carries out the steps of a job of its own instead of those after this step. It is not reported. Without a new job, the guest
    /// ends with an error. As the first step, it comes before the scenario begins: everything that the guest is given is in place.
    Checkpoint,
    /// Asks whether a service answers, again and again until the scenario ends, while the following steps go on. Each
    /// change of the answer is a [`crate::EventKind::ProbeChanged`], the total a [`crate::EventKind::ProbeEnded`].
    Probe {
        /// A name that tells probes apart.
        name: String,
        /// What to ask.
        target: ProbeTarget,
        /// The time from one attempt to the next. The first attempt comes after 0.45 s (or just before half of the interval, if that is less), so that attempts coincide
        /// neither with faults at whole seconds nor with systemd's timers, which fire on multiples of 250 ms. An attempt that is due while the one before it is still
        /// running is skipped.
        every: Duration,
        /// How long to wait for the whole answer.
        deadline: Duration,
    },
    /// Sends an HTTP/1.1 request on the guest's loopback, on a connection of its own. The outcome
    /// is a [`crate::EventKind::Response`].
    Request {
        /// A name that tells requests apart, e.g. `first`.
        name: String,
        /// `GET`, `POST`, …
        method: String,
        /// e.g. `http://127.0.0.1:7878/`. The host must be a numeric loopback address.
        url: String,
        /// The body to send, if any.
        body: Option<String>,
        /// How long to wait for the whole response.
        deadline: Duration,
        /// Go on with the next step at once; [`Step::AwaitResponse`] waits later.
        background: bool,
    },
    /// Waits for the outcome of a request that was sent with `background`. The request's own deadline bounds it.
    AwaitResponse {
        /// The request's name.
        name: String,
    },
    /// Connects, sends only the beginning of a request, and keeps the connection open until
    /// [`Step::FinishRequest`], [`Step::CloseConnection`] or the end of the scenario.
    HalfOpen {
        /// A name that tells connections apart.
        name: String,
        /// e.g. `127.0.0.1:7878`.
        address: String,
        /// The bytes to send.
        bytes: String,
    },
    /// Sends the rest of a request that [`Step::HalfOpen`] began and waits for the response. The
    /// outcome is a [`crate::EventKind::Response`].
    FinishRequest {
        /// The connection's name.
        name: String,
        /// The bytes to send.
        bytes: String,
        /// How long to wait for the whole response.
        deadline: Duration,
    },
    /// Closes a connection that [`Step::HalfOpen`] opened.
    CloseConnection {
        /// The connection's name.
        name: String,
    },
    /// Writes a file in the guest, with its parent directories; e.g. a changed configuration before a reload.
    WriteFile {
        /// Absolute path.
        path: String,
        /// The content.
        content: String,
        /// Permission bits, e.g. `0o644`.
        mode: u32,
    },
    /// Runs a command as root and waits for it; the outcome is a [`crate::EventKind::Command`]. A
    /// command that misses the deadline is killed, and the scenario ends.
    Run {
        /// Program (absolute path) and arguments.
        argv: Vec<String>,
        /// How long it may take.
        deadline: Duration,
    },
    /// Runs a command as root and does not wait for it; the outcome is a [`crate::EventKind::Command`], or a
    /// [`crate::EventKind::CommandCutOff`] if the scenario ends first. A command that misses the deadline is
    /// killed.
    RunInBackground {
        /// Program (absolute path) and arguments.
        argv: Vec<String>,
        /// How long it may take.
        deadline: Duration,
    },
}

/// When a [`Step::Probe`] with this interval asks for the first time, counted from its beginning: after half a second (or half the
/// interval, if that is shorter), so that attempts every few seconds do not coincide with faults at whole seconds. It comes a little
/// earlier still, because systemd's timers fire at half seconds, as on every multiple of 250 ms, and what they start takes up to a
/// tenth of a second. So all of these happen in a fixed order.
pub fn first_attempt(every: Duration) -> Duration {
    const SECOND: Duration = Duration::from_secs(1);
    const OFF_THE_GRID: Duration = Duration::from_millis(50);
    let half = every.min(SECOND) / 2;
    half - OFF_THE_GRID.min(half / 10)
}

/// What a [`Step::Probe`] asks. TCP addresses must be numeric loopback addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeTarget {
    /// `GET` this URL, e.g. `http://127.0.0.1:7878/`, on a connection of its own each time.
    Get(String),
    /// Connect to this TCP address, e.g. `127.0.0.1:22`, and close the connection. The kernel also accepts connections for
    /// a service that hangs: this detects only a service that is gone.
    Connect(String),
    /// `GET` this path over a Unix socket.
    GetUnix {
        /// e.g. `/run/my.sock`.
        socket: String,
        /// e.g. `/health`.
        path: String,
    },
    /// Connect to this Unix socket, and close the connection.
    ConnectUnix(String),
    /// Connect, send this, and read a line.
    Ask {
        /// A TCP address, or the path of a Unix socket.
        address: String,
        /// The bytes to send; none for a service that speaks first.
        send: String,
        /// How the line must begin.
        expect: String,
    },
    /// Run a command as root: program (absolute path) and arguments. Its exit status says whether it succeeded.
    Run(Vec<String>),
}

/// Who receives a signal: systemd.kill(5), `systemctl kill --kill-whom=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whom {
    /// The main process.
    Main,
    /// Every process in the unit's control group.
    All,
}

/// What a [`Step::WaitFor`] waits for. All conditions look at the events since the scenario began,
/// except for `Next*`, which look at the events since the step began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "condition", rename_all = "kebab-case")]
pub enum Condition {
    /// The unit is now in this state of its type, e.g. `running`, `dead`, `failed`, `auto-restart`
    /// (`SubState` in org.freedesktop.systemd1(5)).
    SubState {
        /// The unit's name.
        unit: String,
        /// Any of these sub-states is enough.
        any_of: Vec<String>,
    },
    /// The unit has entered this state since the step began, even if it left it again.
    NextSubState {
        /// The unit's name.
        unit: String,
        /// Any of these sub-states is enough.
        any_of: Vec<String>,
    },
    /// The last job that was queued for the unit has ended, however it ended.
    JobEnded {
        /// The unit's name.
        unit: String,
    },
    /// The service has sent a notification with this assignment since the step began, e.g. `READY=1`
    /// or `STATUS=` (compared with the beginning of each assignment).
    NextNotification {
        /// The unit's name.
        unit: String,
        /// The beginning of an assignment.
        assignment: String,
    },
    /// The service has logged a line that contains this text since the scenario began.
    LogContains {
        /// The unit's name.
        unit: String,
        /// The text.
        text: String,
    },
    /// Something listens on this TCP address, e.g. `127.0.0.1:7878`.
    Listening {
        /// The address.
        address: String,
    },
}

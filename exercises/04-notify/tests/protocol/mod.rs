//! What the service says to its service manager, seen without systemd and without a VM.
//!
//! The service runs as an ordinary process of this machine, with a notify socket of the check's own.
//! It goes through three short runs (data that loads, data that stalls, a port that is taken);
//! what can be seen from outside becomes a [`Transcript`]. Every right service gives the same one:
//! the texts of `STATUS=` are left out, repeats are folded, and messages between two milestones are
//! listed in alphabetical order, because they may be sent in any, and in one datagram or several.
//!
//! Not seen here, only in the VM: deadlines of seconds, and what systemd makes of it all.
//!
//! - [`service`]: the process, its notify socket, its end
//! - [`client`]: requests to it, and the port that it needs

mod client;
mod service;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use self::client::{Answer, HalfSentRequest, PortLock};
use self::service::{Heard, Service};

/// Where the service listens.
const ADDRESS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7878);

/// For everything that a right service does without delay. Generous: this machine may be busy, and a
/// right service never needs it.
const PROMPTLY: Duration = Duration::from_secs(2);

/// For `READY=1`, or the first answer: a warm-up of a second, and [`PROMPTLY`] for the rest.
const WARM_UP: Duration = Duration::from_secs(3);

/// How long a right service takes to say `READY=1`, on a machine that is not busy: a warm-up of a second, and some.
const USUALLY_READY: Duration = Duration::from_millis(1500);

/// Who has done what comes after a message, and has not sent it by then, never will.
const GRACE: Duration = Duration::from_millis(500);

/// Enough to be refused on a loopback.
const A_LOOK: Duration = Duration::from_millis(100);

/// How long a service whose data has stalled is given to claim that it is ready. Only has to be
/// longer than a wrong service takes to do so; a right one never does.
const STALL_WATCH: Duration = Duration::from_millis(300);

/// What was seen from outside.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    /// One observation each, in order; the same for every right service.
    pub(crate) lines: Vec<String>,
    /// What the service itself wrote to stdout and stderr: to show to a person, not to compare.
    pub(crate) log: String,
}

/// Nothing was learnt about the service.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProtocolError {
    /// A process that the check did not start holds the service's port.
    #[error(
        "something else on this machine listens on {ADDRESS}; \
         stop it (find it with `ss -ltnp`) and check again"
    )]
    PortTaken,
    /// Another check kept the port for too long.
    #[error("another check still uses {ADDRESS}; let it end, or end it, and check again")]
    PortLocked,
    /// The binary cannot be run at all.
    #[error("cannot run {}", binary.display())]
    Start {
        /// Its path.
        binary: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The machine refused something that the check itself needs.
    #[error("cannot {what}")]
    Io {
        /// What the check was about to do.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// Runs the service with a notify socket: three runs, two to three seconds in all.
///
/// # Errors
///
/// Only when nothing can be learnt about the service; whatever it does is in the transcript.
pub(crate) fn with_notify_socket(binary: &Path) -> Result<Transcript, ProtocolError> {
    let _port = PortLock::acquire()?;
    let mut transcript = Transcript::default();
    let ready = data_loads(binary, &mut transcript)?;
    // The others ask whether it says so too early: of no use before it says so at all.
    if ready {
        data_stalls(binary, &mut transcript)?;
        port_is_taken(binary, &mut transcript)?;
    }
    Ok(transcript)
}

/// Runs the service as in a terminal: without a notify socket. Takes less than a second.
///
/// # Errors
///
/// As [`with_notify_socket`].
pub(crate) fn by_hand(binary: &Path) -> Result<Transcript, ProtocolError> {
    let _port = PortLock::acquire()?;
    let mut transcript = Transcript::default();
    transcript.section("by hand, without NOTIFY_SOCKET");
    let mut service = Service::start_without_socket(binary, &[("DATA_PARTS", "1")])?;

    let answer = client::get_once_it_is_up(&mut service, Instant::now() + WARM_UP)?;
    transcript.line(format!("GET / is {answer}"));

    transcript.section("SIGTERM");
    service.terminate()?;
    let stopping = service.listen(PROMPTLY, |_| false)?;
    transcript.end(&stopping);
    transcript.log_of(&service);
    Ok(transcript)
}

/// A service that has all it needs, from its start to its stop. True when it said `READY=1`.
fn data_loads(binary: &Path, transcript: &mut Transcript) -> Result<bool, ProtocolError> {
    transcript.section("data loads (DATA_PARTS=2)");
    let mut service = Service::start(binary, &[("DATA_PARTS", "2")])?;

    let mut warm_up = listen_until_ready(&mut service)?;
    // A status in the same datagram as READY=1 is one of the ready service.
    let ready = warm_up.take_last_if(|message| message.says("READY=1"));
    let is_ready = ready.is_some();
    transcript.statements(&warm_up, &["EXTEND_TIMEOUT_USEC=", "STATUS="]);

    if warm_up.ended.is_some() {
        transcript.end(&warm_up);
    } else {
        // At once: this is what a unit ordered after the service would do.
        let answer = client::get(Instant::now() + PROMPTLY);
        transcript.line(match is_ready {
            true => format!("READY=1, and GET / is {answer}"),
            false => format!("READY=1 is not sent, but GET / is {answer}"),
        });
        if let Some(ready) = ready {
            let mut since_ready = Heard::from(ready);
            if !since_ready.says("STATUS=") {
                since_ready.and_then(service.listen(PROMPTLY, |m| m.says("STATUS="))?);
            }
            transcript.statements(&since_ready, &["STATUS="]);
        }
        stop_during_a_request(&mut service, transcript)?;
    }
    transcript.log_of(&service);
    Ok(is_ready)
}

/// Waits for `READY=1` as long as [`WARM_UP`], but no longer than [`GRACE`] for a service that answers requests without
/// having said so.
fn listen_until_ready(service: &mut Service) -> Result<Heard, ProtocolError> {
    let is_ready = |heard: &Heard| heard.says("READY=1") || heard.ended.is_some();
    let deadline = Instant::now() + WARM_UP;
    let mut heard = service.listen(USUALLY_READY, |message| message.says("READY=1"))?;
    let mut answers = false;
    while !is_ready(&heard) && !answers && Instant::now() < deadline {
        answers = matches!(client::get(Instant::now() + GRACE), Answer::Greeting);
        heard.and_then(service.listen(GRACE, |message| message.says("READY=1"))?);
    }
    Ok(heard)
}

/// Waits for `STOPPING=1` as long as [`PROMPTLY`], but no longer than [`GRACE`] for a service that refuses connections
/// without having said so.
fn listen_until_stopping(service: &mut Service) -> Result<Heard, ProtocolError> {
    let is_stopping = |heard: &Heard| heard.says("STOPPING=1") || heard.ended.is_some();
    let mut heard = service.listen(GRACE, |message| message.says("STOPPING=1"))?;
    if !is_stopping(&heard) && !client::connections_are_refused(Instant::now() + A_LOOK) {
        heard.and_then(service.listen(PROMPTLY, |message| message.says("STOPPING=1"))?);
    }
    Ok(heard)
}

/// The request keeps the service from ending, so that there is time to see how it stops.
fn stop_during_a_request(
    service: &mut Service,
    transcript: &mut Transcript,
) -> Result<(), ProtocolError> {
    transcript.section("SIGTERM while a request is half sent");
    let request = HalfSentRequest::send(Instant::now() + PROMPTLY);
    service.terminate()?;

    let mut stopping = listen_until_stopping(service)?;
    transcript.stopping(&stopping);
    let refused = client::connections_are_refused(Instant::now() + PROMPTLY);
    let answer = request.finish(Instant::now() + PROMPTLY);
    if stopping.ended.is_none() {
        stopping.and_then(service.listen(PROMPTLY, |_| false)?);
    }

    transcript.statements(&stopping, &["STATUS="]);
    transcript.line(match refused {
        true => "new connections are refused",
        false => "new connections are still accepted",
    });
    transcript.line(format!("the request, once complete, is {answer}"));
    transcript.end(&stopping);
    Ok(())
}

/// A service that never gets its last part must not claim to be ready, and must stop all the same.
fn data_stalls(binary: &Path, transcript: &mut Transcript) -> Result<(), ProtocolError> {
    transcript.section("data stalls (DATA_STALL_AT=2)");
    let environment = [("DATA_PARTS", "2"), ("DATA_STALL_AT", "2")];
    let mut service = Service::start(binary, &environment)?;

    // Its first words show that it runs; one that says nothing has long begun to load when this
    // gives up.
    let mut warm_up = service.listen(PROMPTLY, |_| true)?;
    let answer = client::get(Instant::now() + STALL_WATCH);
    if warm_up.ended.is_none() {
        warm_up.and_then(service.listen(STALL_WATCH, |message| message.says("READY=1"))?);
    }
    transcript.claim(&warm_up);
    transcript.line(match answer {
        Answer::Greeting => "GET / is answered without data",
        _ => "GET / is not answered",
    });

    if warm_up.ended.is_some() {
        transcript.end(&warm_up);
    } else {
        transcript.section("SIGTERM");
        service.terminate()?;
        let stopping = service.listen(PROMPTLY, |_| false)?;
        transcript.stopping(&stopping);
        transcript.end(&stopping);
    }
    transcript.log_of(&service);
    Ok(())
}

/// A service that cannot listen must not claim to be ready: whoever says so before binding is seen
/// here, however short the time between the two.
fn port_is_taken(binary: &Path, transcript: &mut Transcript) -> Result<(), ProtocolError> {
    transcript.section("the port is taken");
    let _taken = client::take_port()?;
    let mut service = Service::start(binary, &[("DATA_PARTS", "1")])?;

    let heard = service.listen(WARM_UP, |_| false)?;
    transcript.claim(&heard);
    transcript.line(match heard.ended {
        Some(status) if status.success() => "the service ends as if all were well",
        Some(_) => "the service fails",
        None => "the service goes on",
    });
    transcript.log_of(&service);
    Ok(())
}

impl Transcript {
    fn section(&mut self, title: &str) {
        self.lines.push(title.to_owned());
    }

    fn line(&mut self, observation: impl fmt::Display) {
        self.lines.push(format!("  {observation}"));
    }

    /// Each different assignment that begins with one of `wanted`; others (`MAINPID=`, …) do not
    /// matter here.
    fn statements(&mut self, heard: &Heard, wanted: &[&str]) {
        let mut statements = BTreeSet::new();
        for message in &heard.messages {
            for assignment in &message.assignments {
                if !message.from_main_process {
                    statements.insert(format!("{assignment} from another process: refused"));
                } else if wanted.iter().any(|prefix| assignment.starts_with(prefix)) {
                    statements.insert(without_status_text(assignment));
                }
            }
        }
        for statement in statements {
            self.line(statement);
        }
    }

    fn stopping(&mut self, heard: &Heard) {
        self.line(match heard.says("STOPPING=1") {
            true => "STOPPING=1",
            false => "STOPPING=1 is not sent",
        });
    }

    /// Where a right service does not say that it is ready.
    fn claim(&mut self, heard: &Heard) {
        self.line(match heard.says("READY=1") {
            true => "READY=1 is sent all the same",
            false => "READY=1 is not sent",
        });
    }

    fn end(&mut self, heard: &Heard) {
        self.line(match heard.ended {
            Some(status) => describe(status),
            None => format!("still runs after {PROMPTLY:?}"),
        });
    }

    fn log_of(&mut self, service: &Service) {
        self.log.push_str(&service.log());
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// What a status says is up to its author, as long as it says something.
fn without_status_text(assignment: &str) -> String {
    match assignment.strip_prefix("STATUS=") {
        Some(text) if !text.trim().is_empty() => "STATUS=…".to_owned(),
        _ => assignment.to_owned(),
    }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;

    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

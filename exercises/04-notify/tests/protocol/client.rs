//! Requests to the service, and the port that all checks share.

use std::env;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::service::{Service, error};
use super::{ADDRESS, ProtocolError};

/// A request as curl sends it, in the two parts in which [`HalfSentRequest`] sends it.
const REQUEST_BEGINNING: &str = "GET / HTTP/1.1\r\nHost: 127.0.0.1:7878\r\n";
const REQUEST_END: &str = "Connection: close\r\n\r\n";

/// What the service answers.
const GREETING: &str = "Hello World!";

/// Between two looks at something that cannot be waited for (a port, a lock, a socket's queue).
/// Short against all deadlines, long against the cost of a look.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// For another check to finish with the port: it needs three seconds, but several may be queued.
const LOCK_DEADLINE: Duration = Duration::from_secs(60);

/// How a request came out.
pub(super) enum Answer {
    /// `200 OK` with the greeting.
    Greeting,
    /// Something else: the status line.
    Other(String),
    /// Nobody listens.
    Refused,
    /// The connection was accepted and ended without an answer, or none came in time.
    Missing,
}

/// A request of which the service has read the first part only.
pub(super) struct HalfSentRequest(io::Result<TcpStream>);

/// The right to use the port, among all checks on this machine. Ends when dropped.
pub(super) struct PortLock {
    _locked: File,
}

/// Sends `GET /` and reads the answer.
pub(super) fn get(deadline: Instant) -> Answer {
    Answer::from(connect(deadline).and_then(|mut stream| {
        stream.write_all(REQUEST_BEGINNING.as_bytes())?;
        stream.write_all(REQUEST_END.as_bytes())?;
        read_response(stream, deadline)
    }))
}

/// The same, as soon as `service` listens; stops trying when it has ended.
pub(super) fn get_once_it_is_up(
    service: &mut Service,
    deadline: Instant,
) -> Result<Answer, ProtocolError> {
    loop {
        let ended = service.has_ended()?.is_some();
        let answer = get(deadline);
        // Until the data is loaded, a service may refuse connections, or say that it is not available yet.
        let may_answer_later = match &answer {
            Answer::Refused => !ended,
            Answer::Other(status) => status.contains(" 503 "),
            Answer::Greeting | Answer::Missing => false,
        };
        if !may_answer_later || Instant::now() >= deadline {
            return Ok(answer);
        }
        sleep(BETWEEN_LOOKS);
    }
}

/// Tries to connect until nobody listens any more; false when somebody still does at the deadline.
pub(super) fn connections_are_refused(deadline: Instant) -> bool {
    loop {
        match connect(deadline) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return true,
            // Came in just before the listener was closed.
            Ok(_) | Err(_) if Instant::now() < deadline => sleep(BETWEEN_LOOKS),
            Ok(_) | Err(_) => return false,
        }
    }
}

/// Listens on the service's port, so that it cannot.
pub(super) fn take_port() -> Result<TcpListener, ProtocolError> {
    TcpListener::bind(ADDRESS).map_err(|source| match source.kind() {
        ErrorKind::AddrInUse => ProtocolError::PortTaken,
        _ => error("listen on the service's port")(source),
    })
}

impl HalfSentRequest {
    /// Connects, sends the first part, and waits until the service has read it.
    pub(super) fn send(deadline: Instant) -> Self {
        Self(connect(deadline).and_then(|mut stream| {
            stream.write_all(REQUEST_BEGINNING.as_bytes())?;
            wait_until_read(&stream, deadline)?;
            Ok(stream)
        }))
    }

    /// Sends the rest and reads the answer.
    pub(super) fn finish(self, deadline: Instant) -> Answer {
        Answer::from(self.0.and_then(|mut stream| {
            stream.write_all(REQUEST_END.as_bytes())?;
            read_response(stream, deadline)
        }))
    }
}

impl From<io::Result<String>> for Answer {
    fn from(response: io::Result<String>) -> Self {
        match response {
            Ok(response) if response.is_empty() => Answer::Missing,
            Ok(response) => {
                let status_line = response.lines().next().unwrap_or_default();
                if status_line.contains(" 200 ") && response.ends_with(GREETING) {
                    Answer::Greeting
                } else {
                    Answer::Other(status_line.to_owned())
                }
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Answer::Refused,
            Err(_) => Answer::Missing,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Greeting => write!(f, "answered {GREETING:?}"),
            Answer::Other(status_line) => write!(f, "answered wrongly ({status_line})"),
            Answer::Refused => write!(f, "refused"),
            Answer::Missing => write!(f, "not answered"),
        }
    }
}

impl PortLock {
    /// Waits for other checks, then makes sure that nobody else has the port.
    pub(super) fn acquire() -> Result<Self, ProtocolError> {
        let path = env::temp_dir().join("systemd-lab-port-7878.lock");
        let file = open_lock_file(&path).map_err(error("open the lock file in $TMPDIR"))?;

        let deadline = Instant::now() + LOCK_DEADLINE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(BETWEEN_LOOKS),
                Err(TryLockError::WouldBlock) => return Err(ProtocolError::PortLocked),
                Err(TryLockError::Error(source)) => return Err(error("lock the port")(source)),
            }
        }

        take_port()?;
        Ok(Self { _locked: file })
    }
}

/// Opens it for reading where it exists: it may belong to another user, and a lock needs no more.
fn open_lock_file(path: &Path) -> io::Result<File> {
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => File::create(path),
        opened => opened,
    }
}

fn connect(deadline: Instant) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&ADDRESS.into(), time_left(deadline)?)
}

fn read_response(mut stream: TcpStream, deadline: Instant) -> io::Result<String> {
    let mut response = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        stream.set_read_timeout(Some(time_left(deadline)?))?;
        match stream.read(&mut chunk)? {
            0 => return Ok(String::from_utf8_lossy(&response).into_owned()),
            length => response.extend_from_slice(&chunk[..length]),
        }
    }
}

/// Waits until the kernel holds none of the bytes sent: the service has read them all. Nothing else
/// shows that, as half a request has no answer.
fn wait_until_read(stream: &TcpStream, deadline: Instant) -> io::Result<()> {
    let here = stream.local_addr()?.port();
    let there = ADDRESS.port();
    loop {
        let sockets = fs::read_to_string("/proc/net/tcp")?;
        let sent = queues(&sockets, here, there).is_some_and(|(unsent, _)| unsent == 0);
        let read = queues(&sockets, there, here).is_some_and(|(_, unread)| unread == 0);
        if sent && read {
            return Ok(());
        }
        time_left(deadline)?;
        sleep(BETWEEN_LOOKS);
    }
}

/// The bytes in a connection's transmit and receive queue: proc_net_tcp.txt in the kernel's
/// documentation.
fn queues(sockets: &str, local_port: u16, remote_port: u16) -> Option<(u64, u64)> {
    sockets.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let has_port = |address: &str, port| address.ends_with(&format!(":{port:04X}"));
        if !has_port(fields.next()?, local_port) || !has_port(fields.next()?, remote_port) {
            return None;
        }
        let (transmit, receive) = fields.nth(1)?.split_once(':')?;
        let bytes = |field| u64::from_str_radix(field, 16).ok();
        Some((bytes(transmit)?, bytes(receive)?))
    })
}

fn time_left(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(ErrorKind::TimedOut.into()),
        time_left => Ok(time_left),
    }
}

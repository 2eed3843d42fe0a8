//! The service as a process: its notify socket, its signals, its end.

use std::fs::{self, File};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg, sockopt::set_socket_passcred,
};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tempfile::TempDir;

use super::ProtocolError;

/// Variables that the service must not inherit from whatever runs the check.
const NOT_INHERITED: [&str; 9] = [
    "DATABASE",
    "DATA_PARTS",
    "DATA_STALL_AT",
    "JOURNAL_STREAM",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// Longer than any notification of a right service; systemd itself takes no more.
const MAX_MESSAGE_BYTES: usize = 4096;

/// A running service; dropping it kills it.
pub(super) struct Service {
    child: Child,
    /// Readable when the process has ended, so that one `poll` waits for that and for messages.
    pidfd: OwnedFd,
    socket: UnixDatagram,
    /// Holds the notify socket and the log.
    directory: TempDir,
}

/// One datagram of sd_notify(3).
pub(super) struct Message {
    /// systemd refuses the others, as `NotifyAccess=main` is the default.
    pub(super) from_main_process: bool,
    /// In the order in which they were sent, e.g. `READY=1`.
    pub(super) assignments: Vec<String>,
}

/// What came from the service while somebody listened.
pub(super) struct Heard {
    /// All messages, in order.
    pub(super) messages: Vec<Message>,
    /// How the process ended, if it did.
    pub(super) ended: Option<ExitStatus>,
}

impl Service {
    /// Starts it with a notify socket.
    pub(super) fn start(
        binary: &Path,
        environment: &[(&str, &str)],
    ) -> Result<Self, ProtocolError> {
        Self::spawn(binary, environment, true)
    }

    /// Starts it as a person would, in a terminal.
    pub(super) fn start_without_socket(
        binary: &Path,
        environment: &[(&str, &str)],
    ) -> Result<Self, ProtocolError> {
        Self::spawn(binary, environment, false)
    }

    fn spawn(
        binary: &Path,
        environment: &[(&str, &str)],
        with_socket: bool,
    ) -> Result<Self, ProtocolError> {
        let directory =
            tempfile::tempdir().map_err(error("make a directory for the notify socket"))?;
        let socket_path = directory.path().join("notify");
        let socket =
            UnixDatagram::bind(&socket_path).map_err(error("make a notify socket in $TMPDIR"))?;
        // As systemd does: the kernel then says with each message who sent it.
        set_socket_passcred(&socket, true)
            .map_err(|errno| error("ask the kernel who sends notifications")(errno.into()))?;
        let log = File::create(directory.path().join("log")).map_err(error("make a log file"))?;
        let log_too = log.try_clone().map_err(error("share the log file"))?;

        let mut command = Command::new(binary);
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        command.envs(environment.iter().copied());
        if with_socket {
            command.env("NOTIFY_SOCKET", &socket_path);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too)
            .spawn()
            .map_err(|source| ProtocolError::Start {
                binary: binary.to_owned(),
                source,
            })?;

        match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self {
                child,
                pidfd,
                socket,
                directory,
            }),
            Err(errno) => {
                kill(&mut child);
                Err(error("watch the service's process")(errno.into()))
            }
        }
    }

    /// Collects messages until one of them is `enough`, the process has ended, or `at_most` is over.
    pub(super) fn listen(
        &mut self,
        at_most: Duration,
        enough: impl Fn(&Message) -> bool,
    ) -> Result<Heard, ProtocolError> {
        let deadline = Instant::now() + at_most;
        let mut messages = Vec::new();
        loop {
            // In this order: once the process has ended, whatever it sent is in the socket.
            let ended = self.has_ended()?;
            if let Some(message) = self.receive()? {
                let is_enough = message.from_main_process && enough(&message);
                messages.push(message);
                if is_enough {
                    return Ok(Heard {
                        messages,
                        ended: None,
                    });
                }
                continue;
            }
            let time_left = deadline.saturating_duration_since(Instant::now());
            if ended.is_some() || time_left.is_zero() {
                return Ok(Heard { messages, ended });
            }
            self.wait_for_news(time_left)?;
        }
    }

    /// How the process ended, if it has.
    pub(super) fn has_ended(&mut self) -> Result<Option<ExitStatus>, ProtocolError> {
        self.child
            .try_wait()
            .map_err(error("ask whether the service has ended"))
    }

    /// Sends SIGTERM, as `systemctl stop` does.
    pub(super) fn terminate(&self) -> Result<(), ProtocolError> {
        match pidfd_send_signal(&self.pidfd, Signal::TERM) {
            // It has ended already: the transcript will say so.
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(error("send SIGTERM to the service")(errno.into())),
        }
    }

    /// What it wrote to stdout and stderr so far.
    pub(super) fn log(&self) -> String {
        let bytes = fs::read(self.directory.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn wait_for_news(&self, at_most: Duration) -> Result<(), ProtocolError> {
        let mut sources = [
            PollFd::new(&self.socket, PollFlags::IN),
            PollFd::new(&self.pidfd, PollFlags::IN),
        ];
        let timeout = Timespec::try_from(at_most).ok();
        match poll(&mut sources, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(error("wait for the service")(errno.into())),
        }
    }

    fn receive(&self) -> Result<Option<Message>, ProtocolError> {
        let mut bytes = [0; MAX_MESSAGE_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut credentials = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut credentials,
            RecvFlags::DONTWAIT,
        );
        let length = match received {
            Ok(received) => received.bytes,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
            Err(errno) => return Err(error("receive a notification")(errno.into())),
        };

        let main_process = Pid::from_child(&self.child);
        let from_main_process = credentials.drain().any(|message| match message {
            RecvAncillaryMessage::ScmCredentials(sender) => sender.pid == main_process,
            _ => false,
        });
        Ok(Some(Message {
            from_main_process,
            assignments: String::from_utf8_lossy(&bytes[..length])
                .lines()
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
                .collect(),
        }))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        kill(&mut self.child);
    }
}

impl Message {
    /// Whether systemd would take this assignment from it, given by its beginning.
    pub(super) fn says(&self, beginning: &str) -> bool {
        self.from_main_process && self.assignments.iter().any(|a| a.starts_with(beginning))
    }
}

impl Heard {
    /// Whether any message says it.
    pub(super) fn says(&self, beginning: &str) -> bool {
        self.messages.iter().any(|message| message.says(beginning))
    }

    /// Adds what came later.
    pub(super) fn and_then(&mut self, later: Heard) {
        self.messages.extend(later.messages);
        self.ended = later.ended;
    }

    /// Takes the last message out if it is the one that was waited for.
    pub(super) fn take_last_if(&mut self, wanted: impl Fn(&Message) -> bool) -> Option<Message> {
        self.messages.pop_if(|message| wanted(message))
    }
}

impl From<Message> for Heard {
    fn from(message: Message) -> Self {
        Self {
            messages: vec![message],
            ended: None,
        }
    }
}

/// For `map_err`: names what could not be done.
pub(super) fn error(what: &'static str) -> impl Fn(io::Error) -> ProtocolError {
    move |source| ProtocolError::Io { what, source }
}

/// Both fail only when the process has ended and been waited for, which is what is wanted.
fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

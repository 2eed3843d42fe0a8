//! Runs a command for [`systemd_lab_protocol::Step::Run`] and collects what it prints.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// The most output that is kept, of standard output and standard error together.
const KEPT_OUTPUT: usize = 64 << 10;

/// The command's environment; it inherits nothing from the agent.
const ENVIRONMENT: [(&str, &str); 3] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"),
    ("HOME", "/root"),
    ("LANG", "C.UTF-8"),
];

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Finished {
    /// Exit code; 128 plus the signal's number when a signal ended it.
    pub status: i32,
    /// Standard output, then standard error.
    pub output: String,
    /// Whether the deadline passed, so that the agent killed the command.
    pub timed_out: bool,
}

/// Runs a command and waits for it, at most for `deadline`.
///
/// # Errors
///
/// If the command cannot be started, e.g. because the program does not exist.
pub fn run(argv: &[String], deadline: Duration) -> io::Result<Finished> {
    let end = Instant::now() + deadline;
    let (program, arguments) = argv
        .split_first()
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "the command is empty"))?;
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(ENVIRONMENT)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A process group of its own, so that its child processes are killed with it.
        .process_group(0)
        .spawn()?;
    // The agent is protected from the OOM killer; its commands need not be. (The write fails where
    // the agent is not protected, and then there is nothing to undo.)
    let _ = fs::write(format!("/proc/{}/oom_score_adj", child.id()), "0");

    let outcome = wait(&mut child, end);
    if !matches!(outcome, Ok((_, _, Some(_)))) {
        kill_group(&child);
    }
    let (stdout, stderr, status) = outcome?;
    let timed_out = status.is_none();
    let status = match status {
        Some(status) => status,
        None => child.wait()?,
    };
    let mut output = stdout.kept;
    output.extend_from_slice(&stderr.kept);
    output.truncate(KEPT_OUTPUT);
    Ok(Finished {
        status: exit_code(status),
        output: String::from_utf8_lossy(&output).into_owned(),
        timed_out,
    })
}

/// Waits for the child and reads its output meanwhile. A status of `None` means that the deadline
/// passed.
fn wait(child: &mut Child, end: Instant) -> io::Result<(Output, Output, Option<ExitStatus>)> {
    let exited = pidfd_open(pid(child)?, PidfdFlags::empty())?;
    let mut stdout = Output::new(child.stdout.take().map(OwnedFd::from))?;
    let mut stderr = Output::new(child.stderr.take().map(OwnedFd::from))?;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| ErrorKind::InvalidInput)?;
        let mut fds = vec![PollFd::new(&exited, PollFlags::IN)];
        for output in [&stdout, &stderr] {
            if let Some(pipe) = &output.pipe {
                fds.push(PollFd::new(pipe, PollFlags::IN));
            }
        }
        let ready = match poll(&mut fds, Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => continue,
            ready => ready?,
        };
        // The child's own processes may hold the pipes open forever, so the child's end decides, not
        // theirs.
        let status = child.try_wait()?;
        stdout.read_available()?;
        stderr.read_available()?;
        if status.is_some() || ready == 0 {
            return Ok((stdout, stderr, status));
        }
    }
}

fn pid(child: &Child) -> io::Result<Pid> {
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| ErrorKind::InvalidData.into())
}

fn kill_group(child: &Child) {
    if let Ok(group) = pid(child) {
        // This fails only when no process is left to kill.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// As in a shell.
fn exit_code(status: ExitStatus) -> i32 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => -1,
    }
}

/// One of the command's outputs, until it is closed.
struct Output {
    pipe: Option<OwnedFd>,
    kept: Vec<u8>,
}

impl Output {
    fn new(pipe: Option<OwnedFd>) -> io::Result<Output> {
        if let Some(pipe) = &pipe {
            fcntl_setfl(pipe.as_fd(), OFlags::NONBLOCK)?;
        }
        Ok(Output {
            pipe,
            kept: Vec::new(),
        })
    }

    /// Reads what is available now, and keeps it up to the limit.
    fn read_available(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        // Bounded: a command that prints without end must not make the agent miss its deadline.
        for _ in 0..KEPT_OUTPUT / buffer.len() {
            let Some(pipe) = self.pipe.take() else {
                break;
            };
            let mut file = fs::File::from(pipe);
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    let kept = read.min(KEPT_OUTPUT - self.kept.len());
                    self.kept.extend_from_slice(&buffer[..kept]);
                    self.pipe = Some(file.into());
                }
                Err(error) => {
                    self.pipe = Some(file.into());
                    match error.kind() {
                        ErrorKind::WouldBlock => break,
                        ErrorKind::Interrupted => continue,
                        _ => return Err(error),
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, deadline: Duration) -> io::Result<Finished> {
        run(&["/bin/sh".into(), "-c".into(), script.into()], deadline)
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn output_and_status() {
        let finished = shell("echo err >&2; echo out; exit 3", LONG).expect("it starts");
        assert_eq!(
            finished,
            Finished {
                status: 3,
                output: "out\nerr\n".into(),
                timed_out: false
            }
        );
    }

    #[test]
    fn a_signal_counts_from_128() {
        let finished = shell("kill -9 $$", LONG).expect("it starts");
        assert_eq!(finished.status, 137);
    }

    #[test]
    fn much_output_is_cut() {
        let finished = shell("yes | head -c 1000000", LONG).expect("it starts");
        assert_eq!((finished.status, finished.output.len()), (0, KEPT_OUTPUT));
    }

    #[test]
    fn the_deadline_kills() {
        let finished =
            shell("echo begun; sleep 60", Duration::from_millis(200)).expect("it starts");
        assert!(finished.timed_out);
        assert_eq!(
            (finished.status, finished.output.as_str()),
            (137, "begun\n")
        );
    }

    #[test]
    fn a_child_in_the_background_is_not_waited_for() {
        let began = Instant::now();
        let finished = shell("sleep 15 & echo done", LONG).expect("it starts");
        assert_eq!(finished.output, "done\n");
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let kind = run(&["/no/such".into()], LONG).map_err(|error| error.kind());
        assert_eq!(kind, Err(ErrorKind::NotFound));
    }
}

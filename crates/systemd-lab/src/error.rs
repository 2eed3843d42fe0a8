//! What can go wrong in the lab itself, and what to do about it.
//!
//! None of these is the fault of the service under test: a service's failure is not an error but part
//! of the [`Timeline`](crate::Timeline).

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use systemd_lab_protocol::JobError;

use crate::suite::{DEFAULT_MIRROR, MIRROR_VARIABLE, SUITE_VARIABLE, Suite, suites};

/// What kind of error a [`LabError`] is, for callers that decide what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabErrorKind {
    /// The caller asked for something that does not exist, whatever the lab's state: another suite, an unknown package.
    Usage,
    /// A file for the guest is not one that it can be given.
    File,
    /// A program for the guest cannot be read, or would not start there.
    Program,
    /// The lab could not be set up: its programs, its cache, its image or its snapshot.
    SetUp,
    /// The run took too much time of a processor.
    OutOfTime,
    /// The caller ended the run.
    Interrupted,
    /// The lab is set up but does not work.
    Run,
    /// A file that the caller asked for cannot be written.
    Output,
}

/// What works for those whose machine is not x86-64.
pub(crate) const ELSEWHERE: &str = "use a cloud VM with x86-64 Linux (two cores and 4 GiB suffice), or an x86-64 Linux VM on this machine";

/// Why the lab could not do what was asked. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The guest is x86-64, and the host's binaries must run in it.
    #[error(
        "this machine is {arch}, and the lab needs x86-64: what you build here is run in an x86-64 guest; {ELSEWHERE}"
    )]
    UnsupportedHost {
        /// The host's architecture.
        arch: &'static str,
    },

    /// Programs are missing and could not be installed.
    #[error("the lab needs {} and cannot install packages by itself: {why}; {remedy}", programs.join(" and "))]
    MissingPrograms {
        /// What is missing.
        programs: Vec<String>,
        /// Why they were not installed.
        why: &'static str,
        /// What to do.
        remedy: String,
    },

    /// `apt-get` was run and failed.
    #[error(
        "installing the lab's packages failed; run this and read what it says:\n\n    {command}\n\n{output}"
    )]
    PackageInstall {
        /// The command that installs them.
        command: String,
        /// The end of what `apt-get` printed.
        output: String,
    },

    /// `apt-get` failed to download the packages that another host needs.
    #[error(
        "downloading the Debian packages that hosts need failed; is the network up?\napt-get said:\n{output}"
    )]
    HostPackages {
        /// The end of what `apt-get` printed.
        output: String,
    },

    /// No place for the cache is known.
    #[error(
        "no cache directory: neither HOME nor XDG_CACHE_HOME is set; set SYSTEMD_LAB_CACHE to a directory that you can write to"
    )]
    NoCacheDirectory,

    /// The cache cannot be written.
    #[error("cannot write to the cache directory {}: {source}; change its permissions, or set SYSTEMD_LAB_CACHE to a directory that you can write to", path.display())]
    CacheNotWritable {
        /// The directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },

    /// The disk is full, or would be.
    #[error("the disk of {} has {} MiB left and {}; free some, or set SYSTEMD_LAB_CACHE to a directory on another disk", path.display(), free >> 20, lacking(*needed, *free))]
    DiskFull {
        /// The cache directory.
        path: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },

    /// `ulimit -f` is too low.
    #[error("files may have at most {} KiB here, which is too little for the lab; type: ulimit -f unlimited", limit >> 10)]
    FileSizeLimit {
        /// The limit in bytes.
        limit: u64,
    },

    /// What mmdebstrap left behind cannot be unpacked.
    #[error(
        "the Debian packages that were downloaded for the guest are damaged ({why}); run again, to download them again"
    )]
    DamagedPackages {
        /// What is wrong with it.
        why: String,
    },

    /// The mirror has not been updated for so long that its Release file has expired.
    #[error(
        "the mirror {mirror} has an expired Release file for Debian {suite}: nobody updates it, or this machine's clock is wrong (apt said: {why}); \
         to use its old packages all the same, type {MIRROR_VARIABLE}={DEFAULT_MIRROR} before the command; or name another mirror there, by its URL"
    )]
    ExpiredRelease {
        /// The mirror.
        mirror: String,
        /// The suite of the packages.
        suite: Suite,
        /// For how long, in apt's words.
        why: String,
    },

    /// This is not the URL of a mirror.
    #[error(
        "{url:?} is not a mirror of Debian's archive; expected a URL such as {MIRROR_VARIABLE}=https://mirror.example.org/debian, or the word {DEFAULT_MIRROR}"
    )]
    BadMirror {
        /// What was given.
        url: String,
    },

    /// mmdebstrap failed.
    #[error(
        "building the guest image failed; is the network up? (once the image is built, you do not need one)\nmmdebstrap said:\n{output}"
    )]
    ImageBuild {
        /// The end of what mmdebstrap printed.
        output: String,
    },

    /// mmdebstrap failed to download a package of which only a program is needed.
    #[error(
        "downloading the Debian package {package} failed; is the network up? (once the lab has it, you do not need one)\nmmdebstrap said:\n{output}"
    )]
    PackageDownload {
        /// The package.
        package: String,
        /// The end of what mmdebstrap printed.
        output: String,
    },

    /// The lab cannot build a guest of this suite.
    #[error(
        "unknown Debian suite {name}; the lab supports {}, also as the value of {}",
        suites(),
        SUITE_VARIABLE
    )]
    UnknownSuite {
        /// The requested suite.
        name: String,
    },

    /// The guest's systemd does not know a required setting.
    #[error(
        "this needs systemd {needed} or newer, and the guest's is {systemd} (Debian {suite}); type: unset {}",
        SUITE_VARIABLE
    )]
    SystemdTooOld {
        /// The version that introduced it.
        needed: u32,
        /// The guest's version.
        systemd: u32,
        /// The guest's suite.
        suite: Suite,
    },

    /// This is not the name of a package.
    #[error(
        "{name:?} is not a name of a Debian package; names have lower case letters, digits, `+`, `-` and `.` only, e.g. openssh-server"
    )]
    BadPackageName {
        /// The requested name.
        name: String,
    },

    /// The guest would have too little memory, or more than the host is likely to have.
    #[error("a guest with {mib} MiB of memory is not possible; use {least} to {most} MiB")]
    BadMemory {
        /// The requested size.
        mib: u32,
        /// The least that boots.
        least: u32,
        /// The most that the lab gives a guest.
        most: u32,
    },

    /// Debian does not have these packages.
    #[error("Debian {suite} has no package {}; is it misspelt? https://packages.debian.org/{suite}/ has all names", names.join(" and no package "))]
    UnknownPackage {
        /// The requested packages that do not exist.
        names: Vec<String>,
        /// The suite that was searched.
        suite: Suite,
    },

    /// These packages cannot be in one guest together.
    #[error(
        "these packages cannot be installed together in Debian {suite}; leave one of them out\napt said:\n{output}"
    )]
    PackageConflict {
        /// The suite that they come from.
        suite: Suite,
        /// The end of what apt printed.
        output: String,
    },

    /// A package's own set-up script failed in the guest.
    #[error(
        "the package {package} could not be set up in the guest: its maintainer script failed; leave it out, or please report it\nthe end of the guest's console:\n{console}"
    )]
    PackageSetup {
        /// The package.
        package: String,
        /// The end of the guest's console.
        console: String,
    },

    /// The image that mmdebstrap built, or that was imported, lacks something.
    #[error("the guest image has no {what}; remove {} and run again", path.display())]
    ImageIncomplete {
        /// The missing part.
        what: &'static str,
        /// Where the image is.
        path: PathBuf,
    },

    /// A file that is not an image of this lab.
    #[error("cannot import {}: {why}", path.display())]
    BadArchive {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },

    /// QEMU is installed but does not run correctly.
    #[error(
        "QEMU failed: {what}\n{stderr}\nrun `qemu-system-x86_64 --version`; the lab needs 7.2 or later"
    )]
    Qemu {
        /// What QEMU was doing.
        what: String,
        /// What QEMU printed.
        stderr: String,
    },

    /// The guest did not boot correctly.
    #[error("the guest did not come up: {why}; the end of its console:\n{console}\nremove {} and run again, so that the image is rebuilt", cache.display())]
    BootFailed {
        /// What happened instead.
        why: String,
        /// The end of the guest's console.
        console: String,
        /// The cache directory.
        cache: PathBuf,
    },

    /// The guest was running and went down.
    #[error(
        "the guest ended before the scenario did: it was powered off or rebooted, or its kernel panicked (does a service do that, or take so much memory that nothing is left to kill?); the end of its console:\n{console}"
    )]
    GuestEnded {
        /// The end of the guest's console.
        console: String,
    },

    /// The restored guest sent nothing.
    #[error("the guest is silent: restored from {}, it sent no event within {} s; remove that directory and run again", snapshot.display(), deadline.as_secs())]
    GuestSilent {
        /// The snapshot.
        snapshot: PathBuf,
        /// How long the lab waited, in wall time.
        deadline: Duration,
    },

    /// The guest was running but opened no shell.
    #[error(
        "no shell opened in the guest{}; the end of its console:\n{console}\ndo you replace a file that a shell needs (/etc/profile, bash)? otherwise this is a fault of the lab, please report it",
        after(deadline)
    )]
    NoShell {
        /// How long the lab waited, in wall time; `None` if the guest ended before that.
        deadline: Option<Duration>,
        /// The end of the guest's console.
        console: String,
    },

    /// The host's deadline for a run passed while the guest was still busy.
    #[error("out of time: the run needed more than {} s of a processor and was ended after {virtual_ms} ms of virtual time; a service that computes all the time does this, and so does a QEMU that hangs", deadline.as_secs())]
    OutOfTime {
        /// The deadline, in processor time.
        deadline: Duration,
        /// How long QEMU had a processor. Far less than the deadline if it hung.
        used: Duration,
        /// How far the guest had come, in virtual time since the scenario began.
        virtual_ms: u64,
    },

    /// The caller ended the run: [`RunOptions::interrupted_by`](crate::RunOptions::interrupted_by).
    #[error("the run was interrupted after {virtual_ms} ms of virtual time")]
    Interrupted {
        /// How far the guest had come, in virtual time since the scenario began.
        virtual_ms: u64,
    },

    /// The agent met an error of its own.
    #[error(
        "the lab's agent failed in the guest: {message}; this is a fault of the lab, please report it"
    )]
    Agent {
        /// Its message.
        message: String,
    },

    /// The guest sent something that an agent does not send.
    #[error("the guest sent something that is not an event ({message}); remove {} and run again", snapshot.display())]
    BadEvent {
        /// What is wrong with it.
        message: String,
        /// The snapshot.
        snapshot: PathBuf,
    },

    /// The lab runs, but its systemd does not behave as it should.
    #[error("the lab's self-test failed: {what}; remove {} and run again", snapshot.display())]
    SelfTest {
        /// What was wrong.
        what: &'static str,
        /// The snapshot.
        snapshot: PathBuf,
    },

    /// A binary would not start in the guest because its libraries are missing.
    #[error("{} is linked dynamically (it wants {interpreter}), and the guest has no libraries for it: {}", path.display(), static_remedy())]
    NotStatic {
        /// The binary.
        path: PathBuf,
        /// Its program interpreter.
        interpreter: String,
    },

    /// The guest's kernel would refuse this binary.
    #[error("{} cannot run in the guest: {why}", path.display())]
    NotExecutable {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },

    /// A file would replace something that the lab needs.
    #[error("{path} cannot be put into the guest: {why}; leave it out, or choose another name")]
    LabsOwn {
        /// Where it would be in the guest.
        path: String,
        /// Why the lab needs it.
        why: &'static str,
    },

    /// A file of the scenario does not exist, or cannot be read.
    #[error("cannot read {}: {source}; was it just being saved? then try again, else build it, or fix the path", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },

    /// Something can be read like a file but never ends, or waits for a writer.
    #[error("{} is {kind}; the guest can only be given regular files", path.display())]
    NotRegular {
        /// Where it is.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },

    /// A requested file outside the cache cannot be written.
    #[error("cannot write {}: {source}; choose a file that you can write, on a disk with free space", path.display())]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },

    /// A check that runs on the host, not in the guest, could not be carried out. The message says what to
    /// do.
    #[error("{message}")]
    Host {
        /// The reason, and what to do.
        message: String,
    },

    /// The scenario's files are too large.
    #[error(transparent)]
    Job(#[from] JobError),

    /// The operating system refused something else.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// What the disk lacks. A disk may be full although it has space left, because it holds only a limited
/// number of files.
fn lacking(needed: u64, free: u64) -> String {
    match free < needed {
        true => format!("the lab needs {} MiB", needed >> 20),
        false => "takes no more files (see `df -i`)".to_owned(),
    }
}

fn after(deadline: &Option<Duration>) -> String {
    match deadline {
        Some(deadline) => format!(" within {} s", deadline.as_secs()),
        None => " and powered itself off".to_owned(),
    }
}

/// What to do if the workspace's flags did not reach the compiler. Cargo takes flags from only one place,
/// and the environment wins over `.cargo/config.toml`.
fn static_remedy() -> String {
    match std::env::var("RUSTFLAGS").or_else(|_| std::env::var("CARGO_ENCODED_RUSTFLAGS")) {
        Ok(flags) => format!(
            "RUSTFLAGS is set in your environment ({flags:?}) and replaces the workspace's flags; unset it, or add -Ctarget-feature=+crt-static to it"
        ),
        Err(_) => {
            "build it with -Ctarget-feature=+crt-static (inside the workshop's folder, .cargo/config.toml sees to that)".to_owned()
        }
    }
}

impl LabError {
    /// What kind of error this is.
    pub fn kind(&self) -> LabErrorKind {
        match self {
            LabError::UnknownSuite { .. }
            | LabError::SystemdTooOld { .. }
            | LabError::BadPackageName { .. }
            | LabError::BadMemory { .. }
            | LabError::BadMirror { .. }
            | LabError::UnknownPackage { .. }
            | LabError::PackageConflict { .. }
            | LabError::BadArchive { .. }
            | LabError::LabsOwn { .. } => LabErrorKind::Usage,
            LabError::NotRegular { .. } | LabError::Job(_) => LabErrorKind::File,
            LabError::NotStatic { .. }
            | LabError::NotExecutable { .. }
            | LabError::Unreadable { .. } => LabErrorKind::Program,
            LabError::UnsupportedHost { .. }
            | LabError::MissingPrograms { .. }
            | LabError::PackageInstall { .. }
            | LabError::HostPackages { .. }
            | LabError::NoCacheDirectory
            | LabError::CacheNotWritable { .. }
            | LabError::DiskFull { .. }
            | LabError::FileSizeLimit { .. }
            | LabError::DamagedPackages { .. }
            | LabError::ExpiredRelease { .. }
            | LabError::ImageBuild { .. }
            | LabError::PackageDownload { .. }
            | LabError::PackageSetup { .. }
            | LabError::ImageIncomplete { .. }
            | LabError::BootFailed { .. } => LabErrorKind::SetUp,
            LabError::OutOfTime { .. } => LabErrorKind::OutOfTime,
            LabError::Interrupted { .. } => LabErrorKind::Interrupted,
            LabError::NotWritten { .. } => LabErrorKind::Output,
            LabError::Qemu { .. }
            | LabError::GuestEnded { .. }
            | LabError::GuestSilent { .. }
            | LabError::NoShell { .. }
            | LabError::Agent { .. }
            | LabError::BadEvent { .. }
            | LabError::SelfTest { .. }
            | LabError::Host { .. }
            | LabError::Io { .. } => LabErrorKind::Run,
        }
    }

    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> LabError {
        let what = what.into();
        move |source| LabError::Io { what, source }
    }
}

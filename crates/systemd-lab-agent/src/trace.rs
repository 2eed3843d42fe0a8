//! The kernel's traces: how to turn each on, and the pipe to read it from (kernel documentation, trace/ftrace).

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use rustix::fs::OFlags;

/// Writes these settings in this order into a directory of tracefs (an instance, which is created if it is missing), and opens its
/// pipe. `what` names the traced thing in errors.
///
/// # Errors
///
/// When the kernel has no such setting.
pub fn open(directory: &Path, what: &str, settings: &[(&str, &str)]) -> anyhow::Result<File> {
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make a buffer for the trace of {what}"))?;
    for (name, value) in settings {
        fs::write(directory.join(name), value)
            .with_context(|| format!("cannot write {value:?} to {name} of the trace of {what}"))?;
    }
    OpenOptions::new()
        .read(true)
        // The pipe has no end of file: without this flag, a read would block when there is no more data.
        .custom_flags(OFlags::NONBLOCK.bits() as i32)
        .open(directory.join("trace_pipe"))
        .with_context(|| format!("cannot open the trace of {what}"))
}

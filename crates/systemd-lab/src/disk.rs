//! What room there is for the lab: on the disk of its cache, and in a file.

use std::io;
use std::path::Path;

use rustix::process::{Resource, getrlimit};

use crate::error::LabError;

/// Room for one image and two snapshots (an old one and a new one), with some to spare, in bytes. Snapshots are
/// sparse files: half a gibibyte each at most.
pub(crate) const SPACE_NEEDED: u64 = 1500 << 20;

/// A disk with less free space than this counts as full: file systems keep some for themselves.
pub(crate) const HARDLY_ANY_SPACE: u64 = 16 << 20;

/// How many bytes an ordinary user may still write on the disk of `path`.
pub(crate) fn free_space(path: &Path) -> io::Result<u64> {
    let fs = rustix::fs::statvfs(path)?;
    Ok(fs.f_bavail * fs.f_frsize)
}

/// Memory that processes share is also a file, and `ulimit -f` applies to all files: a process that exceeds it gets a signal.
pub(crate) fn ensure_file_size(needed: u64) -> Result<(), LabError> {
    match getrlimit(Resource::Fsize).current {
        Some(limit) if limit < needed => Err(LabError::FileSizeLimit { limit }),
        _ => Ok(()),
    }
}

/// Turns an error from writing below the cache directory into the variant whose remedy fits.
pub(crate) fn cannot_write(path: &Path) -> impl FnOnce(io::Error) -> LabError {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            let free = free_space(&path).unwrap_or(0);
            // If there is space left, the disk has no room for more files.
            let is_full = free < HARDLY_ANY_SPACE;
            LabError::DiskFull {
                needed: if is_full { SPACE_NEEDED } else { 0 },
                free,
                path,
            }
        }
        io::ErrorKind::FileTooLarge => LabError::FileSizeLimit {
            limit: getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX),
        },
        _ => LabError::CacheNotWritable { path, source },
    }
}

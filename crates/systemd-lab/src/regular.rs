//! Reads files that may turn out to be something else: reading a pipe without a writer would block, and a device would never end.

use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{OFlags, fcntl_setfl};

/// Opens a regular file, also through a link.
///
/// # Errors
///
/// When it cannot be opened, or is not a regular file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // Checked before opening, because opening some devices has side effects.
    ensure_regular(fs::metadata(path)?.file_type())?;
    let file = without_waiting().read(true).open(path)?;
    ensure_regular(file.metadata()?.file_type())?;
    Ok(file)
}

/// Options for opening something that may be a pipe.
pub(crate) fn without_waiting() -> fs::OpenOptions {
    let mut options = File::options();
    options.custom_flags(OFlags::NONBLOCK.bits() as i32);
    options
}

/// The content of a regular file with at most this many bytes.
///
/// # Errors
///
/// As [`open`]; [`io::ErrorKind::FileTooLarge`] when it is longer.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    bounded(open(path)?, most)
}

/// The text of a file, or of a shell's substitute for one: `<(command)`. A pipe without a writer is empty.
///
/// # Errors
///
/// When it cannot be read, is not text, or has more than this many bytes.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let file = without_waiting().read(true).open(path)?;
    if file.metadata()?.file_type().is_fifo() {
        fcntl_setfl(&file, OFlags::empty())?;
    }
    let text = bounded(file, most)?;
    String::from_utf8(text)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text"))
}

fn bounded(file: File, most: u64) -> io::Result<Vec<u8>> {
    let too_large = || {
        let mebibytes = most.div_ceil(1 << 20);
        io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {mebibytes} MiB"),
        )
    };
    if file.metadata()?.len() > most {
        return Err(too_large());
    }
    let mut content = Vec::new();
    file.take(most + 1).read_to_end(&mut content)?;
    match content.len() as u64 > most {
        true => Err(too_large()),
        false => Ok(content),
    }
}

/// The kind of a file that cannot be read to its end; `None` for a regular file and for a directory, which causes an error of its own.
pub(crate) fn kind(of: FileType) -> Option<&'static str> {
    match of {
        of if of.is_fifo() => Some("a named pipe"),
        of if of.is_socket() => Some("a socket"),
        of if of.is_char_device() || of.is_block_device() => Some("a device"),
        _ => None,
    }
}

fn ensure_regular(of: FileType) -> io::Result<()> {
    match kind(of) {
        Some(kind) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("it is {kind}, not a file"),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType as Kind, Mode, mknodat};

    #[test]
    fn only_files_are_read_and_only_up_to_a_limit() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("file");
        fs::write(&file, "12345").expect("there is room");
        assert_eq!(read(&file, 5).expect("it fits"), b"12345");
        let error = read(&file, 4).expect_err("it does not");
        assert_eq!(error.to_string(), "it is larger than 1 MiB");
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, Kind::Fifo, Mode::from_raw_mode(0o600), 0).expect("it can be made");
        let error = |path: &Path| read(path, 5).expect_err("it is not a file").to_string();
        assert_eq!(error(&pipe), "it is a named pipe, not a file");
        assert_eq!(error(Path::new("/dev/zero")), "it is a device, not a file");
        assert_eq!(read_text(&pipe, 5).expect("it is empty"), "");
        read_text(Path::new("/dev/zero"), 5).expect_err("it is endless");
    }
}

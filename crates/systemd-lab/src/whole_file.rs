//! Files that a person asks for, such as a picture or an exported image: they are written completely or not at all.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, fcntl_setfl, linkat, openat};
use rustix::io::Errno;

use crate::regular::without_waiting;

/// As readable as any other new file; the umask still applies.
const NEW_FILE: u32 = 0o666;

/// Writes a file with the help of `fill`, replacing an existing file. The file gets its name when it is complete: a process that is
/// killed leaves nothing behind. A link stays a link; anything that is not a regular file, such as `/dev/stderr`, is written to
/// directly.
///
/// # Errors
///
/// When the file cannot be created or `fill` fails. An existing file is then unchanged.
pub fn write(to: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let to = fs::canonicalize(to).unwrap_or_else(|_| to.to_owned());
    let old = fs::metadata(&to).ok();
    if let Some(old) = &old
        && !old.is_file()
        && !old.is_dir()
    {
        return fill(&mut open_special(&to)?);
    }
    let folder = folder(&to);
    let unnamed = openat(
        CWD,
        &folder,
        OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC,
        Mode::from_raw_mode(NEW_FILE),
    );
    let mut unnamed = match unnamed {
        Ok(file) => File::from(file),
        // This kind of file system has no files without a name.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
            return write_named(&to, &folder, old.as_ref(), fill);
        }
        Err(error) => return Err(error.into()),
    };
    fill(&mut unnamed)?;
    keep_permissions(&unnamed, old.as_ref())?;
    let own = format!("/proc/self/fd/{}", unnamed.as_raw_fd());
    let name_it = |name: &Path| linkat(CWD, &own, CWD, name, AtFlags::SYMLINK_FOLLOW);
    match name_it(&to) {
        Ok(()) => return Ok(()),
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    // Only a rename replaces a file, and a rename needs an existing name.
    let named = tempfile::Builder::new().make_in(&folder, |name| Ok(name_it(name)?))?;
    named.persist(&to)?;
    Ok(())
}

fn write_named(
    to: &Path,
    folder: &Path,
    old: Option<&fs::Metadata>,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let mut named = tempfile::Builder::new()
        .permissions(Permissions::from_mode(NEW_FILE))
        .tempfile_in(folder)?;
    fill(named.as_file_mut())?;
    keep_permissions(named.as_file(), old)?;
    named.persist(to)?;
    Ok(())
}

/// The parent of a bare name is an empty path, which means the current directory.
fn folder(file: &Path) -> PathBuf {
    let parent = file.parent().filter(|it| !it.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}

fn keep_permissions(file: &File, old: Option<&fs::Metadata>) -> io::Result<()> {
    match old {
        Some(old) => file.set_permissions(old.permissions()),
        None => Ok(()),
    }
}

/// Does not wait for a reader: a pipe without a reader is an error.
fn open_special(path: &Path) -> io::Result<File> {
    let file = without_waiting().write(true).open(path)?;
    if file.metadata()?.file_type().is_fifo() {
        fcntl_setfl(&file, OFlags::empty())?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("it is there").flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_made_and_replaced_whole() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("file");
        for content in ["one", "another"] {
            write(&file, |out| out.write_all(content.as_bytes())).expect("there is room");
            assert_eq!(fs::read_to_string(&file).expect("it is there"), content);
            assert_eq!(names(folder.path()), ["file"]);
        }
        fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("it is ours");
        write(&file, |out| out.write_all(b"third")).expect("there is room");
        let mode = file.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }

    #[test]
    fn a_failure_changes_nothing() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("file");
        let fail = |file: &Path| {
            write(file, |out| {
                out.write_all(b"half")?;
                assert!(names(folder.path()).len() < 2, "no second name");
                Err(io::ErrorKind::StorageFull.into())
            })
        };
        fail(&file).expect_err("it failed");
        assert_eq!(names(folder.path()), [""; 0]);
        fs::write(&file, "old").expect("there is room");
        fail(&file).expect_err("it failed");
        assert_eq!(fs::read_to_string(&file).expect("it is there"), "old");
    }

    #[test]
    fn a_link_stays_a_link_and_a_device_a_device() {
        let folder = tempfile::tempdir().expect("a directory");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").expect("there is room");
        symlink("file", &link).expect("it can be linked");
        write(&link, |out| out.write_all(b"new")).expect("there is room");
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&file).expect("it is there"), "new");
        let full = write(Path::new("/dev/full"), |out| out.write_all(b"x"));
        assert_eq!(
            full.expect_err("it is full").kind(),
            io::ErrorKind::StorageFull
        );
        write(Path::new("/dev/null"), |out| out.write_all(b"x")).expect("it takes everything");
    }

    #[test]
    fn a_pipe_without_a_reader_is_an_error() {
        let folder = tempfile::tempdir().expect("a directory");
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(
            CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .expect("it can be made");
        write(&pipe, |out| out.write_all(b"x")).expect_err("nobody reads it");
    }
}

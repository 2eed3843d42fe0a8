//! Puts files into the guest.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A file's name until it is complete. Its length is fixed, because the final name may be as long as names can
/// be.
const TEMPORARY: &str = ".systemd-lab.new";

/// Writes a file with exactly these permission bits, replaces an existing one, and creates its
/// parent directories.
///
/// The new file replaces the old one atomically: a service that reads its configuration never sees
/// half of it, and a running binary can be replaced.
///
/// # Errors
///
/// When the path is not absolute or names no file, or when writing fails.
pub fn write_file(path: &str, content: &[u8], mode: u32) -> io::Result<()> {
    let path = Path::new(path);
    let (Some(parent), Some(_), true) = (path.parent(), path.file_name(), path.is_absolute())
    else {
        return Err(ErrorKind::InvalidInput.into());
    };
    let temporary = parent.join(TEMPORARY);
    let mut file = match File::create(&temporary) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fs::create_dir_all(parent)?;
            File::create(&temporary)?
        }
        file => file?,
    };
    file.write_all(content)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    drop(file);
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_mode_and_content() {
        let root = std::env::temp_dir().join(format!("lab-agent-files-{}", std::process::id()));
        let path = root.join("a/b/c.conf");
        let name = path.to_str().expect("it is text");
        write_file(name, b"old content", 0o600).expect("it can be written");
        write_file(name, b"new", 0o751).expect("it can be written again");
        assert_eq!(fs::read(&path).expect("it is there"), b"new");
        let mode = fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o751);
        let longest = root.join("n".repeat(255));
        write_file(longest.to_str().expect("it is text"), b"x", 0o600).expect("it is short enough");
        let siblings = fs::read_dir(root.join("a/b")).expect("it is there").count();
        assert_eq!(siblings, 1);
        fs::remove_dir_all(root).expect("it can be removed");
    }

    #[test]
    fn only_absolute_paths() {
        let kind = |path| write_file(path, b"", 0o644).map_err(|error| error.kind());
        assert_eq!(kind("relative"), Err(ErrorKind::InvalidInput));
        assert_eq!(kind("/"), Err(ErrorKind::InvalidInput));
    }
}

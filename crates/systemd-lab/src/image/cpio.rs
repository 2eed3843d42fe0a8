//! Writes initramfs archives: cpio in the "newc" format, as the kernel's
//! Documentation/driver-api/early-userspace/buffer-format.rst describes it.
//!
//! Everything belongs to root and has a fixed time, so that the same content gives the same bytes.

use std::collections::HashMap;
use std::io::{self, Read, Write};

/// A damaged archive may claim any size for its files.
const LARGEST_GUESS: u64 = 256 << 20;

const S_IFDIR: u32 = 0o040000;
const S_IFREG: u32 = 0o100000;
const S_IFLNK: u32 = 0o120000;

/// Headers, names and contents are padded to this.
const ALIGNMENT: usize = 4;

pub(crate) struct Archive<W: Write> {
    out: W,
    next_inode: u32,
    /// The time of every entry, in seconds since 1970.
    modified_s: u32,
}

impl<W: Write> Archive<W> {
    pub(crate) fn new(out: W) -> Archive<W> {
        Archive {
            out,
            next_inode: 1,
            modified_s: 0,
        }
    }

    /// Sets the time of the entries that follow.
    pub(crate) fn set_modified(&mut self, seconds: u32) {
        self.modified_s = seconds;
    }

    pub(crate) fn directory(&mut self, path: &str, mode: u32) -> io::Result<()> {
        self.entry(path, S_IFDIR | mode, &[])
    }

    pub(crate) fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.entry(path, S_IFREG | mode, content)
    }

    pub(crate) fn symlink(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.entry(path, S_IFLNK | 0o777, target.as_bytes())
    }

    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.entry("TRAILER!!!", 0, &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        let size = u32::try_from(content.len()).map_err(|_| {
            io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("{path} is larger than 4 GiB"),
            )
        })?;
        let fields = [
            self.next_inode,
            mode,
            0, // uid
            0, // gid
            1, // links
            self.modified_s,
            size,
            0, // device, major
            0, // device, minor
            0, // special file, major
            0, // special file, minor
            path.len() as u32 + 1,
            0, // checksum, unused in this format
        ];
        self.next_inode += 1;
        let mut header = String::from("070701");
        for field in fields {
            header.push_str(&format!("{field:08X}"));
        }
        let mut head = header.into_bytes();
        head.extend_from_slice(path.as_bytes());
        head.push(0);
        head.resize(head.len().next_multiple_of(ALIGNMENT), 0);
        self.out.write_all(&head)?;
        self.out.write_all(content)?;
        let padding = content.len().next_multiple_of(ALIGNMENT) - content.len();
        self.out.write_all(&[0; ALIGNMENT][..padding])
    }
}

/// Copies those entries of a tar archive that `keep` accepts. Paths have no leading `/` or `./`.
pub(crate) fn copy_tar<W: Write>(
    tar: impl Read,
    archive: &mut Archive<W>,
    keep: impl Fn(&str) -> bool,
    mut each_file: impl FnMut(&str, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut tar = tar::Archive::new(tar);
    // A hard link in tar names an earlier entry; here, every name gets its own copy. Only linked
    // files need this, but which files are linked is not known in advance.
    let mut contents: HashMap<String, Vec<u8>> = HashMap::new();
    for entry in tar.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        let name = entry.path()?.to_string_lossy().into_owned();
        let path = match clean(&name) {
            // `bin` itself, which links to `usr/bin`.
            link if kind.is_symlink() && !link.contains('/') => link.to_owned(),
            other => place(other),
        };
        if path.is_empty() {
            continue;
        }
        let mode = entry.header().mode()? & 0o7777;
        let target = entry
            .link_name()?
            .map(|target| target.to_string_lossy().into_owned());
        if kind.is_file() {
            let mut content = Vec::with_capacity(entry.size().min(LARGEST_GUESS) as usize);
            entry.read_to_end(&mut content)?;
            each_file(&path, &content)?;
            if keep(&path) {
                archive.file(&path, mode, &content)?;
            }
            contents.insert(path, content);
        } else if !keep(&path) {
        } else if kind.is_dir() {
            archive.directory(&path, mode)?;
        } else if let Some(target) = target {
            if kind.is_symlink() {
                archive.symlink(&path, &target)?;
            } else if let Some(content) = contents.get(&place(&target)) {
                archive.file(&path, mode, content)?;
            }
        }
    }
    Ok(())
}

/// The path of a package's file in the guest, without leading `/` or `./`. Packages before Debian 13 contain `/bin`,
/// `/sbin` and `/lib`, which are links into `/usr` on every system: file-hierarchy(7).
pub(crate) fn place(path: &str) -> String {
    let path = clean(path);
    match path.split('/').next() {
        Some("bin" | "sbin" | "lib" | "lib64") => format!("usr/{path}"),
        _ => path.to_owned(),
    }
}

fn clean(path: &str) -> &str {
    path.trim_start_matches("./").trim_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let mut archive = Archive::new(Vec::new());
        archive
            .file("ab", 0o644, b"hello")
            .expect("a Vec takes all");
        let bytes = archive.finish().expect("a Vec takes all");
        let text = String::from_utf8_lossy(&bytes);
        // inode 1, mode 0100644, one link, five bytes, a name of three with its NUL
        assert!(
            text.starts_with(
                "07070100000001000081A4000000000000000000000001000000000000000500000000"
            )
        );
        // 110 bytes of header and 3 of name are padded to 116.
        assert_eq!(&bytes[110..121], b"ab\0\0\0\0hello".as_slice());
        assert!(text.contains("TRAILER!!!"));
        assert_eq!(bytes.len() % ALIGNMENT, 0);
    }
}

//! The contents of an image: the names in its archive.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// A header in the "newc" format: a magic number, then fields of eight hexadecimal digits.
const HEADER_SIZE: usize = 110;
const MAGIC: &[u8] = b"070701";
const FILE_SIZE: usize = 54;
const NAME_SIZE: usize = 94;
const FIELD: usize = 8;

/// Names and contents are padded to this.
const ALIGNMENT: u64 = 4;

const LAST_NAME: &str = "TRAILER!!!";

/// All paths in an archive, without a leading slash. It skips the contents, and takes some milliseconds.
pub(crate) fn paths(initrd: &Path) -> io::Result<HashSet<String>> {
    let file = File::open(initrd)?;
    let length = file.metadata()?.len();
    let mut archive = BufReader::new(file);
    let mut paths = HashSet::new();
    let mut at = 0;
    while at < length {
        let mut header = [0; HEADER_SIZE];
        archive.read_exact(&mut header)?;
        let field = |at: usize| {
            let digits = std::str::from_utf8(&header[at..at + FIELD]).ok()?;
            u64::from_str_radix(digits, 16).ok()
        };
        let sizes = field(NAME_SIZE).zip(field(FILE_SIZE));
        let (name_size, file_size) = sizes
            .filter(|_| header.starts_with(MAGIC))
            .ok_or(io::ErrorKind::InvalidData)?;
        let mut name = Vec::new();
        archive.by_ref().take(name_size).read_to_end(&mut name)?;
        let name = String::from_utf8_lossy(&name);
        let name = name.trim_end_matches('\0');
        if name == LAST_NAME {
            break;
        }
        paths.insert(name.to_owned());
        let content = (at + HEADER_SIZE as u64 + name_size).next_multiple_of(ALIGNMENT);
        at = (content + file_size).next_multiple_of(ALIGNMENT);
        archive.seek(SeekFrom::Start(at))?;
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::cpio::Archive;

    #[test]
    fn every_name_is_found() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("initrd");
        let file = File::create(&path).expect("it can be made");
        let mut archive = Archive::new(file);
        for (name, content) in [("a", "x"), ("usr/lib/libx.so", "12345"), ("empty", "")] {
            let written = archive.file(name, 0o644, content.as_bytes());
            written.expect("there is room");
        }
        archive.finish().expect("there is room");
        let expected = ["a", "usr/lib/libx.so", "empty"].map(str::to_owned);
        assert_eq!(paths(&path).expect("it is whole"), expected.into());
    }
}

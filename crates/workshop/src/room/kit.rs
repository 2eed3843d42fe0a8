//! The format of a kit: a plain tar archive, so that `tar` alone can begin with it.
//!
//! | entry | what it is |
//! |---|---|
//! | `room.json` | the first entry: a [`Label`] |
//! | `workshop/` | a clone, with `vendor/` and `.cargo/offline.toml` in it: cargo can build it without a network |
//! | `guest.image` | what `image export` writes |
//! | `guide/` | the built guide |
//! | `packages/` | Debian packages for the machines; absent if the kit was made where there is no apt-get |
//! | `sha256` | the last entry: the checksum of all bytes before it |

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Changes with the format.
const FORMAT: u32 = 1;

pub(super) const LABEL: &str = "room.json";
pub(super) const CLONE: &str = "workshop";
pub(super) const IMAGE: &str = "guest.image";
pub(super) const GUIDE: &str = "guide";
pub(super) const PACKAGES: &str = "packages";
const CHECKSUM: &str = "sha256";

/// A label has a few lines.
const LARGEST_LABEL: u64 = 64 << 10;

/// How much is read at a time.
const BUFFER: usize = 1 << 20;

/// What a kit is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Label {
    format: u32,
    /// The commit of the clone in it, and its date: what people compare.
    pub(super) commit: String,
    /// The SHA-256 of the clone's `Cargo.lock`: the crates are those.
    pub(super) lock: String,
    /// The release that the Debian packages are for, e.g. `debian trixie`, if there are any.
    pub(super) release: Option<String>,
}

impl Label {
    pub(super) fn new(commit: String, lock: String, release: Option<String>) -> Label {
        Label {
            format: FORMAT,
            commit,
            lock,
            release,
        }
    }
}

/// Why a file cannot be used as a kit.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// There is no label.
    #[error(
        "it is not a kit; on a machine with a network, `cargo workshop room export FILE` makes one"
    )]
    NotAKit,
    /// The format is not this program's.
    #[error(
        "it has format {0}, and this version of the workshop reads format {FORMAT}; make it again with this version"
    )]
    OtherFormat(u32),
    /// The end is missing.
    #[error("its end is missing; copy it again")]
    Incomplete,
    /// The checksum differs.
    #[error("it is damaged: its checksum is wrong; copy it again")]
    Damaged,
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

/// Writes a kit.
pub(super) struct Writer<W: Write> {
    tar: tar::Builder<Hashing<W>>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(to: W, label: &Label) -> io::Result<Writer<W>> {
        let to = Hashing {
            to,
            hash: Sha256::new(),
        };
        let mut writer = Writer {
            tar: tar::Builder::new(to),
        };
        writer.tar.follow_symlinks(false);
        writer.text(LABEL, &(serde_json::to_string_pretty(label)? + "\n"))?;
        Ok(writer)
    }

    /// A file, with this content.
    pub(super) fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        self.tar.append_data(&mut header, name, text.as_bytes())
    }

    /// A file of this machine.
    pub(super) fn file(&mut self, name: &str, file: &Path) -> io::Result<()> {
        self.tar.append_path_with_name(file, name)
    }

    /// A folder of this machine, with everything in it.
    pub(super) fn folder(&mut self, name: &str, folder: &Path) -> io::Result<()> {
        self.tar.append_dir_all(name, folder)
    }

    /// Writes the checksum, and the archive's end.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let hash = self.tar.get_ref().hash.clone();
        self.text(CHECKSUM, &hex(hash))?;
        self.tar.into_inner()?.to.flush()
    }
}

struct Hashing<W> {
    to: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// A kit whose label has been read.
pub(super) struct Kit {
    file: File,
    pub(super) label: Label,
}

impl Kit {
    /// Reads the label, and nothing else.
    pub(super) fn open(path: &Path) -> Result<Kit, Fault> {
        let file = File::open(path)?;
        let mut archive = tar::Archive::new(&file);
        let entry = archive.entries()?.next().ok_or(Fault::NotAKit)?;
        let entry = entry.map_err(|_| Fault::NotAKit)?;
        if entry.path().map_err(|_| Fault::NotAKit)?.as_ref() != Path::new(LABEL) {
            return Err(Fault::NotAKit);
        }
        /// The part of a label that each format has.
        #[derive(Deserialize)]
        struct AnyLabel {
            format: u32,
        }
        let mut text = Vec::new();
        entry.take(LARGEST_LABEL).read_to_end(&mut text)?;
        let any: AnyLabel = serde_json::from_slice(&text).map_err(|_| Fault::NotAKit)?;
        if any.format != FORMAT {
            return Err(Fault::OtherFormat(any.format));
        }
        let label = serde_json::from_slice(&text).map_err(|_| Fault::NotAKit)?;
        Ok(Kit { file, label })
    }

    /// Compares the checksum, which is read from the end.
    pub(super) fn verify(&mut self) -> Result<(), Fault> {
        self.file.rewind()?;
        let mut archive = tar::Archive::new(&self.file);
        let mut checksum = None;
        for entry in archive.entries_with_seek()? {
            let mut entry = entry.map_err(|_| Fault::Incomplete)?;
            if entry.path_bytes().as_ref() == CHECKSUM.as_bytes() {
                let mut text = String::new();
                entry
                    .read_to_string(&mut text)
                    .map_err(|_| Fault::Incomplete)?;
                checksum = Some((entry.raw_header_position(), text));
            }
        }
        let (end, expected) = checksum.ok_or(Fault::Incomplete)?;
        self.file.rewind()?;
        let mut hash = Sha256::new();
        let mut rest = BufReader::with_capacity(BUFFER, &self.file).take(end);
        let mut buffer = vec![0; BUFFER];
        loop {
            match rest.read(&mut buffer)? {
                0 => break,
                read => hash.update(&buffer[..read]),
            }
        }
        match hex(hash) == expected.trim() {
            true => Ok(()),
            false => Err(Fault::Damaged),
        }
    }

    /// Unpacks the entry of this name to this path, and what is below it. Returns how many entries there were.
    pub(super) fn unpack(&mut self, name: &str, to: &Path) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut archive = tar::Archive::new(BufReader::with_capacity(BUFFER, &self.file));
        let mut count = 0;
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = entry.path()?.into_owned();
            let Ok(inside) = path.strip_prefix(name) else {
                continue;
            };
            // Never outside the folder: nothing but the checksum says who made the kit.
            let is_plain = inside
                .components()
                .all(|part| matches!(part, std::path::Component::Normal(_)));
            if !is_plain {
                continue;
            }
            // Joining an empty path would add a slash: the name of a folder.
            let at = match inside.as_os_str().is_empty() {
                true => to.to_owned(),
                false => to.join(inside),
            };
            if let Some(parent) = at.parent() {
                std::fs::create_dir_all(parent)?;
            }
            entry.unpack(&at)?;
            count += 1;
        }
        Ok(count)
    }
}

/// The SHA-256 of some bytes, as in a label.
pub(super) fn digest(bytes: &[u8]) -> String {
    hex(Sha256::new_with_prefix(bytes))
}

fn hex(hash: Sha256) -> String {
    let bytes = hash.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! The image as one file: for a room without a network.
//!
//! A zstd-compressed tar archive of `key`, `manifest.json`, `kernel` and `initrd`, in this order. The key shows whether this version of
//! the lab can use it; the manifest has lengths and checksums. Both are read before anything is unpacked, so that a wrong file neither
//! fills the disk nor replaces a good image.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::{Image, entry_key, key};
use crate::cache::{Cache, Kind, MANIFEST, Manifest, create_file};
use crate::disk;
use crate::error::LabError;
use crate::guest::Guest;
use crate::progress::Step;
use crate::suite::{SUITE_VARIABLE, Suite};
use crate::{regular, whole_file};

/// Slow to make, quick to read, and about 10 % smaller than with zstd's default: it is made once and read forty times.
const COMPRESSION_LEVEL: i32 = 19;

/// The file in the archive that names the recipe.
const KEY_FILE: &str = "key";

/// A key has 16 letters, a manifest about a hundred.
const LARGEST_TEXT: u64 = 64 << 10;

/// The kernel and packages of the default guest take a tenth of it.
const LARGEST_FILE: u64 = 1 << 30;

/// What the disk needs in addition to the files, because it uses whole blocks.
const SPARE: u64 = 16 << 20;

/// How much is unpacked at a time.
const BUFFER: usize = 1 << 20;

pub(crate) fn export(cache: &Cache, guest: &Guest, to: &Path) -> Result<(), LabError> {
    let image = {
        let _lock = cache.lock(|| {})?;
        // A damaged image must not be carried to forty machines.
        Image::provide_unless(cache, guest, Manifest::is_whole)?
    };
    let names = Kind::Image.files().iter();
    let sizes = names.map(|name| Ok(image.dir.join(name).metadata()?.len()));
    let bytes = sizes
        .sum::<io::Result<u64>>()
        .map_err(disk::cannot_write(&image.dir))?;
    let step = Step::of_bytes("Compressing the guest image", bytes);
    whole_file::write(to, |file| write(&image, file, &step)).map_err(|source| {
        LabError::NotWritten {
            path: to.to_owned(),
            source,
        }
    })?;
    step.finish();
    Ok(())
}

fn write(image: &Image, to: &mut File, step: &Step) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(to, COMPRESSION_LEVEL)?;
    let mut tar = tar::Builder::new(step.counting(&mut encoder));
    let mut header = tar::Header::new_gnu();
    let key = key(&image.guest);
    header.set_size(key.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, KEY_FILE, key.as_bytes())?;
    for name in [&MANIFEST].into_iter().chain(Kind::Image.files()) {
        tar.append_path_with_name(image.dir.join(name), name)?;
    }
    tar.finish()?;
    drop(tar);
    encoder.finish()?;
    Ok(())
}

/// Why an archive is refused.
enum Fault {
    /// The archive is at fault.
    Archive(String),
    Lab(LabError),
}

impl From<LabError> for Fault {
    fn from(error: LabError) -> Fault {
        Fault::Lab(error)
    }
}

/// For everything that cannot be read.
fn damaged<T>(_: T) -> Fault {
    Fault::Archive("it is damaged, or no image at all; copy it again".to_owned())
}

pub(crate) fn import(cache: &Cache, guest: &Guest, from: &Path) -> Result<(), LabError> {
    let file = regular::open(from).map_err(|source| LabError::Unreadable {
        path: from.to_owned(),
        source,
    })?;
    let _lock = cache.lock(|| {})?;
    let step = Step::begin("Unpacking the guest image");
    unpack(cache, guest, file).map_err(|fault| match fault {
        Fault::Lab(error) => error,
        Fault::Archive(why) => LabError::BadArchive {
            path: from.to_owned(),
            why,
        },
    })?;
    step.finish();
    Ok(())
}

fn unpack(cache: &Cache, guest: &Guest, archive: File) -> Result<(), Fault> {
    let decoder = zstd::Decoder::new(archive).map_err(damaged)?;
    let mut archive = tar::Archive::new(decoder);
    let mut entries = archive.entries().map_err(damaged)?;
    let mut next = |name: &str| {
        let entry = entries
            .next()
            .ok_or_else(|| damaged(()))?
            .map_err(damaged)?;
        let is_it = entry.path().is_ok_and(|path| path == Path::new(name));
        match is_it && entry.header().entry_type().is_file() {
            true => Ok(entry),
            false => Err(Fault::Archive(format!(
                "it has something else in the place of `{name}`; it is not an image, or one of another version"
            ))),
        }
    };
    let found = text(next(KEY_FILE)?)?;
    check_key(guest, &String::from_utf8_lossy(&found))?;
    let manifest =
        Manifest::parse(Kind::Image, &text(next(MANIFEST)?)?).ok_or_else(|| damaged(()))?;
    let lengths = Kind::Image.files().iter();
    let lengths: Vec<u64> = lengths
        .map(|name| manifest.bytes_of(name).unwrap_or(0))
        .collect();
    if lengths.iter().any(|bytes| *bytes > LARGEST_FILE) {
        let most = LARGEST_FILE >> 20;
        return Err(Fault::Archive(format!(
            "it says that it unpacks to files of more than {most} MiB, which no image has; copy it again"
        )));
    }
    cache.ensure_space(lengths.iter().sum::<u64>() + SPARE)?;
    let build = cache.build_dir()?;
    for (name, bytes) in Kind::Image.files().iter().zip(lengths) {
        let mut entry = next(name)?;
        if entry.size() != bytes {
            return Err(damaged(()));
        }
        let on_error = || disk::cannot_write(cache.root());
        let mut out = create_file(&build.path().join(name)).map_err(on_error())?;
        // An image of Debian testing is as old as its packages, not as its import.
        let written = entry.header().mtime().map_err(damaged)?;
        copy(&mut entry, &mut out, bytes, |error| on_error()(error))?;
        out.set_modified(UNIX_EPOCH + Duration::from_secs(written))
            .map_err(on_error())?;
    }
    if entries.next().is_some() {
        return Err(Fault::Archive(
            "it has more in it than an image; copy it again".to_owned(),
        ));
    }
    build
        .write_manifest(&manifest)
        .map_err(disk::cannot_write(cache.root()))?;
    if !Manifest::is_whole(Kind::Image, build.path()) {
        return Err(Fault::Archive(
            "its checksums do not match; copy it again".to_owned(),
        ));
    }
    cache.publish(build, Kind::Image, &entry_key(guest))?;
    Ok(())
}

/// Reads a short file of the archive.
fn text(entry: impl Read) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::new();
    entry
        .take(LARGEST_TEXT)
        .read_to_end(&mut text)
        .map_err(damaged)?;
    Ok(text)
}

fn check_key(guest: &Guest, found: &str) -> Result<(), Fault> {
    let other_suite = |suite: &Suite| *suite != guest.suite() && found == key(&Guest::new(*suite));
    if let Some(suite) = Suite::ALL.iter().find(|suite| other_suite(suite)) {
        return Err(Fault::Archive(format!(
            "it is of Debian {suite}, and Debian {} is wanted; type {SUITE_VARIABLE}={suite} before the command",
            guest.suite()
        )));
    }
    match found == key(guest) {
        true => Ok(()),
        false => Err(Fault::Archive(
            "it was made by another version of this workshop; export it again with this one"
                .to_owned(),
        )),
    }
}

/// Copies this many bytes. A read error is the archive's fault, a write error the disk's.
fn copy(
    from: &mut impl Read,
    to: &mut impl Write,
    bytes: u64,
    on_write_error: impl Fn(io::Error) -> LabError,
) -> Result<(), Fault> {
    let mut buffer = vec![0; BUFFER];
    let mut left = bytes;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(BUFFER).min(BUFFER);
        let length = from.read(&mut buffer[..most]).map_err(damaged)?;
        if length == 0 {
            return Err(damaged(()));
        }
        to.write_all(&buffer[..length]).map_err(&on_write_error)?;
        left -= length as u64;
    }
    Ok(())
}

//! The image as one file: for a room without a network.
//!
//! A zstd-compressed tar archive of `manifest.json`, `kernel` and `initrd`. The manifest holds the checksums, and the
//! key in it tells whether this version of the lab can use it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::{Image, key};
use crate::cache::{Cache, Manifest};
use crate::error::LabError;
use crate::guest::{Guest, SUITE_VARIABLE, Suite};
use crate::progress::Step;
use crate::whole_file;

/// Slow to make, quick to read, and some 10 % smaller than zstd's default: it is made once and read forty times.
const COMPRESSION_LEVEL: i32 = 19;

/// Files of the archive, in order: the manifest first, so that a wrong file is found out at once.
const FILES: [&str; 3] = ["manifest.json", "kernel", "initrd"];

/// Names the recipe inside the archive.
const KEY_FILE: &str = "key";

pub(crate) fn export(cache: &Cache, guest: &Guest, to: &Path) -> Result<(), LabError> {
    let image = {
        let _lock = cache.lock(|| {})?;
        Image::provide(cache, guest)?
    };
    let step = Step::begin("Compressing the guest image");
    whole_file::write(to, |file| write(&image, file)).map_err(|source| LabError::NotWritten {
        path: to.to_owned(),
        source,
    })?;
    step.finish();
    Ok(())
}

fn write(image: &Image, to: &mut File) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(to, COMPRESSION_LEVEL)?;
    let mut tar = tar::Builder::new(&mut encoder);
    let mut header = tar::Header::new_gnu();
    let key = key(&image.guest);
    header.set_size(key.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, KEY_FILE, key.as_bytes())?;
    for name in FILES {
        tar.append_path_with_name(image.dir.join(name), name)?;
    }
    tar.finish()?;
    drop(tar);
    encoder.finish()?;
    Ok(())
}

pub(crate) fn import(cache: &Cache, guest: &Guest, from: &Path) -> Result<(), LabError> {
    let refuse = |why: &str| LabError::BadArchive {
        path: from.to_owned(),
        why: why.to_owned(),
    };
    let file = File::open(from).map_err(|source| LabError::Unreadable {
        path: from.to_owned(),
        source,
    })?;
    let _lock = cache.lock(|| {})?;
    let step = Step::begin("Unpacking the guest image");
    let build = cache.build_dir()?;
    let damaged = |_| refuse("it is damaged, or no image at all; copy it again");
    let decoder = zstd::Decoder::new(file).map_err(damaged)?;
    for entry in tar::Archive::new(decoder).entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = entry
            .path()
            .map_err(damaged)?
            .to_string_lossy()
            .into_owned();
        if name == KEY_FILE || FILES.contains(&name.as_str()) {
            let mut out =
                File::create(build.path().join(&name)).map_err(LabError::cache(cache.root()))?;
            io::copy(&mut entry, &mut out).map_err(damaged)?;
        }
    }
    if !Manifest::is_whole(build.path()) {
        return Err(refuse("its checksums do not match; copy it again"));
    }
    let found = fs::read_to_string(build.path().join(KEY_FILE)).unwrap_or_default();
    let other_suite = |suite: &Suite| *suite != guest.suite() && found == key(&Guest::new(*suite));
    if let Some(suite) = Suite::ALL.iter().find(|suite| other_suite(suite)) {
        return Err(refuse(&format!(
            "it is of Debian {suite}, and Debian {} is wanted; type {SUITE_VARIABLE}={suite} before the command",
            guest.suite()
        )));
    }
    if found != key(guest) {
        return Err(refuse(
            "it was made by another version of this workshop; export it again with this one",
        ));
    }
    fs::remove_file(build.path().join(KEY_FILE)).map_err(LabError::cache(cache.root()))?;
    fs::remove_file(build.path().join("manifest.json")).map_err(LabError::cache(cache.root()))?;
    cache.publish(build, "image", &found)?;
    step.finish();
    Ok(())
}

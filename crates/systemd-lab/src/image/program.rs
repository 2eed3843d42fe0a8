//! A program from a Debian package that no guest can have, because it excludes one that every guest needs: sysvinit's
//! `init`, for example.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use crate::cache::{Cache, Kind, Manifest, create_file, key_of};
use crate::disk;
use crate::error::LabError;
use crate::guest::Guest;
use crate::image::cpio::place;
use crate::image::{ARCHIVE, OUTPUT_LINES, expired, mmdebstrap, refusal};
use crate::packages;
use crate::progress::Step;

/// The package and what it depends on, as one archive, and the program. sysvinit's takes 17 MB.
const SPACE_NEEDED: u64 = 256 << 20;

/// The program's path in the cache; downloads the package if it is not there. `path` is the program's path in the package.
pub(crate) fn provide(
    cache: &Cache,
    guest: &Guest,
    package: &str,
    path: &str,
) -> Result<PathBuf, LabError> {
    // A guest checks the name, and `refusal` looks for the package there.
    let wanted = Guest::new(guest.suite()).package(package)?;
    let wanted = match guest.chosen_mirror() {
        None => wanted,
        Some(mirror) => wanted.mirror(mirror)?,
    };
    let suite = guest.suite().codename();
    let parts = [suite, package, path].into_iter();
    let key = key_of(parts.chain(guest.chosen_mirror()).map(str::as_bytes));
    let entry = cache.entry(Kind::Program, &key);
    let program = entry.join(Kind::Program.files()[0]);
    let is_there = || Manifest::looks_whole(Kind::Program, &entry);
    if is_there() {
        return Ok(program);
    }
    let _lock = cache.lock(|| {})?;
    if is_there() {
        return Ok(program);
    }
    packages::for_image()?;
    cache.ensure_space(SPACE_NEEDED)?;
    let build = cache.build_dir()?;
    let step = Step::begin(format!("Downloading {package}"));
    let output = mmdebstrap(&wanted, &[package], build.path())
        .output()
        .map_err(LabError::io("running mmdebstrap"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let error = refusal(&wanted, &text).or_else(|| expired(&wanted, &text));
        return Err(error.unwrap_or_else(|| LabError::PackageDownload {
            package: package.to_owned(),
            output: packages::last_lines(&text, OUTPUT_LINES),
        }));
    }
    take(build.path(), path)?;
    cache.publish(build, Kind::Program, &key)?;
    step.finish();
    Ok(program)
}

/// Takes the program out of the archive, and removes the archive.
fn take(dir: &Path, path: &str) -> Result<(), LabError> {
    let archive = dir.join(ARCHIVE);
    let damaged = |error: io::Error| LabError::DamagedPackages {
        why: error.to_string(),
    };
    let tar = BufReader::new(File::open(&archive).map_err(damaged)?);
    let mut tar = tar::Archive::new(tar);
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = entry.path().map_err(damaged)?;
        if place(&name.to_string_lossy()) != path {
            continue;
        }
        let program = dir.join(Kind::Program.files()[0]);
        create_file(&program)
            .and_then(|mut file| {
                io::copy(&mut entry, &mut file)?;
                file.sync_all()?;
                std::fs::remove_file(&archive)
            })
            .map_err(disk::cannot_write(dir))?;
        return Ok(());
    }
    Err(LabError::DamagedPackages {
        why: format!("there is no /{path} in them"),
    })
}

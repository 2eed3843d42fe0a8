//! What the lab has made on this machine: the cache, the image and the snapshot in it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Finding, Remedy, State};
use crate::cache::{Cache, Condition, Kind, Manifest};
use crate::disk::{SPACE_NEEDED, free_space};
use crate::error::LabError;
use crate::guest::Guest;
use crate::image::Image;
use crate::packages;
use crate::snapshot::Snapshot;
use crate::suite::{MIRROR_VARIABLE, SUITE_VARIABLE, Suite};

/// `st_blocks` counts blocks of this size, whatever the disk's own block size is: stat(2).
const BLOCK: u64 = 512;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The contents of the cache.
pub(super) struct Parts {
    cache: Result<(Cache, Guest), LabError>,
    image: Condition,
    snapshot: Condition,
}

impl Parts {
    pub(super) fn look() -> Parts {
        let cache = Cache::locate().and_then(|cache| Ok((cache, Guest::from_environment()?)));
        let (mut image, mut snapshot) = (Condition::Absent, Condition::Absent);
        if let Ok((cache, guest)) = &cache {
            image = Manifest::condition(Kind::Image, &Image::place(cache, guest));
            let usable = matches!(image, Condition::Whole | Condition::Touched);
            if usable && let Some(place) = place_of_snapshot(cache, guest) {
                snapshot = Manifest::condition(Kind::Snapshot, &place);
            }
        }
        Parts {
            cache,
            image,
            snapshot,
        }
    }

    /// Whether the image has to be built. An image of which only times changed is most likely good.
    pub(super) fn need_image(&self) -> bool {
        matches!(self.image, Condition::Absent | Condition::Damaged)
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        let (cache, guest) = match &self.cache {
            Ok((cache, guest)) => (cache, guest),
            Err(error @ LabError::UnknownSuite { .. }) => {
                return vec![wrong("suite", SUITE_VARIABLE, error)];
            }
            Err(error @ LabError::BadMirror { .. }) => {
                return vec![wrong("mirror", MIRROR_VARIABLE, error)];
            }
            Err(error) => {
                let advice =
                    "set SYSTEMD_LAB_CACHE to a directory that you can write to".to_owned();
                let remedy = Some(Remedy::Advice(advice));
                let detail = error.to_string();
                let detail = detail.split(';').next().unwrap_or_default();
                return vec![Finding::new("cache", State::Missing, detail, remedy)];
            }
        };
        let complete = self.image == Condition::Whole && self.snapshot == Condition::Whole;
        let image = described(guest, &Image::as_it_is(cache, guest));
        let mut findings = vec![directory(cache), disk(cache, complete)];
        findings.push(made("guest image", self.image, &image));
        findings.push(made("snapshot", self.snapshot, "the booted guest"));
        findings
    }
}

/// A variable that has a value that means nothing.
fn wrong(name: &'static str, variable: &str, error: &LabError) -> Finding {
    let remedy = Some(Remedy::Type(format!("unset {variable}")));
    Finding::new(name, State::Damaged, error.to_string(), remedy)
}

/// `Debian trixie`; with the mirror that a person chose, and for testing with its age, because testing changes every day.
fn described(guest: &Guest, image: &Image) -> String {
    let mut text = format!("Debian {}", guest.suite());
    if let Some(mirror) = guest.mirror_url() {
        text += &format!(" from {mirror}");
    }
    if guest.suite() == Suite::Testing
        && let Some(age) = age(&image.initrd())
    {
        text += &match age.as_secs() / DAY.as_secs() {
            0 => ", made today".to_owned(),
            days => format!(
                ", made {days} {} ago (for today's packages, remove {})",
                if days == 1 { "day" } else { "days" },
                image.dir().display()
            ),
        };
    }
    text
}

/// How long ago a file was written, if it is there.
fn age(path: &Path) -> Option<Duration> {
    let written = fs::metadata(path).and_then(|meta| meta.modified()).ok()?;
    SystemTime::now().duration_since(written).ok()
}

/// `None` if there is no QEMU: the snapshot depends on QEMU and on the image.
fn place_of_snapshot(cache: &Cache, guest: &Guest) -> Option<PathBuf> {
    let qemu = packages::find(packages::QEMU.file)?;
    Snapshot::place(cache, &Image::as_it_is(cache, guest), &qemu).ok()
}

fn directory(cache: &Cache) -> Finding {
    const NAME: &str = "cache";
    let root = cache.root();
    // A missing directory will be created in its nearest existing parent.
    let there = root.ancestors().find(|path| path.exists());
    let writable = there.is_some_and(|path| {
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        path.is_dir() && rustix::fs::access(path, access).is_ok()
    });
    if !writable {
        let advice =
            "change its permissions, or set SYSTEMD_LAB_CACHE to a directory that you can write to"
                .to_owned();
        let detail = format!("{} cannot be written", root.display());
        return Finding::new(NAME, State::Damaged, detail, Some(Remedy::Advice(advice)));
    }
    if there != Some(root) {
        return Finding::good(NAME, format!("{}, not made yet", root.display()));
    }
    let detail = format!("{}, {}", root.display(), mebibytes(size_of(root)));
    Finding::good(NAME, detail)
}

/// Image and snapshot need disk space while they are made; runs keep everything in memory.
fn disk(cache: &Cache, complete: bool) -> Finding {
    const NAME: &str = "disk space";
    let there = cache.root().ancestors().find(|path| path.is_dir());
    let free = there.and_then(|path| free_space(path).ok());
    match free {
        None => Finding::new(NAME, State::Unknown, "unknown", None),
        Some(free) if complete || free >= SPACE_NEEDED => {
            Finding::good(NAME, format!("{} free", mebibytes(free)))
        }
        Some(free) => {
            let advice =
                "free some, or set SYSTEMD_LAB_CACHE to a directory on another disk".to_owned();
            let (free, needed) = (mebibytes(free), mebibytes(SPACE_NEEDED));
            let detail = format!("{free} free, and setting up takes {needed}");
            Finding::new(NAME, State::Missing, detail, Some(Remedy::Advice(advice)))
        }
    }
}

fn made(name: &'static str, condition: Condition, what: &str) -> Finding {
    let (state, detail) = match condition {
        Condition::Whole => return Finding::good(name, format!("{what}, whole")),
        Condition::Absent => (State::Missing, "not made yet".to_owned()),
        Condition::Damaged => (State::Damaged, format!("{what}, damaged")),
        Condition::Touched => (
            State::Unknown,
            format!("{what}, touched since it was made: copied, or damaged"),
        ),
    };
    Finding::new(name, state, detail, Some(Remedy::SetUp))
}

/// Its size on disk in bytes: snapshots are sparse.
fn size_of(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size_of(&entry.path()),
        Ok(meta) => meta.blocks() * BLOCK,
        Err(_) => 0,
    };
    entries.map(size).sum()
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_testing_says_how_old_it_is() {
        let root = tempfile::tempdir().expect("it can be made");
        let cache = Cache::in_folder(root.path());
        let said = |guest: &Guest, days: u32| {
            let image = Image::as_it_is(&cache, guest);
            fs::create_dir_all(image.dir()).expect("it can be made");
            let initrd = fs::File::create(image.initrd()).expect("it can be made");
            initrd
                .set_modified(SystemTime::now() - DAY * days)
                .expect("it is ours");
            described(guest, &image).replace(&image.dir().display().to_string(), "DIR")
        };
        let testing = Guest::new(Suite::Testing);
        assert_eq!(said(&testing, 0), "Debian testing, made today");
        assert_eq!(
            said(&testing, 1),
            "Debian testing, made 1 day ago (for today's packages, remove DIR)"
        );
        let mirror = testing.mirror("https://mirror.example/debian");
        assert_eq!(
            said(&mirror.expect("it is a mirror"), 30),
            "Debian testing from https://mirror.example/debian, made 30 days ago (for today's packages, remove DIR)"
        );
        assert_eq!(said(&Guest::default(), 30), "Debian trixie");
    }
}

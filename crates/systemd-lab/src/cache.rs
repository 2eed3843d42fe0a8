//! Where the image and the snapshots lie, and how many processes share that place.
//!
//! ```text
//! CACHE/lock                  held while something is built
//! CACHE/lock-tmp              held while CACHE/tmp-* come and go
//! CACHE/image-KEY/            kernel, initrd, manifest.json
//! CACHE/snapshot-KEY/         ram, state, manifest.json; remembered/ (see lab/remembered.rs)
//! CACHE/turns/                a file for each run that has a processor or waits for one (see lab/turn.rs)
//! CACHE/self-test.json        the last self-test that came out well (see doctor/self_test.rs)
//! CACHE/tmp-*/                being built; renamed when whole
//! ```
//!
//! A directory gets its final name only when everything in it has been written, so that what has that name is
//! whole unless something outside the lab changed it. [`Manifest`] finds that out.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::error::LabError;

/// Room for one image and two snapshots (an old one and a new one), with some to spare, in bytes. Snapshots are
/// sparse files: half a gibibyte each at the most.
pub(crate) const SPACE_NEEDED: u64 = 1500 << 20;

/// Snapshots that nobody used for this long are removed when a new one is made: other checkouts
/// may still use theirs.
const SNAPSHOT_KEPT_FOR: Duration = Duration::from_secs(14 * 24 * 3600);

const MANIFEST: &str = "manifest.json";

/// The cache directory.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `SYSTEMD_LAB_CACHE`, or `systemd-lab` in the user's cache directory.
    pub(crate) fn locate() -> Result<Cache, LabError> {
        let variable = |name| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let root = variable("SYSTEMD_LAB_CACHE")
            .or_else(|| variable("XDG_CACHE_HOME").map(|dir| dir.join("systemd-lab")))
            .or_else(|| variable("HOME").map(|dir| dir.join(".cache/systemd-lab")))
            .ok_or(LabError::NoCacheDirectory)?;
        // QEMU runs in directories below it, so the path must not depend on ours.
        let root = std::path::absolute(&root).map_err(LabError::cache(&root))?;
        Ok(Cache { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn entry(&self, kind: &str, key: &str) -> PathBuf {
        self.root.join(format!("{kind}-{key}"))
    }

    /// Waits until no other process builds, then keeps others waiting until the result is dropped.
    /// `on_wait` is called when there is something to wait for.
    pub(crate) fn lock(&self, on_wait: impl FnOnce()) -> Result<File, LabError> {
        fs::create_dir_all(&self.root).map_err(LabError::cache(&self.root))?;
        let lock = self.lock_file("lock")?;
        if lock.try_lock().is_err() {
            on_wait();
            lock.lock().map_err(LabError::cache(&self.root))?;
        }
        Ok(lock)
    }

    fn lock_file(&self, name: &str) -> Result<File, LabError> {
        File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.root.join(name))
            .map_err(LabError::cache(&self.root))
    }

    /// Refuses to begin what would fill the disk: QEMU would die of SIGBUS half-way.
    pub(crate) fn ensure_space(&self, needed: u64) -> Result<(), LabError> {
        let free = free_space(&self.root).map_err(LabError::cache(&self.root))?;
        if free < needed {
            return Err(LabError::DiskFull {
                path: self.root.clone(),
                needed,
                free,
            });
        }
        Ok(())
    }

    /// A directory to build in. Dropped before [`Self::publish`], it disappears.
    pub(crate) fn build_dir(&self) -> Result<BuildDir, LabError> {
        let on_error = || LabError::cache(&self.root);
        // Between its making and its locking, a directory looks like a leftover.
        let _guard = self.lock_file("lock-tmp").and_then(|file| {
            file.lock().map_err(on_error())?;
            Ok(file)
        })?;
        self.remove_leftovers();
        let dir = tempfile::Builder::new()
            .prefix("tmp-")
            .tempdir_in(&self.root)
            .map_err(on_error())?;
        let in_use = File::open(dir.path()).map_err(on_error())?;
        in_use.lock().map_err(on_error())?;
        Ok(BuildDir {
            dir,
            _in_use: in_use,
        })
    }

    /// Writes the manifest of a finished build directory and gives it its final name, replacing what had it.
    pub(crate) fn publish(
        &self,
        built: BuildDir,
        kind: &str,
        key: &str,
    ) -> Result<PathBuf, LabError> {
        let entry = self.entry(kind, key);
        let on_error = || LabError::cache(&self.root);
        Manifest::of(built.path())
            .map_err(on_error())?
            .write(built.path())
            .map_err(on_error())?;
        if entry.exists() {
            // A rename cannot replace a directory that is not empty; whoever uses the old one keeps its open files.
            let old = self.root.join(format!("tmp-old-{key}"));
            let _ = fs::remove_dir_all(&old);
            fs::rename(&entry, &old).map_err(on_error())?;
            let _ = fs::remove_dir_all(&old);
        }
        fs::rename(built.path(), &entry).map_err(on_error())?;
        // The directory has moved: nothing is left for the guard to remove.
        let _ = built.dir.keep();
        if kind == "snapshot" {
            self.remove_unused("snapshot-", SNAPSHOT_KEPT_FOR, &entry);
        }
        Ok(entry)
    }

    /// Removes what processes left that were killed. Best effort, like all removing here: what cannot be removed now
    /// will be removed another time.
    fn remove_leftovers(&self) {
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let is_temporary = entry.file_name().to_string_lossy().starts_with("tmp-");
            if is_temporary && File::open(entry.path()).is_ok_and(|dir| dir.try_lock().is_ok()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    fn remove_unused(&self, prefix: &str, kept_for: Duration, except: &Path) {
        let Ok(entries) = fs::read_dir(&self.root) else {
            return;
        };
        for entry in entries.flatten() {
            let old = entry
                .metadata()
                .and_then(|meta| meta.modified())
                .is_ok_and(|time| {
                    SystemTime::now()
                        .duration_since(time)
                        .is_ok_and(|age| age > kept_for)
                });
            if old
                && entry.path() != except
                && entry.file_name().to_string_lossy().starts_with(prefix)
            {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// A directory that is being built. It is locked, so that others know it from what a killed process left behind.
#[derive(Debug)]
pub(crate) struct BuildDir {
    dir: TempDir,
    _in_use: File,
}

impl BuildDir {
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Bytes that an ordinary user may still write on the disk of `path`.
pub(crate) fn free_space(path: &Path) -> io::Result<u64> {
    let fs = rustix::fs::statvfs(path)?;
    Ok(fs.f_bavail * fs.f_frsize)
}

/// What [`Manifest::condition`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Absent,
    Whole,
    /// As long as it was, but of another time: a copy, perhaps, or damaged.
    Touched,
    Damaged,
}

/// What a whole directory holds.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Manifest {
    files: BTreeMap<String, FileRecord>,
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
struct FileRecord {
    bytes: u64,
    /// Modification time in nanoseconds. An untouched file need not be read again.
    modified_ns: u128,
    sha256: String,
}

impl Manifest {
    fn of(dir: &Path) -> io::Result<Manifest> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let (bytes, modified_ns) = stat(&entry.path())?;
            let sha256 = sha256_of(&entry.path())?;
            files.insert(
                entry.file_name().to_string_lossy().into_owned(),
                FileRecord {
                    bytes,
                    modified_ns,
                    sha256,
                },
            );
        }
        Ok(Manifest { files })
    }

    fn write(&self, dir: &Path) -> io::Result<()> {
        fs::write(dir.join(MANIFEST), serde_json::to_vec_pretty(self)?)
    }

    /// Stands for the content of all files, and for nothing else: neither for their age nor for where they lie.
    pub(crate) fn identity(dir: &Path) -> Option<Vec<u8>> {
        let checksum =
            |(name, record): (&String, &FileRecord)| format!("{name} {}\n", record.sha256);
        let manifest = Manifest::read(dir)?;
        Some(
            manifest
                .files
                .iter()
                .map(checksum)
                .collect::<String>()
                .into_bytes(),
        )
    }

    fn read(dir: &Path) -> Option<Manifest> {
        serde_json::from_slice(&fs::read(dir.join(MANIFEST)).ok()?).ok()
    }

    /// What a look at sizes and times shows, without reading or changing anything.
    pub(crate) fn condition(dir: &Path) -> Condition {
        if !dir.exists() {
            return Condition::Absent;
        }
        let Some(manifest) = Manifest::read(dir) else {
            return Condition::Damaged;
        };
        let as_long = |(name, record): (&String, &FileRecord)| {
            stat(&dir.join(name)).is_ok_and(|(bytes, _)| bytes == record.bytes)
        };
        if !manifest.files.iter().all(as_long) {
            Condition::Damaged
        } else if Manifest::looks_whole(dir) {
            Condition::Whole
        } else {
            Condition::Touched
        }
    }

    /// Whether every file is as long and as old as it was when the directory was made. Takes microseconds.
    pub(crate) fn looks_whole(dir: &Path) -> bool {
        Manifest::read(dir).is_some_and(|manifest| {
            manifest.files.iter().all(|(name, record)| {
                stat(&dir.join(name)).is_ok_and(|now| now == (record.bytes, record.modified_ns))
            })
        })
    }

    /// Whether every byte is what it was when the directory was made. If only times differ, e.g. because it was
    /// copied, the manifest takes those of now, so that the next look is quick.
    pub(crate) fn is_whole(dir: &Path) -> bool {
        let Some(mut manifest) = Manifest::read(dir) else {
            return false;
        };
        for (name, record) in &mut manifest.files {
            let path = dir.join(name);
            let (Ok(sha256), Ok(now)) = (sha256_of(&path), stat(&path)) else {
                return false;
            };
            if sha256 != record.sha256 {
                return false;
            }
            (record.bytes, record.modified_ns) = now;
        }
        if !Manifest::looks_whole(dir) {
            let _ = manifest.write(dir);
        }
        true
    }
}

fn stat(path: &Path) -> io::Result<(u64, u128)> {
    let meta = fs::metadata(path)?;
    let modified = meta
        .modified()?
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Ok((meta.len(), modified.as_nanos()))
}

fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// A short key for what something was made of.
pub(crate) fn key_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    /// 64 bits tell a handful of images apart and keep paths readable.
    const KEY_BYTES: usize = 8;
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize()[..KEY_BYTES])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// A snapshot is removed once nobody has made or used it for two weeks: not before, not when it is the one just made,
    /// and never an image, which needs a network to be built again.
    #[test]
    fn a_new_snapshot_takes_the_place_of_those_that_are_old() {
        let root = tempfile::tempdir().expect("a directory");
        let cache = Cache {
            root: root.path().to_owned(),
        };
        let put = |name: &str, age: Duration| {
            let entry = cache.root.join(name);
            fs::create_dir(&entry).expect("a directory");
            fs::write(entry.join("ram"), "").expect("a file");
            let directory = File::open(&entry).expect("it is there");
            let modified = SystemTime::now() - age;
            directory.set_modified(modified).expect("it is ours");
        };
        put("snapshot-old", SNAPSHOT_KEPT_FOR + MINUTE);
        put("snapshot-in-use", SNAPSHOT_KEPT_FOR - MINUTE);
        put("snapshot-new", Duration::ZERO);
        put("image-old", 2 * SNAPSHOT_KEPT_FOR);
        let publish = |kind, key| {
            let built = cache.build_dir().expect("it can be made");
            fs::write(built.path().join("ram"), "new").expect("a file");
            cache.publish(built, kind, key).expect("it can be renamed")
        };
        let names = || {
            let entries = fs::read_dir(&cache.root).expect("it is there").flatten();
            let mut names: Vec<String> = entries
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .filter(|name| name.contains('-') && !name.starts_with("lock"))
                .collect();
            names.sort();
            names
        };
        // A new image says nothing of who uses which snapshot.
        publish("image", "new");
        assert_eq!(
            names(),
            [
                "image-new",
                "image-old",
                "snapshot-in-use",
                "snapshot-new",
                "snapshot-old"
            ]
        );
        let made = publish("snapshot", "new");
        assert_eq!(
            names(),
            ["image-new", "image-old", "snapshot-in-use", "snapshot-new"]
        );
        let ram = fs::read_to_string(made.join("ram"));
        assert_eq!(ram.expect("it is there"), "new");
    }
}

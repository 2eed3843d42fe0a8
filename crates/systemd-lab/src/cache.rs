//! Where the image and the snapshots are stored, and how several processes share that place.
//!
//! ```text
//! CACHE/lock                  held while something is built
//! CACHE/lock-tmp              held while CACHE/tmp-* come and go
//! CACHE/image-KEY/            kernel, initrd, manifest.json
//! CACHE/program-KEY/          program, manifest.json (see image/program.rs)
//! CACHE/snapshot-KEY/         ram, state, manifest.json; remembered/ (see lab/remembered.rs)
//! CACHE/turns/                a file for each run that has a processor or waits for one (see lab/turn.rs)
//! CACHE/self-test.json        the last self-test that came out well (see doctor/self_test.rs)
//! CACHE/tmp-*/                being built, or replaced and about to go
//! CACHE/replaced-*/           about to go, where the disk cannot exchange two directories
//! ```
//!
//! A directory gets its final name only when everything in it has been written. So a directory with that name is complete unless
//! something outside the lab changed it, which [`Manifest`] detects. A replacement swaps the old and the new directory in one step:
//! a process that is killed leaves one of them.
//!
//! After an accident, anything may have one of these names: a pipe, or a broken link. The lab never waits for it, and removes
//! it. Other users cannot write here, whatever the umask.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::disk::{self, free_space};
use crate::error::LabError;
use crate::regular;

/// The memory of a guest without packages.
const LARGEST_FILE: u64 = 512 << 20;

/// Snapshots that were not used for this long are removed when a new one is made. Younger ones
/// stay, because other checkouts may still use them.
const SNAPSHOT_KEPT_FOR: Duration = Duration::from_secs(14 * 24 * 3600);

/// The manifest of a complete directory.
pub(crate) const MANIFEST: &str = "manifest.json";

/// A manifest takes a few hundred bytes.
const LARGEST_MANIFEST: u64 = 64 << 10;

/// A directory that is being built is private to its builder; a complete one may be read by others, but not written.
const PRIVATE_DIRECTORY: u32 = 0o700;
pub(crate) const DIRECTORY: u32 = 0o755;
const FILE: u32 = 0o644;
const EXECUTABLE: u32 = 0o755;

/// The beginning of the name of an old directory, while a new one replaces it on a disk that cannot exchange the two.
const REPLACED: &str = "replaced-";

/// The kinds of entries in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Image,
    /// A program from a package that no guest can have.
    Program,
    Snapshot,
}

impl Kind {
    /// Its files, without the manifest. It must not contain others.
    pub(crate) fn files(self) -> &'static [&'static str] {
        match self {
            Kind::Image => &["kernel", "initrd"],
            Kind::Program => &["program"],
            Kind::Snapshot => &["ram", "state"],
        }
    }

    /// The mode of its files.
    fn mode(self) -> u32 {
        match self {
            Kind::Image | Kind::Snapshot => FILE,
            Kind::Program => EXECUTABLE,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Image => "image",
            Kind::Program => "program",
            Kind::Snapshot => "snapshot",
        }
    }
}

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
        // QEMU runs in directories below it, so the path must not depend on our working directory.
        let root = std::path::absolute(&root).map_err(disk::cannot_write(&root))?;
        Ok(Cache { root })
    }

    /// A separate cache for a test.
    #[cfg(test)]
    pub(crate) fn in_folder(root: &Path) -> Cache {
        Cache {
            root: root.to_owned(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn entry(&self, kind: Kind, key: &str) -> PathBuf {
        self.root.join(format!("{}-{key}", kind.name()))
    }

    /// Waits until no other process builds, then makes others wait until the returned lock is
    /// dropped. Calls `on_wait` if it has to wait.
    pub(crate) fn lock(&self, on_wait: impl FnOnce()) -> Result<File, LabError> {
        if !self.root.exists() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(DIRECTORY)
                .create(&self.root)
                .and_then(|()| set_mode(&self.root, DIRECTORY))
                .map_err(disk::cannot_write(&self.root))?;
        }
        let lock = self.locked("lock", on_wait)?;
        self.restore_replaced();
        Ok(lock)
    }

    fn locked(&self, name: &str, on_wait: impl FnOnce()) -> Result<File, LabError> {
        let path = self.root.join(name);
        let mut on_wait = Some(on_wait);
        loop {
            let lock = lock_file(&path).map_err(disk::cannot_write(&self.root))?;
            if lock.try_lock().is_err() {
                if let Some(on_wait) = on_wait.take() {
                    on_wait();
                }
                lock.lock().map_err(disk::cannot_write(&self.root))?;
            }
            // Another process may have removed what was in the way of a lock, and created a new file.
            let own = lock.metadata().map_err(disk::cannot_write(&self.root))?;
            if fs::symlink_metadata(&path).is_ok_and(|now| now.ino() == own.ino()) {
                return Ok(lock);
            }
        }
    }

    /// Refuses to start something that would fill the disk: QEMU would die of SIGBUS half-way.
    pub(crate) fn ensure_space(&self, needed: u64) -> Result<(), LabError> {
        // The guest's memory is the largest file. An import states its own need.
        disk::ensure_file_size(needed.min(LARGEST_FILE))?;
        let free = free_space(&self.root).map_err(disk::cannot_write(&self.root))?;
        if free < needed {
            return Err(LabError::DiskFull {
                path: self.root.clone(),
                needed,
                free,
            });
        }
        Ok(())
    }

    /// A directory to build in. If it is dropped before [`Self::publish`], it is removed.
    pub(crate) fn build_dir(&self) -> Result<BuildDir, LabError> {
        let on_error = || disk::cannot_write(&self.root);
        // Before it is locked, a new directory looks like a leftover.
        let _guard = self.locked("lock-tmp", || {})?;
        self.remove_leftovers();
        let dir = tempfile::Builder::new()
            .prefix("tmp-")
            .permissions(fs::Permissions::from_mode(PRIVATE_DIRECTORY))
            .tempdir_in(&self.root)
            .map_err(on_error())?;
        let in_use = File::open(dir.path()).map_err(on_error())?;
        in_use.lock().map_err(on_error())?;
        Ok(BuildDir {
            dir,
            _in_use: in_use,
        })
    }

    /// Writes the manifest of a finished build directory and gives the directory its final name, replacing any previous entry.
    pub(crate) fn publish(
        &self,
        built: BuildDir,
        kind: Kind,
        key: &str,
    ) -> Result<PathBuf, LabError> {
        let entry = self.entry(kind, key);
        let on_error = || disk::cannot_write(&self.root);
        for name in kind.files() {
            set_mode(&built.path().join(name), kind.mode()).map_err(on_error())?;
        }
        Manifest::of(kind, built.path())
            .map_err(on_error())?
            .write(built.path())
            .map_err(on_error())?;
        set_mode(built.path(), DIRECTORY).map_err(on_error())?;
        self.put(built.path(), &entry, exchange)
            .map_err(on_error())?;
        // A replaced entry now has the build directory's name; a process that uses it keeps its open files.
        remove(&built.dir.keep());
        if kind == Kind::Snapshot {
            self.remove_unused("snapshot-", SNAPSHOT_KEPT_FOR, &entry);
        }
        Ok(entry)
    }

    /// Gives `built` the name of `entry`. If something had that name, it gets the other name, or is removed.
    fn put(
        &self,
        built: &Path,
        entry: &Path,
        exchange: impl Fn(&Path, &Path) -> rustix::io::Result<()>,
    ) -> io::Result<()> {
        if fs::symlink_metadata(entry).is_err() {
            return fs::rename(built, entry);
        }
        match exchange(built, entry) {
            // Not every file system can do this: renameat2(2).
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            done => return Ok(done?),
        }
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        let old = self.root.join(format!("{REPLACED}{name}"));
        remove(&old);
        fs::rename(entry, &old)?;
        // A process that is killed here leaves the old entry under another name: `restore_replaced` handles that.
        fs::rename(built, entry)?;
        remove(&old);
        Ok(())
    }

    /// Restores an entry that was being replaced when a process was killed. The caller holds the lock.
    fn restore_replaced(&self) {
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(name) = name.strip_prefix(REPLACED) else {
                continue;
            };
            let place = self.root.join(name);
            match fs::symlink_metadata(&place) {
                Ok(_) => remove(&entry.path()),
                // If this fails, the entry is built again.
                Err(_) => drop(fs::rename(entry.path(), place)),
            }
        }
    }

    /// Removes leftovers of killed processes. Best effort, like every removal here: what cannot be removed now is
    /// removed another time.
    fn remove_leftovers(&self) {
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let is_temporary = entry.file_name().to_string_lossy().starts_with("tmp-");
            if is_temporary && !is_in_use(&entry.path()) {
                remove(&entry.path());
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
                remove(&entry.path());
            }
        }
    }
}

fn exchange(one: &Path, other: &Path) -> rustix::io::Result<()> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
}

/// Opens or creates a lock's file. Removes anything there that is not a file.
fn lock_file(path: &Path) -> io::Result<File> {
    let open = || {
        let options = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits() as i32;
        File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(FILE)
            .custom_flags(options)
            .open(path)
    };
    let is_file = |meta: &fs::Metadata| meta.is_file();
    if fs::symlink_metadata(path).is_ok_and(|meta| !is_file(&meta)) {
        remove(path);
    }
    let file = open()?;
    if file.metadata()?.mode() & 0o777 != FILE {
        // Another user's file stays as it is.
        let _ = file.set_permissions(fs::Permissions::from_mode(FILE));
    }
    Ok(file)
}

/// Whether a process is building in this directory. Anything but a directory is a leftover.
fn is_in_use(path: &Path) -> bool {
    if !fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir()) {
        return false;
    }
    match File::open(path) {
        Ok(directory) => directory.try_lock().is_err(),
        // A directory in use can be opened. Other errors tell nothing.
        Err(error) => error.kind() != io::ErrorKind::PermissionDenied,
    }
}

/// Removes a directory with everything in it, or anything else. Best effort.
fn remove(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => {
            let _ = set_mode(path, PRIVATE_DIRECTORY);
            let _ = fs::remove_dir_all(path);
        }
        Ok(_) => drop(fs::remove_file(path)),
        Err(_) => {}
    }
}

/// A new file in a directory that is being built. Its owner can read and write it, whatever the umask.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    let file = File::create(path)?;
    make_readable(&file)?;
    Ok(file)
}

/// Lets others read it, and only its owner write it.
pub(crate) fn make_readable(file: &File) -> io::Result<()> {
    file.set_permissions(fs::Permissions::from_mode(FILE))
}

pub(crate) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// A directory that is being built. It is locked, which distinguishes it from the leftovers of a killed process.
#[derive(Debug)]
pub(crate) struct BuildDir {
    dir: TempDir,
    _in_use: File,
}

impl BuildDir {
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a manifest, to check whether a copy in this directory is complete.
    pub(crate) fn write_manifest(&self, manifest: &Manifest) -> io::Result<()> {
        manifest.write(self.path())
    }
}

/// The result of [`Manifest::condition`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Absent,
    Whole,
    /// It has the right length, but a different time: perhaps a copy, perhaps damaged.
    Touched,
    Damaged,
}

/// The content of a complete directory.
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
    fn of(kind: Kind, dir: &Path) -> io::Result<Manifest> {
        let mut files = BTreeMap::new();
        for name in kind.files() {
            let path = dir.join(name);
            let (bytes, modified_ns) = stat(&path)?;
            let record = FileRecord {
                bytes,
                modified_ns,
                sha256: sha256_of(&path)?,
            };
            files.insert((*name).to_owned(), record);
        }
        Ok(Manifest { files })
    }

    fn write(&self, dir: &Path) -> io::Result<()> {
        let path = dir.join(MANIFEST);
        fs::write(&path, serde_json::to_vec_pretty(self)?)?;
        set_mode(&path, FILE)
    }

    /// Parses a manifest of this kind. Refuses one that names other files, or none: it would accept anything as complete.
    pub(crate) fn parse(kind: Kind, text: &[u8]) -> Option<Manifest> {
        let manifest: Manifest = serde_json::from_slice(text).ok()?;
        let mut names = kind.files().to_vec();
        names.sort_unstable();
        manifest.files.keys().eq(names).then_some(manifest)
    }

    /// The expected length of a file.
    pub(crate) fn bytes_of(&self, name: &str) -> Option<u64> {
        self.files.get(name).map(|record| record.bytes)
    }

    /// Identifies the content of all files, and nothing else: neither their age nor their place.
    pub(crate) fn identity(kind: Kind, dir: &Path) -> Option<Vec<u8>> {
        let checksum =
            |(name, record): (&String, &FileRecord)| format!("{name} {}\n", record.sha256);
        let manifest = Manifest::read(kind, dir)?;
        Some(
            manifest
                .files
                .iter()
                .map(checksum)
                .collect::<String>()
                .into_bytes(),
        )
    }

    fn read(kind: Kind, dir: &Path) -> Option<Manifest> {
        let text = regular::read(&dir.join(MANIFEST), LARGEST_MANIFEST).ok()?;
        Manifest::parse(kind, &text)
    }

    /// The condition according to sizes and times, without reading or changing anything.
    pub(crate) fn condition(kind: Kind, dir: &Path) -> Condition {
        if !dir.exists() {
            return Condition::Absent;
        }
        let Some(manifest) = Manifest::read(kind, dir) else {
            return Condition::Damaged;
        };
        let as_long = |(name, record): (&String, &FileRecord)| {
            stat(&dir.join(name)).is_ok_and(|(bytes, _)| bytes == record.bytes)
        };
        if !manifest.files.iter().all(as_long) {
            Condition::Damaged
        } else if Manifest::looks_whole(kind, dir) {
            Condition::Whole
        } else {
            Condition::Touched
        }
    }

    /// Whether every file still has the length and time from when the directory was made. Takes microseconds.
    pub(crate) fn looks_whole(kind: Kind, dir: &Path) -> bool {
        Manifest::read(kind, dir).is_some_and(|manifest| {
            manifest.files.iter().all(|(name, record)| {
                stat(&dir.join(name)).is_ok_and(|now| now == (record.bytes, record.modified_ns))
            })
        })
    }

    /// Whether every byte is the same as when the directory was made. If only times differ, e.g. in a copy, the
    /// manifest takes the current times, so that the next check is quick.
    pub(crate) fn is_whole(kind: Kind, dir: &Path) -> bool {
        let Some(mut manifest) = Manifest::read(kind, dir) else {
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
        if !Manifest::looks_whole(kind, dir) {
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
    let mut file = regular::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// A short key for the ingredients of something.
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

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// A snapshot is removed after two weeks without use. It is not removed earlier, and not if it was just made. An
    /// image is never removed, because rebuilding it needs a network.
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
            for name in Kind::files(kind) {
                fs::write(built.path().join(name), "new").expect("a file");
            }
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
        // A new image does not show who uses which snapshot.
        publish(Kind::Image, "new");
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
        let made = publish(Kind::Snapshot, "new");
        assert_eq!(
            names(),
            ["image-new", "image-old", "snapshot-in-use", "snapshot-new"]
        );
        let ram = fs::read_to_string(made.join("ram"));
        assert_eq!(ram.expect("it is there"), "new");
    }

    fn cache_in(root: &Path) -> Cache {
        Cache::in_folder(root)
    }

    fn built(cache: &Cache, content: &str) -> BuildDir {
        let built = cache.build_dir().expect("it can be made");
        for name in Kind::Image.files() {
            fs::write(built.path().join(name), content).expect("a file");
        }
        built
    }

    fn entries(root: &Path) -> Vec<String> {
        let entries = fs::read_dir(root).expect("it is there").flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| !name.starts_with("lock"))
            .collect();
        names.sort();
        names
    }

    /// Anything may have the name: a directory with content, a file, a broken link, a pipe.
    #[test]
    fn anything_is_replaced_and_nothing_left() {
        use rustix::fs::{FileType, Mode, mknodat};
        let root = tempfile::tempdir().expect("a directory");
        let cache = cache_in(root.path());
        let entry = cache.entry(Kind::Image, "k");
        let pipe = |path: &Path| {
            mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("it is made");
        };
        let spoils: [&dyn Fn(); 4] = [
            &|| {
                fs::create_dir(&entry).expect("a directory");
                fs::write(entry.join("other"), "old").expect("a file");
            },
            &|| fs::write(&entry, "a file").expect("a file"),
            &|| std::os::unix::fs::symlink("nowhere", &entry).expect("a link"),
            &|| pipe(&entry),
        ];
        for spoil in spoils {
            remove(&entry);
            spoil();
            cache
                .publish(built(&cache, "new"), Kind::Image, "k")
                .expect("it is replaced");
            assert!(Manifest::is_whole(Kind::Image, &entry));
            assert_eq!(entries(root.path()), ["image-k"]);
        }
    }

    /// Simulates a disk that cannot exchange names: a process is killed between the two steps.
    #[test]
    fn a_disk_that_cannot_exchange_loses_nothing_either() {
        let root = tempfile::tempdir().expect("a directory");
        let cache = cache_in(root.path());
        let entry = cache
            .publish(built(&cache, "old"), Kind::Image, "k")
            .expect("it is new");
        let cannot = |_: &Path, _: &Path| Err(Errno::INVAL);
        let new = built(&cache, "new");
        cache
            .put(new.path(), &entry, cannot)
            .expect("it is replaced");
        drop(new);
        let content = || fs::read_to_string(entry.join("kernel")).expect("it is there");
        assert_eq!(content(), "new");
        assert_eq!(entries(root.path()), ["image-k"]);
        let replaced = root.path().join("replaced-image-k");
        fs::rename(&entry, &replaced).expect("as if killed");
        drop(cache.lock(|| {}).expect("nobody has it"));
        assert_eq!(content(), "new");
        fs::create_dir(&replaced).expect("as if killed later");
        drop(cache.lock(|| {}).expect("nobody has it"));
        assert_eq!(entries(root.path()), ["image-k"]);
    }

    #[test]
    fn locks_and_leftovers_may_be_anything() {
        use rustix::fs::{FileType, Mode, mknodat};
        let root = tempfile::tempdir().expect("a directory");
        let cache = cache_in(root.path());
        let path = |name: &str| root.path().join(name);
        for name in ["lock", "lock-tmp", "tmp-pipe"] {
            mknodat(
                CWD,
                path(name),
                FileType::Fifo,
                Mode::from_raw_mode(0o600),
                0,
            )
            .expect("it is made");
        }
        std::os::unix::fs::symlink("nowhere", path("tmp-link")).expect("a link");
        fs::create_dir(path("tmp-closed")).expect("a directory");
        set_mode(&path("tmp-closed"), 0).expect("it is ours");
        drop(cache.lock(|| {}).expect("nobody has it"));
        drop(cache.build_dir().expect("it can be made"));
        assert_eq!(entries(root.path()), [""; 0]);
        for spoil in [&|| fs::create_dir(path("lock")), &|| {
            std::os::unix::fs::symlink("/dev/null", path("lock"))
        }] as [&dyn Fn() -> io::Result<()>; 2]
        {
            remove(&path("lock"));
            spoil().expect("it is made");
            drop(cache.lock(|| {}).expect("nobody has it"));
            assert!(
                path("lock")
                    .symlink_metadata()
                    .expect("it is there")
                    .is_file()
            );
        }
    }

    #[test]
    fn a_manifest_names_its_files_and_no_others() {
        let manifest = |names: &[&str]| {
            let record = r#"{"bytes":1,"modified_ns":0,"sha256":"0"}"#;
            let files: Vec<String> = names
                .iter()
                .map(|name| format!("\"{name}\":{record}"))
                .collect();
            let text = format!("{{\"files\":{{{}}}}}", files.join(","));
            Manifest::parse(Kind::Image, text.as_bytes()).is_some()
        };
        assert!(manifest(&["kernel", "initrd"]));
        for other in [
            &[][..],
            &["kernel"],
            &["kernel", "initrd", "../x"],
            &["ram", "state"],
        ] {
            assert!(!manifest(other), "{other:?}");
        }
    }
}

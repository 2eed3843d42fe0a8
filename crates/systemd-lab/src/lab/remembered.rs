//! Stored timelines, for [`RunOptions::remembered`](super::RunOptions::remembered): the same snapshot and the same job give
//! the same bytes, so running them again shows nothing new.
//!
//! The timelines are in `CACHE/snapshot-KEY/remembered/` and disappear with their snapshot. Everything here is best
//! effort: if a timeline cannot be read, the scenario runs again; if it cannot be written, it is not stored.

use std::fs::{self, DirEntry};
use std::io::Write;
use std::path::{Path, PathBuf};

use systemd_lab_protocol::Event;

use crate::cache::{DIRECTORY as MODE, Kind, Manifest, key_of, make_readable, set_mode};
use crate::regular;
use systemd_timeline::Timeline;

const DIRECTORY: &str = "remembered";

/// How many timelines are kept for each snapshot. One takes at most a megabyte, and all tables of the
/// workshop need about fifteen: older ones belong to scenarios that have changed since.
const KEPT: usize = 32;

/// No stored timeline comes near this size.
const LARGEST: u64 = 64 << 20;

/// The place of one job's timeline, whether it exists or not.
#[derive(Debug)]
pub(super) struct Place {
    directory: PathBuf,
    key: String,
}

impl Place {
    /// `None` for a snapshot without a readable manifest.
    pub(super) fn of(snapshot: &Path, job: &[u8]) -> Option<Place> {
        Some(Place {
            directory: snapshot.join(DIRECTORY),
            key: key_of([
                Manifest::identity(Kind::Snapshot, snapshot)?.as_slice(),
                job,
            ]),
        })
    }

    fn file(&self) -> PathBuf {
        self.directory.join(&self.key)
    }

    /// The stored timeline: the first line is the checksum of all others, which hold one event each.
    pub(super) fn read(&self) -> Option<Timeline> {
        let text = String::from_utf8(regular::read(&self.file(), LARGEST).ok()?).ok()?;
        let (checksum, lines) = text.split_once('\n')?;
        if checksum != key_of([lines.as_bytes()]) {
            return None;
        }
        let events: Option<Vec<Event>> = lines
            .lines()
            .map(|line| serde_json::from_str(line).ok())
            .collect();
        Some(Timeline::new(events?))
    }

    /// Stores a timeline, replacing an earlier one.
    pub(super) fn write(&self, timeline: &Timeline) {
        // Without parents: a snapshot that is gone must not reappear as an empty directory.
        if fs::create_dir(&self.directory).is_ok() {
            let _ = set_mode(&self.directory, MODE);
        }
        let lines = timeline.to_json_lines();
        let checksum = key_of([lines.as_bytes()]);
        // The file gets its final name once it is complete. A killed process's leftover is pruned like any other file.
        let Ok(mut file) = tempfile::NamedTempFile::new_in(&self.directory) else {
            return;
        };
        let written =
            write!(file, "{checksum}\n{lines}").and_then(|()| make_readable(file.as_file()));
        if written.is_ok() && file.persist(self.file()).is_ok() {
            self.prune();
        }
    }

    fn prune(&self) {
        let entries = fs::read_dir(&self.directory).into_iter().flatten();
        let mut entries: Vec<DirEntry> = entries.flatten().collect();
        let modified = |entry: &DirEntry| entry.metadata().and_then(|meta| meta.modified()).ok();
        entries.sort_by_key(modified);
        let superfluous = entries.len().saturating_sub(KEPT);
        for entry in entries.iter().take(superfluous) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

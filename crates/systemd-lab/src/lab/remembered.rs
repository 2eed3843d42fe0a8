//! Timelines that are kept, for [`Lab::run_remembered`](super::Lab::run_remembered): the same snapshot and the same job
//! give the same bytes, so that there is nothing to learn from running it again.
//!
//! They lie in `CACHE/snapshot-KEY/remembered/` and go with their snapshot. All here is best effort: what cannot be
//! read is run again, what cannot be written is not remembered.

use std::fs::{self, DirEntry};
use std::io::Write;
use std::path::{Path, PathBuf};

use systemd_lab_protocol::Event;

use crate::cache::{DIRECTORY as MODE, Kind, Manifest, key_of, make_readable, set_mode};
use crate::regular;
use systemd_timeline::Timeline;

const DIRECTORY: &str = "remembered";

/// Of each snapshot, this many timelines are kept. One takes a megabyte at most, and all tables of the
/// workshop take some fifteen: older ones are of scenarios that have been changed since.
const KEPT: usize = 32;

/// No timeline that is remembered comes near it.
const LARGEST: u64 = 64 << 20;

/// Where the timeline of one job lies, or would lie.
#[derive(Debug)]
pub(super) struct Place {
    directory: PathBuf,
    key: String,
}

impl Place {
    /// `None` for a snapshot that does not say what it holds.
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

    /// What was remembered: the first line is the checksum of all others, which hold one event each.
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

    /// Remembers a timeline, in the place of what was there.
    pub(super) fn write(&self, timeline: &Timeline) {
        // Not with its parents: a snapshot that is gone must not come back as an empty directory.
        if fs::create_dir(&self.directory).is_ok() {
            let _ = set_mode(&self.directory, MODE);
        }
        let lines = timeline.to_json_lines();
        let checksum = key_of([lines.as_bytes()]);
        // It gets its final name when it is whole. A leftover of a killed process is pruned like any other file.
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

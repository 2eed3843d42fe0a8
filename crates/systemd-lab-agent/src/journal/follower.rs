//! Follows journald from one file to the next.
//!
//! journald writes to `system.journal`. When that file is full, or when journald died and was
//! restarted, it renames the file and begins a new one. Entry numbers continue across files, so no
//! entry is read twice.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::file::{Entry, Header, JournalError, JournalFile};

/// The file that journald writes to.
const ACTIVE: &str = "system.journal";

/// journald renames its file before it creates the next one, so the file may be missing this many
/// times in a row.
const MISSING_IN_PASSING: u32 = 1;

/// Reads entries as they arrive. As a file descriptor, it becomes readable when there may be new
/// ones.
pub struct Follower {
    /// e.g. `/run/log/journal/5ad0…`.
    directory: PathBuf,
    keep: fn(&str) -> bool,
    /// The file that is being read, and its inode.
    current: JournalFile<File>,
    inode: u64,
    /// Becomes readable when journald has announced new entries: it touches its file 250 ms after
    /// it has written to it (`POST_CHANGE_TIMER_INTERVAL_USEC`), or up to 250 ms later.
    announcements: OwnedFd,
    /// The number of the last entry that was passed on.
    last_seqnum: u64,
    /// How many entries were never seen.
    lost: u64,
    /// How many times in a row the file that journald writes to was missing.
    missing: u32,
}

impl Follower {
    /// Opens the journal below `root` (e.g. `/run/log/journal`), which holds one directory for each
    /// machine.
    ///
    /// # Errors
    ///
    /// When there is no journal or it cannot be read.
    pub fn open(root: &Path, keep: fn(&str) -> bool) -> Result<Follower, JournalError> {
        let mut directories = fs::read_dir(root)?;
        let directory = directories
            .find_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.join(ACTIVE).exists())
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no system.journal"))?;
        let announcements =
            inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).map_err(io::Error::from)?;
        watch(&announcements, &directory)?;
        let file = File::open(directory.join(ACTIVE))?;
        let inode = file.metadata()?.ino();
        let current = JournalFile::new(file, keep)?;
        Ok(Follower {
            directory,
            keep,
            current,
            inode,
            announcements,
            last_seqnum: 0,
            lost: 0,
            missing: 0,
        })
    }

    /// Passes all new entries to `take`.
    ///
    /// # Errors
    ///
    /// When a file is damaged or cannot be read.
    pub fn read_new(&mut self, mut take: impl FnMut(Entry)) -> Result<(), JournalError> {
        self.drain_announcements();
        // Asked first: if the file is complete by now, it is read to its end below.
        let active = self.active_inode();
        let rotated = active != Some(self.inode);
        if !self.is_removed() {
            self.missing = active.map_or(self.missing + 1, |_| 0);
        }
        match self.read_current(&mut take) {
            // When journald makes room, it empties the old files before it removes them.
            Err(JournalError::NoJournal | JournalError::Damaged { .. }) if rotated => {}
            result => result?,
        }
        if rotated {
            // Before the files are listed, so that none comes in between. A folder that is still the same stays watched; without
            // one, the next look tries again.
            let _ = watch(&self.announcements, &self.directory);
            let newer = match self.newer_files() {
                // A process has removed the folder. journald keeps writing to the file that it has
                // open.
                Err(JournalError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                    self.missing = MISSING_IN_PASSING + 1;
                    Vec::new()
                }
                newer => newer?,
            };
            for (file, inode) in newer {
                self.current = file;
                self.inode = inode;
                self.read_current(&mut take)?;
            }
        }
        Ok(())
    }

    /// Whether a process has removed journald's files: some entries will never be seen.
    pub fn is_removed(&self) -> bool {
        self.missing > MISSING_IN_PASSING
    }

    /// How many entries journald removed to make room before they were read.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    fn drain_announcements(&self) {
        // The content does not matter. An error means that there is no more.
        let mut buffer = [0; 1024];
        while rustix::io::read(&self.announcements, &mut buffer).is_ok_and(|read| read > 0) {}
    }

    fn active_inode(&self) -> Option<u64> {
        let metadata = fs::metadata(self.directory.join(ACTIVE)).ok()?;
        Some(metadata.ino())
    }

    fn read_current(&mut self, take: &mut impl FnMut(Entry)) -> Result<(), JournalError> {
        if !self.current.refresh()? {
            return Ok(());
        }
        while let Some(entry) = self.current.next_entry()? {
            if entry.seqnum > self.last_seqnum {
                if self.last_seqnum > 0 {
                    self.lost += entry.seqnum - self.last_seqnum - 1;
                }
                self.last_seqnum = entry.seqnum;
                take(entry);
            }
        }
        Ok(())
    }

    /// The files with entries after the last one read, oldest first; the active one last.
    fn newer_files(&self) -> Result<Vec<(JournalFile<File>, u64)>, JournalError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            // Between listing and opening, journald may remove an old file or rename the active one.
            let Ok(file) = File::open(&path) else {
                continue;
            };
            let inode = file.metadata()?.ino();
            // A file that journald has only just created has no header yet.
            let Ok(header) = Header::read(&file) else {
                continue;
            };
            let is_active = path.file_name().is_some_and(|name| name == ACTIVE);
            if inode != self.inode && (is_active || header.tail_seqnum > self.last_seqnum) {
                let order = if is_active {
                    u64::MAX
                } else {
                    header.head_seqnum
                };
                found.push((order, inode, file));
            }
        }
        found.sort_by_key(|&(order, ..)| order);
        found
            .into_iter()
            .map(|(_, inode, file)| Ok((JournalFile::new(file, self.keep)?, inode)))
            .collect()
    }
}

/// Asks the kernel to announce what changes in this folder. It watches the folder itself and not its name, so a folder that
/// was removed and made again has to be watched again. That this has happened shows in the old one, where files are removed
/// (inotify(7), `IN_DELETE`): it stays as long as one of them is open.
fn watch(announcements: &OwnedFd, directory: &Path) -> io::Result<()> {
    let changes = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::DELETE;
    inotify::add_watch(announcements, directory, changes)?;
    Ok(())
}

impl AsFd for Follower {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.announcements.as_fd()
    }
}

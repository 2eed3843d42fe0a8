//! Notices `LogLevelMax=` that takes effect while a scenario runs. systemd then logs nothing about the unit; the only trace that
//! the lab can see is the file that tells journald about the level.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::Context;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use systemd_lab_protocol::sight::{BLINDING_SETTINGS, drop_ins};

use crate::files::write_file;

/// Where systemd tells journald about units: `unit_export_log_level_max` in its unit.c.
const UNITS: &str = "/run/systemd/units";

/// The target of a unit's link begins like this if the link holds the unit's level.
const LEVEL_OF: &str = "log-level-max:";

/// The level at which systemd logs each change of a state, as the link spells it.
const SEES_ALL: &str = "7";

/// Folders of units that come with packages or with the image.
const UNIT_FOLDERS: [&str; 2] = ["/usr/lib/systemd/system", "/etc/systemd/system"];

/// Drop-ins are one folder deeper.
const DEPTH: usize = 2;

/// Sees which units have a `LogLevelMax=` that hides from the lab what systemd does about them.
pub struct Levels {
    changes: OwnedFd,
    told: BTreeSet<String>,
}

impl Levels {
    /// Starts to watch.
    ///
    /// # Errors
    ///
    /// When the kernel cannot watch the folder.
    pub fn watch() -> anyhow::Result<Levels> {
        let changes = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)
            .map_err(io::Error::from)
            .context("the kernel watches no folders")?;
        let made = WatchFlags::CREATE | WatchFlags::MOVED_TO;
        inotify::add_watch(&changes, UNITS, made)
            .map_err(io::Error::from)
            .with_context(|| format!("cannot watch {UNITS}"))?;
        Ok(Levels {
            changes,
            told: BTreeSet::new(),
        })
    }

    /// The units that have a level that hides something, since the last call, each once.
    pub fn newly_hidden(&mut self) -> Vec<String> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut changes = inotify::Reader::new(&self.changes, &mut buffer);
        let mut hidden = Vec::new();
        // An error means that there are no more.
        while let Ok(change) = changes.next() {
            let name = change.file_name().map(|name| name.to_string_lossy());
            let Some(unit) = name.as_deref().and_then(|it| it.strip_prefix(LEVEL_OF)) else {
                continue;
            };
            let link = Path::new(UNITS).join(format!("{LEVEL_OF}{unit}"));
            let sees_all = match fs::read_link(link) {
                Ok(level) => level.as_os_str() == SEES_ALL,
                // The link is gone because the unit has ended. If the lab's drop-ins exist, one of them set the level, and
                // nothing was hidden.
                Err(_) => drop_ins().all(|(path, _)| Path::new(&path).exists()),
            };
            if !sees_all && self.told.insert(unit.to_owned()) {
                hidden.push(unit.to_owned());
            }
        }
        hidden
    }
}

/// Overrides such settings if units of the guest have any, before a scenario brings its own.
///
/// # Errors
///
/// When a drop-in cannot be written.
pub fn see_all_of_packages() -> io::Result<()> {
    if UNIT_FOLDERS
        .iter()
        .any(|folder| hides(Path::new(folder), DEPTH))
    {
        for (path, text) in drop_ins() {
            write_file(&path, text.as_bytes(), 0o644)?;
        }
    }
    Ok(())
}

/// Whether a file in this folder has such a setting.
fn hides(folder: &Path, depth: usize) -> bool {
    let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => depth > 1 && hides(&path, depth - 1),
            // A broken link, or a file that is not text, sets nothing.
            false => fs::read_to_string(path)
                .is_ok_and(|text| BLINDING_SETTINGS.iter().any(|name| text.contains(name))),
        }
    })
}

//! How a lab is opened, and how it runs a scenario.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use systemd_lab_protocol::Event;

use super::{Lab, ensure_supported_host};
use crate::cache::Cache;
use crate::error::LabError;
use crate::guest::Guest;
use crate::image::archive;
use crate::snapshot::Snapshot;

/// How a lab is opened. Made by [`Lab::options`].
///
/// ```no_run
/// use systemd_lab::{Guest, Lab};
///
/// # fn main() -> Result<(), systemd_lab::LabError> {
/// let guest = Guest::default().package("openssh-server")?;
/// let lab = Lab::options().guest(&guest).open()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct LabOptions {
    guest: Option<Guest>,
    is_repaired: bool,
    on_wait: Option<fn(usize)>,
}

impl LabOptions {
    /// Uses this guest instead of the one from [`Guest::from_environment`].
    pub fn guest(mut self, guest: &Guest) -> LabOptions {
        self.guest = Some(guest.clone());
        self
    }

    /// Reads every byte of image and snapshot first; rebuilds what is damaged.
    pub fn repaired(mut self) -> LabOptions {
        self.is_repaired = true;
        self
    }

    /// Calls this function with the number of other processes' runs that are ahead in the queue for a processor: when a run has
    /// waited for a second, whenever the number changes, and with 0 when the run begins. Without it, a terminal shows it.
    pub fn on_wait(mut self, on_wait: fn(usize)) -> LabOptions {
        self.on_wait = Some(on_wait);
        self
    }

    /// Opens the lab and sets up what is missing: packages, image, snapshot. Shows progress on a terminal.
    ///
    /// # Errors
    ///
    /// Whatever keeps the lab from being set up; [`LabError::UnknownPackage`], before anything boots, for a package that Debian does
    /// not have.
    pub fn open(&self) -> Result<Lab, LabError> {
        ensure_supported_host()?;
        let (cache, guest) = (Cache::locate()?, self.chosen()?);
        let snapshot = if self.is_repaired {
            Snapshot::repair_with_image(&cache, &guest)?
        } else {
            Snapshot::provide(&cache, &guest)?
        };
        Ok(self.lab(cache, guest, snapshot))
    }

    /// The lab that [`Self::open`] would open, if it is set up and looks complete. Creates nothing.
    ///
    /// # Errors
    ///
    /// When there is no place for the cache, or its contents cannot be read.
    pub fn find(&self) -> Result<Option<Lab>, LabError> {
        let (cache, guest) = (Cache::locate()?, self.chosen()?);
        let snapshot = Snapshot::find(&cache, &guest)?;
        Ok(snapshot.map(|snapshot| self.lab(cache, guest, snapshot)))
    }

    /// Writes the guest's image to one file, for machines without a network. Builds the image first if
    /// necessary.
    ///
    /// # Errors
    ///
    /// Whatever keeps the image from being built, or the file from being written.
    pub fn export_image(&self, to: &Path) -> Result<(), LabError> {
        archive::export(&Cache::locate()?, &self.chosen()?, to)
    }

    /// Imports the guest's image from a file that [`Self::export_image`] wrote, after checking it.
    ///
    /// # Errors
    ///
    /// [`LabError::BadArchive`] for a damaged file or one of a different version; otherwise the reason why the
    /// cache cannot be written.
    pub fn import_image(&self, from: &Path) -> Result<(), LabError> {
        archive::import(&Cache::locate()?, &self.chosen()?, from)
    }

    fn chosen(&self) -> Result<Guest, LabError> {
        match &self.guest {
            Some(guest) => Ok(guest.clone()),
            None => Guest::from_environment(),
        }
    }

    fn lab(&self, cache: Cache, guest: Guest, snapshot: Snapshot) -> Lab {
        Lab {
            cache,
            guest,
            snapshot,
            on_wait: self.on_wait,
        }
    }
}

/// A scenario takes a second or two of wall time; a service that computes all the time makes virtual time as slow
/// as emulation, and a busy machine slower still.
pub(super) const DEADLINE: Duration = Duration::from_secs(120);

/// How a scenario is run, for [`Lab::run_with`].
///
/// ```no_run
/// use std::time::Duration;
/// use systemd_lab::{Lab, RunOptions, describe};
/// use systemd_lab::protocol::Scenario;
///
/// # fn main() -> Result<(), systemd_lab::LabError> {
/// let options = RunOptions::default()
///     .deadline(Duration::from_secs(600))
///     .on_event(|event| println!("{:?}", describe(&event.kind)));
/// Lab::open()?.run_with(&Scenario::new("nothing"), &[], options)?;
/// # Ok(())
/// # }
/// ```
pub struct RunOptions<'a> {
    pub(super) deadline: Duration,
    pub(super) on_event: Box<dyn FnMut(&Event) + 'a>,
    pub(super) interruption: Option<&'a AtomicBool>,
    pub(super) is_remembered: bool,
    pub(super) is_in_real_time: bool,
}

impl Default for RunOptions<'_> {
    fn default() -> Self {
        RunOptions {
            deadline: DEADLINE,
            on_event: Box::new(|_| {}),
            interruption: None,
            is_remembered: false,
            is_in_real_time: false,
        }
    }
}

impl<'a> RunOptions<'a> {
    /// Limits the run to this much processor time instead of two minutes. Time in which other processes had the
    /// processors does not count.
    pub fn deadline(mut self, deadline: Duration) -> RunOptions<'a> {
        self.deadline = deadline;
        self
    }

    /// Passes each event on as soon as the guest has sent it. Within a batch, events may be out of order; the timeline is
    /// sorted. A run that is read back passes on nothing.
    pub fn on_event(mut self, on_event: impl FnMut(&Event) + 'a) -> RunOptions<'a> {
        self.on_event = Box::new(on_event);
        self
    }

    /// Ends the run with [`LabError::Interrupted`] soon after this becomes true, e.g. by a signal.
    pub fn interrupted_by(mut self, interruption: &'a AtomicBool) -> RunOptions<'a> {
        self.interruption = Some(interruption);
        self
    }

    /// Runs the same scenario and files only once: their timeline is stored next to the snapshot and read back the next time. This is
    /// for slow runs that do not depend on anything people edit. If the timeline cannot be stored or read back, the scenario runs again.
    pub fn remembered(mut self) -> RunOptions<'a> {
        self.is_remembered = true;
        self
    }

    /// Runs the slow way: boots the image again and lets time pass normally. The savings of virtual time are measured against this.
    pub fn in_real_time(mut self) -> RunOptions<'a> {
        self.is_in_real_time = true;
        self
    }
}

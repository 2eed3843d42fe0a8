//! The booted guest, frozen: it is made once for an image, an agent and a QEMU version, and restored for every run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use systemd_lab_protocol::{Event, EventKind};

use crate::cache::{BuildDir, Cache, Kind, Manifest, key_of};
use crate::disk::{self, HARDLY_ANY_SPACE, SPACE_NEEDED, free_space};
use crate::error::LabError;
use crate::guest::Guest;
use crate::image::{self, Image, write_boot_initrd, write_overlay};
use crate::packages;
use crate::progress::Step;
use crate::saved_state;
use crate::vm::{CONSOLE_LINES, Console, Origin, Pace, Vm, ram_for};
use systemd_timeline::visible;

/// Booting takes about ten seconds of wall time on a quiet machine; a machine that is busy with forty people's
/// builds may take much longer.
const BOOT_DEADLINE: Duration = Duration::from_secs(120);

/// This includes the scripts of added packages: sshd's keys alone take a minute on such a machine.
const BOOT_DEADLINE_WITH_PACKAGES: Duration = Duration::from_secs(400);

/// The state of all devices except RAM, under the name that [`Vm::save`] uses.
const STATE: &str = "state";

/// What is booted: the image and the lab's overlay. It is no longer needed once the guest is up.
const INITRD: &str = "initrd";

/// A snapshot in the cache, and the QEMU that can restore it.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) dir: PathBuf,
    pub(crate) qemu: PathBuf,
}

impl Snapshot {
    /// The snapshot in the cache; makes it if it is missing, damaged or for a different QEMU version.
    pub(crate) fn provide(cache: &Cache, guest: &Guest) -> Result<Snapshot, LabError> {
        // The lock is only taken to build; `provide_locked` checks again, because another process may have built the snapshot.
        if let Some(snapshot) = Snapshot::find(cache, guest)? {
            return Ok(snapshot);
        }
        let image = |cache: &Cache| Image::provide(cache, guest);
        Snapshot::provide_locked(cache, image, |kind, dir| {
            Manifest::looks_whole(kind, dir) || Manifest::is_whole(kind, dir)
        })
    }

    /// Rebuilds the snapshot unless every byte is still the same.
    pub(crate) fn repair(cache: &Cache, guest: &Guest) -> Result<Snapshot, LabError> {
        let image = |cache: &Cache| Image::provide(cache, guest);
        Snapshot::provide_locked(cache, image, Manifest::is_whole)
    }

    /// Rebuilds image and snapshot unless every byte of them is still the same.
    pub(crate) fn repair_with_image(cache: &Cache, guest: &Guest) -> Result<Snapshot, LabError> {
        let image = |cache: &Cache| Image::provide_unless(cache, guest, Manifest::is_whole);
        Snapshot::provide_locked(cache, image, Manifest::is_whole)
    }

    /// The place for a snapshot of this image and QEMU, whether it exists or not.
    pub(crate) fn place(cache: &Cache, image: &Image, qemu: &Path) -> Result<PathBuf, LabError> {
        Ok(cache.entry(Kind::Snapshot, &key(image, qemu)?))
    }

    /// The snapshot, if nothing is missing or changed. Creates nothing.
    pub(crate) fn find(cache: &Cache, guest: &Guest) -> Result<Option<Snapshot>, LabError> {
        match (
            packages::find(packages::QEMU.file),
            Image::look_up(cache, guest),
        ) {
            (Some(qemu), Some(image)) => Snapshot::look_up(cache, &image, qemu),
            _ => Ok(None),
        }
    }

    fn look_up(cache: &Cache, image: &Image, qemu: PathBuf) -> Result<Option<Snapshot>, LabError> {
        let dir = cache.entry(Kind::Snapshot, &key(image, &qemu)?);
        Ok(Manifest::looks_whole(Kind::Snapshot, &dir).then_some(Snapshot { dir, qemu }))
    }

    fn provide_locked(
        cache: &Cache,
        provide_image: impl Fn(&Cache) -> Result<Image, LabError>,
        is_good: impl Fn(Kind, &Path) -> bool,
    ) -> Result<Snapshot, LabError> {
        let mut waiting = None;
        let _lock = cache.lock(|| {
            waiting = Some(Step::begin(
                "Waiting: another process is setting up the lab",
            ))
        })?;
        drop(waiting);
        // The image comes first, so that one call of apt-get installs what its build needs together with QEMU.
        let image = provide_image(cache)?;
        let qemu = packages::qemu()?;
        let place = |image: &Image| Snapshot::place(cache, image, &qemu);
        let mut dir = place(&image)?;
        if !is_good(Kind::Snapshot, &dir) {
            // For an existing snapshot, sizes and times are enough. A new snapshot will be kept, so its image is read byte by byte.
            let image = Image::provide_unless(cache, image.guest(), Manifest::is_whole)?;
            make(cache, &image, &qemu, &key(&image, &qemu)?)?;
            dir = place(&image)?;
        }
        Ok(Snapshot { dir, qemu })
    }
}

/// A snapshot belongs to the QEMU that wrote it, and to everything that was booted.
fn key(image: &Image, qemu: &Path) -> Result<String, LabError> {
    let overlay = write_overlay(image.guest(), Vec::new())
        .map_err(LabError::io("laying out the guest's files"))?;
    Ok(key_of([
        &image.identity()?,
        &overlay,
        identity(qemu)?.as_bytes(),
        &crate::vm::machine_identity(ram(image)?),
        saved_state::IDENTITY,
    ]))
}

/// The size of the guest's RAM, in bytes.
fn ram(image: &Image) -> Result<u64, LabError> {
    if let Some(mib) = image.guest().chosen_memory_mib() {
        return Ok(u64::from(mib) << 20);
    }
    let initrd = image.initrd();
    let meta =
        fs::metadata(&initrd).map_err(LabError::io(format!("looking at {}", initrd.display())))?;
    Ok(ram_for(meta.len()))
}

/// Distinguishes installed QEMUs without running them: running one would take as long as a restore.
fn identity(qemu: &Path) -> Result<String, LabError> {
    let meta =
        fs::metadata(qemu).map_err(LabError::io(format!("looking at {}", qemu.display())))?;
    Ok(format!(
        "{} {} {:?}",
        qemu.display(),
        meta.len(),
        meta.modified().ok()
    ))
}

fn make(cache: &Cache, image: &Image, qemu: &Path, key: &str) -> Result<(), LabError> {
    cache.ensure_space(SPACE_NEEDED)?;
    let step = Step::begin("Booting the guest, once");
    let (directory, mut vm) = boot_image(cache, image, qemu, Pace::Virtual, &[])?;
    vm.save().map_err(|error| or_full_disk(cache, error))?;
    drop(vm);
    saved_state::settle_clock(&directory.path().join(STATE))
        .map_err(disk::cannot_write(cache.root()))?;
    fs::remove_file(directory.path().join(INITRD)).map_err(disk::cannot_write(cache.root()))?;
    cache.publish(directory, Kind::Snapshot, key)?;
    step.finish();
    Ok(())
}

/// Boots the cache's image until the agent waits for its job. The guest is stopped at that instant; its RAM is in the
/// returned directory.
pub(crate) fn boot(
    cache: &Cache,
    guest: &Guest,
    qemu: &Path,
    pace: Pace,
    job: &[u8],
) -> Result<(BuildDir, Vm), LabError> {
    let image = Image::provide(cache, guest)?;
    boot_image(cache, &image, qemu, pace, job)
}

fn boot_image(
    cache: &Cache,
    image: &Image,
    qemu: &Path,
    pace: Pace,
    job: &[u8],
) -> Result<(BuildDir, Vm), LabError> {
    let directory = cache.build_dir()?;
    let initrd = directory.path().join(INITRD);
    write_boot_initrd(image, &initrd).map_err(disk::cannot_write(cache.root()))?;
    let origin = Origin::Boot {
        kernel: &image.kernel(),
        initrd: &initrd,
        ram: ram(image)?,
    };
    let mut vm = Vm::start(
        qemu,
        directory.path(),
        &origin,
        pace,
        job,
        Console::Recorded,
    )?;
    vm.resume().map_err(|error| or_full_disk(cache, error))?;
    let deadline = match image.guest().packages().len() {
        0 => BOOT_DEADLINE,
        _ => BOOT_DEADLINE_WITH_PACKAGES,
    };
    let why = match vm.wait_for_doorbell(deadline) {
        // The agent reports nothing here, unless it could not prepare the guest.
        Ok(true) if vm.output().is_empty() => return Ok((directory, vm)),
        Ok(true) => format!("its agent {}", complaint(&vm.output())),
        Ok(false) => format!("it took more than {} s", deadline.as_secs()),
        Err(LabError::GuestEnded { .. }) => "it powered off, or its kernel panicked".to_owned(),
        Err(error) => return Err(or_full_disk(cache, error)),
    };
    let console = vm.console();
    if let Some(package) = image::not_set_up(&console) {
        return Err(LabError::PackageSetup {
            package: package.to_owned(),
            console: packages::last_lines(&console, CONSOLE_LINES),
        });
    }
    Err(LabError::BootFailed {
        why,
        console: packages::last_lines(&console, CONSOLE_LINES),
        cache: cache.root().to_owned(),
    })
}

/// Turns the error into a full disk if that is the cause: the guest's memory is a file, and QEMU dies if the disk cannot hold
/// it. The directory still exists, so the disk is as full as it was then.
fn or_full_disk(cache: &Cache, error: LabError) -> LabError {
    match error {
        LabError::Qemu { .. } => match free_space(cache.root()) {
            Ok(free) if free < HARDLY_ANY_SPACE => LabError::DiskFull {
                path: cache.root().to_owned(),
                needed: SPACE_NEEDED,
                free,
            },
            _ => error,
        },
        error => error,
    }
}

/// The message of an agent that could not prepare the guest.
fn complaint(output: &[u8]) -> String {
    match serde_json::from_slice(output) {
        Ok(Event {
            kind: EventKind::AgentError { message },
            ..
        }) => message,
        _ => format!("said {}", visible(String::from_utf8_lossy(output).trim())),
    }
}

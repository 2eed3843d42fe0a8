//! The guest image: a Debian kernel, and packages as an initramfs.
//!
//! The image depends on Debian's archive and on this module only. It is what a room without a network gets:
//! agent and settings are added when the snapshot is made, and need no download.

mod added;
pub(crate) mod archive;
pub(crate) mod contents;
mod cpio;
mod guest_files;
mod perturbation;
pub(crate) mod program;

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache::{Cache, Kind, Manifest, create_file, key_of};
use crate::disk::{self, SPACE_NEEDED};
use crate::error::LabError;
use crate::guest::Guest;
use crate::packages;
use crate::process::dies_with_us;
use crate::progress::Step;
use crate::suite::Suite;

use added::Added;

pub(crate) use added::not_set_up;
pub(crate) use guest_files::{AGENT_ENDED, is_systemds_own, write_overlay};

/// What every guest consists of, besides dependencies: a kernel without driver baggage, systemd, what a person
/// expects in a shell, and what unit files take for granted because Debian marks it `Essential: yes`.
const PACKAGES: &[&str] = &[
    "linux-image-cloud-amd64",
    "systemd-sysv",
    "bash",
    "bsdutils",
    "coreutils",
    "curl",
    "dash",
    "debianutils",
    "diffutils",
    "findutils",
    "grep",
    "gzip",
    "hostname",
    "iproute2",
    "less",
    "libc-bin",
    "libgcc-s1",
    "mawk",
    "ncurses-base",
    "ncurses-bin",
    "perl-base",
    "procps",
    "sed",
    "tar",
    "util-linux",
    "vim-tiny",
];

/// What newer versions of systemd only load if it is there, and every Debian machine has: `SystemCallFilter=` needs it.
const FOR_NEWER_SYSTEMD: &[&str] = &["libseccomp2"];

/// Debian's other essential packages that maintainer scripts use: for guests with added packages.
const FOR_SCRIPTS: &[&str] = &["base-passwd", "dpkg"];

/// What mmdebstrap writes, in the directory in which something is built.
const ARCHIVE: &str = "packages.tar";

/// How much of mmdebstrap's output an error shows.
const OUTPUT_LINES: usize = 20;

/// An image in the cache.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    dir: PathBuf,
    guest: Guest,
}

impl Image {
    /// The image in the cache, if it exists and is untouched.
    pub(crate) fn look_up(cache: &Cache, guest: &Guest) -> Option<Image> {
        let image = Image::as_it_is(cache, guest);
        Manifest::looks_whole(Kind::Image, &image.dir).then_some(image)
    }

    /// The image in the cache; builds it if it is missing or damaged. The caller holds the cache's lock.
    pub(crate) fn provide(cache: &Cache, guest: &Guest) -> Result<Image, LabError> {
        Image::provide_unless(cache, guest, |kind, dir| {
            Manifest::looks_whole(kind, dir) || Manifest::is_whole(kind, dir)
        })
    }

    /// The image in the cache; builds it unless it is good. The caller holds the cache's lock.
    pub(crate) fn provide_unless(
        cache: &Cache,
        guest: &Guest,
        is_good: impl Fn(Kind, &Path) -> bool,
    ) -> Result<Image, LabError> {
        let key = entry_key(guest);
        let image = Image::as_it_is(cache, guest);
        if is_good(Kind::Image, &image.dir) {
            return Ok(image);
        }
        packages::for_image()?;
        cache.ensure_space(SPACE_NEEDED)?;
        let build = cache.build_dir()?;
        bootstrap(guest, build.path())?;
        let step = Step::begin("Making the guest image");
        convert(guest, build.path(), &image.dir)?;
        cache.publish(build, Kind::Image, &key)?;
        step.finish();
        Ok(image)
    }

    /// The image in the cache, in any condition.
    pub(crate) fn as_it_is(cache: &Cache, guest: &Guest) -> Image {
        Image {
            dir: Image::place(cache, guest),
            guest: guest.clone(),
        }
    }

    /// The image's place in the cache, whether it exists or not.
    pub(crate) fn place(cache: &Cache, guest: &Guest) -> PathBuf {
        cache.entry(Kind::Image, &entry_key(guest))
    }

    /// The guest that it belongs to.
    pub(crate) fn guest(&self) -> &Guest {
        &self.guest
    }

    /// Where it is, or would be.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn kernel(&self) -> PathBuf {
        self.dir.join("kernel")
    }

    pub(crate) fn initrd(&self) -> PathBuf {
        self.dir.join("initrd")
    }

    /// Identifies an image by its content: the same recipe gives other bytes when Debian has newer packages.
    pub(crate) fn identity(&self) -> Result<Vec<u8>, LabError> {
        Manifest::identity(Kind::Image, &self.dir).ok_or_else(|| LabError::ImageIncomplete {
            what: "manifest",
            path: self.dir.clone(),
        })
    }
}

/// Identifies an image in the cache: what this module puts into it, and the mirror that a person chose for it. The image that was
/// made from another mirror stays, and no one gets it by mistake.
fn entry_key(guest: &Guest) -> String {
    let key = key(guest);
    match guest.chosen_mirror() {
        None => key,
        Some(mirror) => key_of([key.as_str(), mirror].map(str::as_bytes)),
    }
}

/// Identifies everything that this module puts into an image, wherever the packages come from: an image that was exported can be
/// imported by people who do not know its mirror.
fn key(guest: &Guest) -> String {
    let packages = base(guest).join(",");
    let base = guest_files::base_recipe();
    let suite = guest.suite().codename();
    let mut parts: Vec<Vec<u8>> = vec![suite.into(), packages.into(), base];
    // The guest without additions is older than the others, and keeps its key.
    if guest.suite() != Suite::default() {
        parts.push(guest_files::modules(guest.suite()).join(",").into());
    }
    if guest.packages().len() > 0 {
        let added: Vec<&str> = guest.packages().collect();
        parts.push(added.join(",").into());
        parts.push(added::recipe());
    }
    key_of(parts.iter().map(Vec::as_slice))
}

/// The packages whose scripts are not run.
fn base(guest: &Guest) -> Vec<&'static str> {
    let mut packages = PACKAGES.to_vec();
    // The systemd of the others depends on it.
    if guest.suite() == Suite::Testing {
        packages.extend(FOR_NEWER_SYSTEMD);
    }
    if guest.packages().len() > 0 {
        packages.extend(FOR_SCRIPTS);
    }
    packages
}

/// Downloads the guest's packages as one tar archive.
fn bootstrap(guest: &Guest, dir: &Path) -> Result<(), LabError> {
    let step = Step::begin("Downloading Debian packages for the guest");
    let base = base(guest);
    let packages: Vec<&str> = base.iter().copied().chain(guest.packages()).collect();
    let mut command = mmdebstrap(guest, &packages, dir);
    if guest.packages().len() > 0 {
        let (hook, variables) = added::hook(&base, guest, dir).map_err(disk::cannot_write(dir))?;
        command.arg(hook).envs(variables);
    }
    let output = command
        .output()
        .map_err(LabError::io("running mmdebstrap"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        if let Some(refusal) = refusal(guest, &text).or_else(|| expired(guest, &text)) {
            return Err(refusal);
        }
        return Err(LabError::ImageBuild {
            output: packages::last_lines(&text, OUTPUT_LINES),
        });
    }
    step.finish();
    Ok(())
}

/// The command that downloads these packages and what they depend on, and writes them as one tar archive, [`ARCHIVE`].
///
/// Mode `chrootless` with variant `extract` runs no maintainer scripts, so it needs neither root nor user
/// namespaces. The keys are mmdebstrap's own defaults, and so is the mirror if the guest has none.
fn mmdebstrap(guest: &Guest, packages: &[&str], dir: &Path) -> Command {
    let include = format!("--include={}", packages.join(","));
    let mut command = dies_with_us("TERM", "mmdebstrap");
    command
        .args(["--mode=chrootless", "--variant=extract", &include])
        // mmdebstrap 1.5 refuses this mode to root outside a chroot, because maintainer scripts would run on the host.
        .arg("--skip=check/chrootless")
        .args([guest.suite().codename(), ARCHIVE])
        .args(guest.mirror_url())
        .current_dir(dir)
        // If it is killed, its leftovers disappear with the build directory.
        .env("TMPDIR", dir)
        // The lab parses its errors: see `refusal`.
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    if guest.chosen_mirror().is_some() {
        // A dated snapshot is always expired. apt.conf(5)
        command.arg("--aptopt=Acquire::Check-Valid-Until \"false\"");
    }
    command
}

/// apt's complaint about a mirror that is no longer updated, in `text`:
/// `E: Release file for URL/dists/SUITE/InRelease is expired (invalid since 20d 9h 59min 45s). Updates …`.
fn expired(guest: &Guest, text: &str) -> Option<LabError> {
    let mut lines = text.lines();
    lines.find_map(|line| {
        let line = line.strip_prefix("E: Release file for ")?;
        let (url, rest) = line.split_once(" is expired (")?;
        let (why, _) = rest.split_once(')')?;
        let mirror = url.split_once("/dists/").map_or(url, |(mirror, _)| mirror);
        Some(LabError::ExpiredRelease {
            mirror: mirror.to_owned(),
            suite: guest.suite(),
            why: why.to_owned(),
        })
    })
}

/// apt's complaint about the added packages, in `text`. Everything else has other causes.
fn refusal(guest: &Guest, text: &str) -> Option<LabError> {
    let name = |line: &str| -> Option<String> {
        let unknown = line.strip_prefix("E: Unable to locate package ");
        // A name that other packages provide, or that is only mentioned.
        let virtual_only = line
            .strip_prefix("E: Package '")
            .and_then(|rest| rest.strip_suffix("' has no installation candidate"));
        let name = unknown.or(virtual_only)?.trim();
        guest
            .packages()
            .any(|package| package == name)
            .then(|| name.to_owned())
    };
    let names: Vec<String> = text.lines().filter_map(name).collect();
    let suite = guest.suite();
    if !names.is_empty() {
        return Some(LabError::UnknownPackage { names, suite });
    }
    let conflict = "The following packages have unmet dependencies:";
    (guest.packages().len() > 0 && text.contains(conflict)).then(|| LabError::PackageConflict {
        suite,
        output: packages::last_lines(text, OUTPUT_LINES),
    })
}

/// Turns [`ARCHIVE`] into `kernel` and `initrd`.
fn convert(guest: &Guest, dir: &Path, shown: &Path) -> Result<(), LabError> {
    let tar_path = dir.join(ARCHIVE);
    let in_cache = || disk::cannot_write(dir);
    // The input is what mmdebstrap has written; an error from the system is the disk's fault.
    let unpacking = |error: io::Error| match error.raw_os_error() {
        None => LabError::DamagedPackages {
            why: error.to_string(),
        },
        Some(_) => in_cache()(error),
    };
    let tar = File::open(&tar_path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => LabError::DamagedPackages {
            why: "there are none".to_owned(),
        },
        _ => in_cache()(error),
    })?;
    let tar = BufReader::new(tar);
    let out = BufWriter::new(create_file(&dir.join("initrd")).map_err(in_cache())?);
    let mut archive = cpio::Archive::new(out);
    let added = match guest.packages().len() {
        0 => None,
        _ => Some(Added::take(dir).map_err(in_cache())?),
    };
    let wanted = guest_files::modules(guest.suite());
    let mut modules = Vec::new();
    let (mut has_kernel, mut has_systemd) = (false, false);
    let keep = |path: &str| {
        guest_files::keep(path) || added.as_ref().is_some_and(|added| added.keep(path))
    };
    // The kernel does not create parents, and if `/bin` comes first, `/usr/bin` is not there yet: see `cpio::place`.
    if guest.suite() == Suite::Bookworm {
        archive.directory("usr", 0o755).map_err(in_cache())?;
    }
    cpio::copy_tar(tar, &mut archive, keep, |path, content| {
        if let Some(module) = module(path)
            && let Some(name) = wanted.iter().find(|name| **name == module)
        {
            modules.push((*name, content.to_owned()));
        }
        has_systemd |= path == "usr/lib/systemd/systemd";
        if is_kernel(path) {
            has_kernel = true;
            create_file(&dir.join("kernel"))?.write_all(content)?;
        }
        Ok(())
    })
    .and_then(|()| {
        guest_files::write_modules(&mut archive, &modules)?;
        if let Some(added) = &added {
            added.write(&mut archive)?;
        }
        archive
            .finish()?
            .into_inner()
            .map_err(io::Error::from)?
            .sync_all()
    })
    .map_err(unpacking)?;
    fs::remove_file(&tar_path).map_err(in_cache())?;
    let has_modules = modules.len() == wanted.len();
    for (there, what) in [
        (has_kernel, "kernel"),
        (has_systemd, "systemd"),
        (has_modules, "modules for the serial port"),
    ] {
        if !there {
            return Err(LabError::ImageIncomplete {
                what,
                path: shown.to_owned(),
            });
        }
    }
    Ok(())
}

/// Whether this is the path of the kernel in the packages: in `/boot`, and in newer releases among its modules.
fn is_kernel(path: &str) -> bool {
    let among_modules = || {
        path.strip_prefix("usr/lib/modules/")?
            .strip_suffix("/vmlinuz")
    };
    path.starts_with("boot/vmlinuz-") || among_modules().is_some_and(|it| !it.contains('/'))
}

/// The name of a kernel module, from its path in the packages.
fn module(path: &str) -> Option<&str> {
    let (_, name) = path.strip_prefix("usr/lib/modules/")?.rsplit_once('/')?;
    name.strip_suffix(".ko")
}

/// Writes the initramfs for the boot: the image's, then the lab's overlay. The kernel unpacks concatenated
/// archives one after the other.
pub(crate) fn write_boot_initrd(image: &Image, to: &Path) -> io::Result<()> {
    let mut out = BufWriter::new(create_file(to)?);
    io::copy(&mut File::open(image.initrd())?, &mut out)?;
    write_overlay(&image.guest, &mut out)?;
    out.flush()
}

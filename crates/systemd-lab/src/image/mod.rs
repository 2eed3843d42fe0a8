//! The guest image: a Debian kernel, and packages as an initramfs.
//!
//! The image depends on Debian's archive and on this module only. It is what a room without a network is given:
//! agent and settings are laid over it when the snapshot is made, and need no download.

pub(crate) mod archive;
pub(crate) mod contents;
mod cpio;
mod guest_files;

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::cache::{Cache, Manifest, SPACE_NEEDED, key_of};
use crate::error::LabError;
use crate::packages;
use crate::process::dies_with_us;
use crate::progress::Step;

pub(crate) use guest_files::write_overlay;

/// The Debian release that the guest runs: the current stable, with systemd 257.
pub(crate) const SUITE: &str = "trixie";

/// What the guest is made of, besides what these depend on: a kernel without driver baggage, systemd, and what a
/// person expects in a shell.
const PACKAGES: &[&str] = &[
    "linux-image-cloud-amd64",
    "systemd-sysv",
    "bash",
    "coreutils",
    "curl",
    "dash",
    "grep",
    "iproute2",
    "less",
    "libgcc-s1",
    "ncurses-base",
    "procps",
    "sed",
    "util-linux",
];

/// How much of mmdebstrap's output an error shows.
const OUTPUT_LINES: usize = 20;

/// An image in the cache.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    dir: PathBuf,
}

impl Image {
    /// The image in the cache, if it is there and nobody has touched it.
    pub(crate) fn look_up(cache: &Cache) -> Option<Image> {
        let dir = Image::place(cache);
        Manifest::looks_whole(&dir).then_some(Image { dir })
    }

    /// The image in the cache, built if it is absent or damaged. The caller holds the cache's lock.
    pub(crate) fn provide(cache: &Cache) -> Result<Image, LabError> {
        Image::provide_unless(cache, |dir| {
            Manifest::looks_whole(dir) || Manifest::is_whole(dir)
        })
    }

    /// The image in the cache, built unless it is good. The caller holds the cache's lock.
    pub(crate) fn provide_unless(
        cache: &Cache,
        is_good: impl Fn(&Path) -> bool,
    ) -> Result<Image, LabError> {
        let key = key();
        let image = Image::as_it_is(cache);
        if is_good(&image.dir) {
            return Ok(image);
        }
        packages::for_image()?;
        cache.ensure_space(SPACE_NEEDED)?;
        let build = cache.build_dir()?;
        bootstrap(build.path())?;
        let step = Step::begin("Making the guest image");
        convert(build.path(), &image.dir)?;
        cache.publish(build, "image", &key)?;
        step.finish();
        Ok(image)
    }

    /// The image in the cache, in whatever condition.
    pub(crate) fn as_it_is(cache: &Cache) -> Image {
        Image {
            dir: Image::place(cache),
        }
    }

    /// Where it lies, or would lie.
    pub(crate) fn place(cache: &Cache) -> PathBuf {
        cache.entry("image", &key())
    }

    pub(crate) fn kernel(&self) -> PathBuf {
        self.dir.join("kernel")
    }

    pub(crate) fn initrd(&self) -> PathBuf {
        self.dir.join("initrd")
    }

    /// Tells one image from another by content: the same recipe gives other bytes when Debian has newer packages.
    pub(crate) fn identity(&self) -> Result<Vec<u8>, LabError> {
        Manifest::identity(&self.dir).ok_or_else(|| LabError::ImageIncomplete {
            what: "manifest",
            path: self.dir.clone(),
        })
    }
}

/// Stands for all that this module puts into an image.
fn key() -> String {
    let packages = PACKAGES.join(",");
    key_of([
        SUITE.as_bytes(),
        packages.as_bytes(),
        &guest_files::base_recipe(),
    ])
}

/// Lets mmdebstrap download the packages and lay them out as one tar archive.
///
/// Mode `chrootless` with variant `extract` runs no maintainer script, and so needs neither root nor user
/// namespaces. Mirror and keys are mmdebstrap's own defaults.
fn bootstrap(dir: &Path) -> Result<(), LabError> {
    let step = Step::begin("Downloading Debian packages for the guest");
    let include = format!("--include={}", PACKAGES.join(","));
    let output = dies_with_us("TERM", "mmdebstrap")
        .args([
            "--mode=chrootless",
            "--variant=extract",
            &include,
            SUITE,
            "packages.tar",
        ])
        .current_dir(dir)
        // Should it be killed, what it leaves behind goes away with the build directory.
        .env("TMPDIR", dir)
        .stdin(Stdio::null())
        .output()
        .map_err(LabError::io("running mmdebstrap"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(LabError::ImageBuild {
            output: packages::last_lines(&text, OUTPUT_LINES),
        });
    }
    step.finish();
    Ok(())
}

/// Turns `packages.tar` into `kernel` and `initrd`.
fn convert(dir: &Path, shown: &Path) -> Result<(), LabError> {
    let tar_path = dir.join("packages.tar");
    let in_cache = || LabError::cache(dir);
    let tar = BufReader::new(File::open(&tar_path).map_err(in_cache())?);
    let out = BufWriter::new(File::create(dir.join("initrd")).map_err(in_cache())?);
    let mut archive = cpio::Archive::new(out);
    let (mut has_kernel, mut has_systemd) = (false, false);
    cpio::copy_tar(tar, &mut archive, guest_files::keep, |path, content| {
        has_systemd |= path == "usr/lib/systemd/systemd";
        if path.starts_with("boot/vmlinuz-") {
            has_kernel = true;
            fs::write(dir.join("kernel"), content)?;
        }
        Ok(())
    })
    .and_then(|()| {
        archive
            .finish()?
            .into_inner()
            .map_err(io::Error::from)?
            .sync_all()
    })
    .map_err(in_cache())?;
    fs::remove_file(&tar_path).map_err(in_cache())?;
    for (there, what) in [(has_kernel, "kernel"), (has_systemd, "systemd")] {
        if !there {
            return Err(LabError::ImageIncomplete {
                what,
                path: shown.to_owned(),
            });
        }
    }
    Ok(())
}

/// Writes the initramfs that is booted: the image's, then the lab's overlay. The kernel unpacks concatenated
/// archives one after the other.
pub(crate) fn write_boot_initrd(image: &Image, to: &Path) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(to)?);
    io::copy(&mut File::open(image.initrd())?, &mut out)?;
    write_overlay(&mut out)?;
    out.flush()
}

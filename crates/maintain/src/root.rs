//! A fresh Debian root, made with mmdebstrap, in which commands run as on another machine: as an ordinary user, with a clone of what
//! git has, and with or without a network. Only its kernel and the Rust toolchain are this machine's.
//!
//! Needs root, for chroot(2) and for mount(2). The mounts are in a mount namespace that ends with each command.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, bail, ensure};

/// The ordinary user in the root.
pub(crate) const USER: &str = "attendee";

/// The user's clone.
pub(crate) const CLONE: &str = "/home/attendee/workshop";

/// What is there before anything of ours: cargo's linker, git, sudo without a password, and what encrypted connections need.
const PACKAGES: &str = "ca-certificates,gcc,git,libc6-dev,sudo";

/// Where the toolchain is in the root.
const TOOLCHAIN: &str = "/opt/rust";

/// The certificates that programs trust. Behind a proxy, a machine has its own.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// `$1` is the root, `$2` the toolchain's folder; then the user and what the shell does.
///
/// A network namespace of its own has a loopback interface, which is down at first. Outside of one, it is up.
const ENTER: &str = r#"
set -e
root=$1 toolchain=$2 user=$3 script=$4
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mkdir -p "$root/opt/rust"
mount --bind -o ro "$toolchain" "$root/opt/rust"
ip link set lo up 2>/dev/null || true
exec chroot "$root" su - "$user" -c "$script"
"#;

/// Whether commands in the root reach a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// This machine's.
    Host,
    /// None but the loopback interface.
    None,
}

/// A root, which is removed when this is dropped.
pub(crate) struct Root {
    dir: PathBuf,
    toolchain: PathBuf,
}

impl Root {
    /// Makes the root of this Debian release in `parent`, with more packages than [`PACKAGES`], and the user in it.
    ///
    /// # Errors
    ///
    /// Without root, without mmdebstrap, or when mmdebstrap fails: the message has the end of its output.
    pub(crate) fn make(parent: &Path, suite: &str, packages: &[&str]) -> anyhow::Result<Root> {
        ensure!(
            is_root(),
            "this makes a Debian root and changes into it, which takes root; as root, type the same again"
        );
        let toolchain = toolchain()?;
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        let dir = parent.join(suite);
        remove(&dir)?;
        let root = Root { dir, toolchain };
        let mut include = vec![PACKAGES];
        include.extend(packages);
        let made = Command::new("mmdebstrap")
            .args(["--variant=minbase", "--quiet"])
            .arg(format!("--include={}", include.join(",")))
            .arg(suite)
            .arg(&root.dir)
            .stdin(Stdio::null())
            .output()
            .context("cannot run mmdebstrap; `cargo workshop doctor` says how to install it")?;
        if !made.status.success() {
            bail!(
                "mmdebstrap could not make a root of {suite}:\n{}",
                String::from_utf8_lossy(&made.stderr)
            );
        }
        root.prepare()?;
        Ok(root)
    }

    /// The root's folder on this machine.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.dir.join(inside.trim_start_matches('/'))
    }

    /// Runs this as a login shell of the user does, and returns what it printed.
    ///
    /// # Errors
    ///
    /// When the root cannot be entered.
    pub(crate) fn run(&self, user: &str, network: Network, script: &str) -> anyhow::Result<Output> {
        self.command(user, network, script)
            .stdin(Stdio::null())
            .output()
            .context("cannot run unshare")
    }

    /// Like [`Root::run`]; for input, or to read output while it goes on. The namespace's processes end with the command.
    pub(crate) fn command(&self, user: &str, network: Network, script: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child"]);
        if network == Network::None {
            command.arg("--net");
        }
        command
            .args(["sh", "-c", ENTER, "sh"])
            .arg(&self.dir)
            .arg(&self.toolchain)
            .args([user, script]);
        command
    }

    /// Clones what git has of the repository in this folder to [`CLONE`]. What is not committed is not in it.
    pub(crate) fn clone_here(&self, repository: &Path) -> anyhow::Result<()> {
        let clone = self.path(CLONE);
        let cloned = Command::new("git")
            .args(["clone", "--quiet", "--no-local"])
            .arg(repository)
            .arg(&clone)
            .status()
            .context("cannot run git")?;
        ensure!(cloned.success(), "git could not clone the repository");
        self.as_root(&format!("chown -R {USER}:{USER} {CLONE}"))
    }

    /// Runs this as root, in a root whose network is this machine's.
    ///
    /// # Errors
    ///
    /// When it fails: the message has what it printed.
    pub(crate) fn as_root(&self, script: &str) -> anyhow::Result<()> {
        let output = self.run("root", Network::Host, script)?;
        ensure!(
            output.status.success(),
            "`{script}` failed in the root:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    fn prepare(&self) -> anyhow::Result<()> {
        // Names are looked up, and connections are trusted, as on this machine.
        for file in ["/etc/resolv.conf", "/etc/hosts", CERTIFICATES] {
            if Path::new(file).is_file() {
                fs::copy(file, self.path(file)).with_context(|| format!("cannot copy {file}"))?;
            }
        }
        let profile = self.path("/etc/profile.d/rust.sh");
        let mut profile = fs::File::create(profile).context("cannot write the root's profile")?;
        writeln!(
            profile,
            "export PATH=\"{TOOLCHAIN}/bin:$PATH\" LANG=C.UTF-8"
        )?;
        let sudoers = self.path("/etc/sudoers.d/attendee");
        fs::write(sudoers, format!("{USER} ALL=(ALL) NOPASSWD: ALL\n"))
            .context("cannot write the root's sudoers")?;
        self.as_root(&format!("useradd --create-home --shell /bin/bash {USER}"))
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        // Best effort: the next one begins by removing it.
        let _ = remove(&self.dir);
    }
}

fn remove(dir: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(dir) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot remove {}", dir.display())),
    }
}

/// Real user IDs other than 0 cannot call chroot(2).
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The folder of the toolchain that runs this.
fn toolchain() -> anyhow::Result<PathBuf> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "sysroot"])
        .output()
        .context("cannot run rustc")?;
    ensure!(output.status.success(), "rustc does not say where it is");
    let path = String::from_utf8(output.stdout).context("the toolchain's path is not UTF-8")?;
    Ok(PathBuf::from(path.trim_end()))
}

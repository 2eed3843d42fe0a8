//! Builds the guest's agent, so that it is part of this library.
//!
//! The agent must be static, and how the host's binaries are built must not affect it: a separate
//! cargo compiles it, with its own flags and target directory. It rarely changes; a build then takes
//! about ten seconds.
//!
//! Its sources are a dependency of this library. In a clone, the agent is built where it is. Out of a registry or a vendored
//! folder, it is built from a copy in `OUT_DIR`: those folders are not this library's to write to, and above them may be a
//! workspace of somebody else's. There it uses the crates that cargo has fetched for this library anyway, so no network.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// The guest is always x86-64; see `ARCHITECTURE.md`.
const GUEST_TARGET: &str = "x86_64-unknown-linux-gnu";

/// The agent is carried in every snapshot and runs under emulation, where every instruction counts.
const PROFILE: [&str; 6] = [
    r#"profile.agent.inherits="release""#,
    "profile.agent.opt-level=2",
    "profile.agent.lto=true",
    "profile.agent.codegen-units=1",
    r#"profile.agent.panic="abort""#,
    "profile.agent.strip=true",
];

/// The workspace of the copy. Without it, cargo would look for one above `OUT_DIR`, and find the caller's.
const WORKSPACE: &str = "[workspace]\nresolver = \"3\"\nmembers = [\"agent\"]\n";

/// Where the manifest of a packaged agent names the protocol, and only a registry has it.
const PROTOCOL: &str = "[dependencies.systemd-lab-protocol]\n";

fn main() {
    let agent = PathBuf::from(variable("DEP_SYSTEMD_LAB_AGENT_SOURCES"));
    let protocol = PathBuf::from(variable("DEP_SYSTEMD_LAB_PROTOCOL_SOURCES"));
    println!("cargo::rerun-if-changed=build.rs");
    for part in [&agent, &protocol] {
        for file in ["src", "Cargo.toml"] {
            println!("cargo::rerun-if-changed={}", part.join(file).display());
        }
    }

    let out = PathBuf::from(variable("OUT_DIR"));
    let target_dir = out.join("agent");
    let mut cargo = Command::new(variable("CARGO"));
    cargo.args(["build", "--quiet", "--bin", "systemd-lab-agent"]);
    match packaged(&agent) {
        Some(manifest) => {
            let copy = out.join("sources");
            write_copy(&copy, &agent, &manifest, &protocol).unwrap_or_else(|error| {
                panic!("cannot copy the agent's sources to {copy:?}: {error}")
            });
            // The configuration that says where the caller's crates come from is above OUT_DIR, or in cargo's home.
            cargo.current_dir(copy).arg("--offline");
        }
        None => {
            cargo.arg("--manifest-path").arg(agent.join("Cargo.toml"));
        }
    }
    for setting in PROFILE {
        cargo.args(["--config", setting]);
    }
    let status = cargo
        .args(["--profile", "agent", "--target", GUEST_TARGET])
        .arg("--target-dir")
        .arg(&target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static")
        // `cargo clippy` and editors set these for the workspace's own crates; the agent only needs to be built.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        .env_remove("CARGO_TARGET_DIR")
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("the guest's agent did not build ({status}); its errors stand above"),
        Err(error) => panic!("cargo did not run: {error}"),
    }
    let agent = target_dir
        .join(GUEST_TARGET)
        .join("agent/systemd-lab-agent");
    println!("cargo::rustc-env=SYSTEMD_LAB_AGENT={}", agent.display());
}

/// The manifest in these sources if cargo packaged them: then it inherits nothing from a workspace.
fn packaged(sources: &Path) -> Option<String> {
    let path = sources.join("Cargo.toml");
    let manifest = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    (!manifest.contains("workspace = true")).then_some(manifest)
}

/// Writes a workspace with the agent, which takes the protocol from its sources.
fn write_copy(copy: &Path, agent: &Path, manifest: &str, protocol: &Path) -> io::Result<()> {
    if copy.exists() {
        fs::remove_dir_all(copy)?;
    }
    copy_folder(&agent.join("src"), &copy.join("agent/src"))?;
    fs::copy(agent.join("build.rs"), copy.join("agent/build.rs"))?;
    fs::write(copy.join("Cargo.toml"), WORKSPACE)?;
    let path = toml_string(protocol)?;
    let manifest = manifest.replacen(PROTOCOL, &format!("{PROTOCOL}path = {path}\n"), 1);
    fs::write(copy.join("agent/Cargo.toml"), manifest)
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &to)?,
            false => {
                fs::copy(entry.path(), to)?;
            }
        }
    }
    Ok(())
}

/// A path as a literal string of TOML, which has no escapes.
fn toml_string(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some(path) if !path.contains(['\'', '\n']) => Ok(format!("'{path}'")),
        _ => Err(io::Error::other(format!(
            "{path:?} is not a path that a manifest can have"
        ))),
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}

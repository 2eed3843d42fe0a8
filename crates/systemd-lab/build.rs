//! Builds the guest's agent, so that it is part of this library.
//!
//! The agent must be static, and how the host's binaries are built must not affect it: a separate
//! cargo compiles it, with its own flags and target directory. It rarely changes; a build then takes
//! about ten seconds.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The guest is always x86-64; see `ARCHITECTURE.md`.
const GUEST_TARGET: &str = "x86_64-unknown-linux-gnu";

fn main() {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let crates = here.parent().expect("this package lies in crates/");
    for part in ["systemd-lab-agent", "systemd-lab-protocol"] {
        for file in ["src", "Cargo.toml"] {
            println!(
                "cargo::rerun-if-changed={}",
                crates.join(part).join(file).display()
            );
        }
    }

    let target_dir = Path::new(&variable("OUT_DIR")).join("agent");
    let status = Command::new(variable("CARGO"))
        .args([
            "build",
            "--quiet",
            "--profile",
            "agent",
            "--target",
            GUEST_TARGET,
        ])
        .arg("--manifest-path")
        .arg(crates.join("systemd-lab-agent/Cargo.toml"))
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

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}

//! All crates in a folder of the clone, and the settings with which cargo takes them from there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use stages::cargo::cargo;

/// The folder in the clone.
pub(super) const FOLDER: &str = "vendor";

/// cargo's settings in the clone, which `.cargo/config.toml` includes if they exist.
pub(super) const SETTINGS: &str = ".cargo/offline.toml";

pub(super) const SETTINGS_TEXT: &str = "\
# Written by `cargo workshop room`: cargo takes crates from vendor/, and needs no network. With a network, remove this file.
[source.crates-io]
replace-with = \"room\"

[source.room]
directory = \"vendor\"

[net]
offline = true
";

/// Packages of their own, whose crates are needed as well.
const OTHER_MANIFESTS: [&str; 2] = [
    "examples/own-service/Cargo.toml",
    "examples/services/Cargo.toml",
];

/// What cargo compares a crate's files with before it builds the crate.
#[derive(Serialize, Deserialize)]
struct Checksums {
    files: BTreeMap<String, String>,
    package: Option<String>,
}

/// Downloads every crate that the clone's packages depend on, and writes them to a folder.
pub(super) fn vendor(root: &Path, to: &Path) -> anyhow::Result<()> {
    let mut command = cargo(root);
    command.args(["vendor", "--locked", "--quiet"]);
    for manifest in OTHER_MANIFESTS {
        if root.join(manifest).is_file() {
            command.args(["--sync", manifest]);
        }
    }
    let output = command.arg(to).output().context("cannot run cargo")?;
    ensure!(
        output.status.success(),
        "the crates could not be downloaded; is the network up? cargo said:\n{}",
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    for krate in fs::read_dir(to).context("cargo wrote no crates")?.flatten() {
        without_windows_libraries(&krate.path())
            .with_context(|| format!("cannot change {}", krate.path().display()))?;
    }
    Ok(())
}

/// Removes import libraries of Windows: they are half of all bytes, and no build on Linux reads them.
fn without_windows_libraries(krate: &Path) -> anyhow::Result<()> {
    let name = krate.file_name().unwrap_or_default().to_string_lossy();
    let is_windows = name.starts_with("winapi-") || name.starts_with("windows_");
    if !is_windows || !krate.join("lib").is_dir() {
        return Ok(());
    }
    fs::remove_dir_all(krate.join("lib"))?;
    let path = krate.join(".cargo-checksum.json");
    let mut checksums: Checksums = serde_json::from_str(&fs::read_to_string(&path)?)?;
    checksums.files.retain(|file, _| !file.starts_with("lib/"));
    fs::write(&path, serde_json::to_string(&checksums)?)?;
    Ok(())
}

//! The crates that are meant to be used elsewhere, as a registry would have them: they build and work from their packaged files alone.
//!
//! cargo packages them from a copy of the clone, which is gone before anything is built. The registry is a folder (a "directory
//! source" of cargo) with these packages and all crates that they need, in place of crates.io; cargo's home is empty. So a file that
//! is not in its package is missing, and whatever asks for a network fails.

mod clone;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The crates that are meant to be used elsewhere. All others say `publish = false`.
const PACKAGES: [&str; 6] = [
    "systemd-lab",
    "systemd-lab-agent",
    "systemd-lab-cli",
    "systemd-lab-protocol",
    "systemd-matrix",
    "systemd-timeline",
];

/// Says that packages come from the folder `vendor` and not from crates.io.
const REGISTRY: &str = "\
[source.crates-io]
replace-with = \"folder\"
[source.folder]
directory = \"vendor\"
";

/// Someone else's workspace, around the package and everything that cargo builds for it.
const WORKSPACE: &str = "[workspace]\nresolver = \"3\"\nmembers = [\"consumer\"]\n";

const MANIFEST: &str = "\
[package]
name = \"consumer\"
version = \"0.1.0\"
edition = \"2024\"
[dependencies]
systemd-lab = \"0.1\"
systemd-timeline = \"0.1\"
";

const PROGRAM: &str = r#"
use std::time::Duration;
use systemd_lab::{Experiment, Lab};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let experiment = Experiment::new("my.service").fault(Duration::from_secs(10), "kill".parse()?);
    let timeline: systemd_timeline::Timeline = experiment.run(&Lab::open()?)?;
    println!("{}", experiment.text(&timeline));
    Ok(())
}
"#;

const UNIT: &str = "[Service]\nExecStart=/usr/bin/sleep infinity\nRestart=always\n";

#[test]
fn the_packages_work_without_the_clone() {
    let place = tempfile::tempdir().expect("there is room");
    let clone = place.path().join("clone");
    clone::copy_to(&clone);
    assert_eq!(published(&clone), PACKAGES);
    let project = Project::new(place.path().join("project"));
    project.fill_registry(&clone, &place.path().join("packaging"));
    fs::remove_dir_all(&clone).expect("it can be removed");

    let ran = project.cargo(&["run", "--quiet"]);
    assert_restarted(&ran, "the library");

    let root = project.0.join("installed");
    let root = root.to_str().expect("it is text");
    let installed = project.cargo(&[
        "install",
        "--quiet",
        "--locked",
        "--debug",
        "--root",
        root,
        "systemd-lab-cli",
    ]);
    assert!(installed.status.success(), "{}", said(&installed));
    let ran = Command::new(project.0.join("installed/bin/systemd-lab"))
        .args(["run", "--unit", "my.service", "--at", "10s", "kill"])
        .env("SYSTEMD_LAB_CACHE", project.cache())
        .current_dir(&project.0)
        .output();
    assert_restarted(&ran.expect("it is installed"), "the command");
}

/// The packages of the workspace that may be published, in order.
fn published(clone: &Path) -> Vec<String> {
    let listed = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--locked"])
        .current_dir(clone)
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&listed.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(&listed)));
    let packages = metadata["packages"].as_array().expect("it lists packages");
    let published = packages.iter().filter(|it| it["publish"].is_null());
    let mut names: Vec<String> = published
        .map(|it| it["name"].as_str().expect("it has a name").to_owned())
        .collect();
    names.sort();
    names
}

/// Someone else's repository.
struct Project(PathBuf);

impl Project {
    fn new(folder: PathBuf) -> Project {
        let project = Project(folder);
        project.write(".cargo/config.toml", REGISTRY);
        project.write("Cargo.toml", WORKSPACE);
        project.write("consumer/Cargo.toml", MANIFEST);
        project.write("consumer/src/main.rs", PROGRAM);
        project.write("my.service", UNIT);
        project
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("it is below")).expect("there is room");
        fs::write(path, text).expect("there is room");
    }

    /// A lab of its own: it holds the agent as it is built here.
    fn cache(&self) -> PathBuf {
        self.0.join("cache")
    }

    /// Puts the packages and all crates that they need into the folder `vendor`.
    fn fill_registry(&self, clone: &Path, packaging: &Path) {
        let vendor = self.0.join("vendor");
        succeeds(
            Command::new(env!("CARGO"))
                .args(["vendor", "--quiet", "--locked", "--versioned-dirs"])
                .arg(&vendor)
                .current_dir(clone),
        );
        // What verifies the packages is below: cargo's own check builds each of them once more.
        let mut package = Command::new(env!("CARGO"));
        package.args([
            "package",
            "--quiet",
            "--no-verify",
            "--allow-dirty",
            "--locked",
            "--target-dir",
        ]);
        package.arg(packaging).current_dir(clone);
        for name in PACKAGES {
            package.args(["--package", name]);
        }
        succeeds(&mut package);
        for name in PACKAGES {
            let name = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
            let file = packaging.join("package").join(format!("{name}.crate"));
            succeeds(
                Command::new("tar")
                    .arg("xzf")
                    .arg(&file)
                    .arg("-C")
                    .arg(&vendor),
            );
            let summed = succeeds(Command::new("sha256sum").arg(&file));
            let (sum, _) = summed.split_once(' ').expect("a path follows");
            let checksums = format!("{{\"files\":{{}},\"package\":\"{sum}\"}}");
            let path = vendor.join(&name).join(".cargo-checksum.json");
            fs::write(path, checksums).expect("there is room");
        }
    }

    /// Runs cargo in the project, with an empty home and no network of its own.
    fn cargo(&self, arguments: &[&str]) -> Output {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(arguments).current_dir(&self.0);
        // What `cargo test` sets for this test, and what the clone's configuration would.
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            cargo.env_remove(variable);
        }
        cargo
            .env("CARGO_HOME", self.0.join("home"))
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TARGET_DIR", self.0.join("target"))
            .env("SYSTEMD_LAB_CACHE", self.cache())
            .output()
            .expect("cargo runs")
    }
}

fn assert_restarted(ran: &Output, what: &str) {
    let text = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && text.contains("my.service  restart 1"),
        "{what}: {text}{}",
        said(ran)
    );
}

fn succeeds(command: &mut Command) -> String {
    let output = command.output().expect("it is installed");
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

//! Lets cargo build what is run: the solutions with their checks, and the starters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::items::ITEMS;
use crate::starters;
use crate::{exercise, private, solution};

/// Where everything is.
pub(crate) struct Builds {
    /// By stage.
    checks: BTreeMap<&'static str, PathBuf>,
    starters: BTreeMap<&'static str, PathBuf>,
    private: PathBuf,
}

impl Builds {
    pub(crate) fn make(root: &Path) -> Builds {
        let mut stages: Vec<&'static str> = ITEMS.iter().map(|item| item.stage).collect();
        stages.dedup();
        let private = private(&target(root));
        let mut tests = vec!["test".to_owned(), "--no-run".into(), "--test".into()];
        tests.push("check".into());
        for stage in &stages {
            tests.extend(["--package".into(), solution(stage)]);
        }
        let checks = executables(root, &tests);
        let starters = starters::build(root, &stages, &private);
        let of_stages = |executables: &BTreeMap<String, PathBuf>, key: &dyn Fn(&str) -> String| {
            let found = stages.iter().map(|&stage| {
                let key = key(stage);
                let executable = executables.get(&key);
                let executable = executable.unwrap_or_else(|| panic!("cargo built no {key}"));
                (stage, executable.clone())
            });
            found.collect()
        };
        Builds {
            checks: of_stages(&checks, &|stage| format!("solutions/{stage}/check")),
            starters: of_stages(&starters, &|stage| {
                format!("exercises/{stage}/{}", exercise(stage))
            }),
            private,
        }
    }

    /// A stage's check, built with its solution.
    pub(crate) fn check(&self, stage: &str) -> &Path {
        &self.checks[stage]
    }

    /// The starter's binary.
    pub(crate) fn starter(&self, stage: &str) -> &Path {
        &self.starters[stage]
    }

    /// A folder with the starter's units, called as the check looks for them.
    pub(crate) fn starter_files(&self, stage: &str) -> PathBuf {
        starters::files(&self.private, stage)
    }
}

/// cargo as it runs this test, in the folder that has its settings.
fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

fn target(root: &Path) -> PathBuf {
    let mut metadata = cargo(root);
    metadata.args(["metadata", "--no-deps", "--offline", "--format-version=1"]);
    let output = metadata.output().expect("cargo runs this test");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let target = metadata["target_directory"].as_str();
    PathBuf::from(target.expect("cargo names its target directory"))
}

/// Builds, and names each executable by the package's two folders and the target: `solutions/05-watchdog/check`.
pub(crate) fn executables(root: &Path, arguments: &[String]) -> BTreeMap<String, PathBuf> {
    let mut command = cargo(root);
    command.args(arguments).arg("--message-format=json");
    let output = command.output().expect("cargo runs this test");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let executables = messages.filter_map(|message| {
        let executable = message["executable"].as_str()?;
        let package = Path::new(message["manifest_path"].as_str()?).parent()?;
        let folder = package.parent()?.file_name()?.to_str()?;
        let name = package.file_name()?.to_str()?;
        let target = message["target"]["name"].as_str()?;
        Some((
            format!("{folder}/{name}/{target}"),
            PathBuf::from(executable),
        ))
    });
    executables.collect()
}

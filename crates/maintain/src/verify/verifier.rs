//! Builds everything that the items need, and then verifies them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::guide;
use super::item::Item;
use super::mistake::Mistake;
use super::stage::Material;
use super::tree;
use crate::judge::{CHECK, Check, Found, Tests};
use crate::overlay::{Overlay, lock};
use crate::verified::Verified;
use stages::cargo::{Built, Package, Workspace, build};
use stages::exercises::Workshop;

/// Everything that is built.
pub(super) struct Verifier<'a> {
    root: &'a Path,
    workspace: &'a Workspace,
    built: Built,
    /// The mistakes, by the names of their packages in the overlay, or why they could not be applied.
    mistakes: BTreeMap<String, Result<Mistake, String>>,
    overlay: Overlay,
    built_mistakes: Built,
    /// The place for folders that stand for the workshop.
    files: PathBuf,
    /// Whether to write snapshots and the guide's files instead of comparing them.
    writes: bool,
    /// The lock is held as long as this exists.
    _lock: File,
}

impl<'a> Verifier<'a> {
    pub(super) fn prepare(
        workshop: &'a Workshop,
        workspace: &'a Workspace,
        stages: &[Material],
        items: &[Item<'_>],
        writes: bool,
    ) -> anyhow::Result<Verifier<'a>> {
        let root = &workshop.root;
        let own = workspace.target.join("verify");
        let lock = lock(&own)?;
        let mut mistakes = BTreeMap::new();
        let mut overlay = Overlay::new(own.join("overlay"));
        for item in items {
            let Item::Mistake(stage, file) = item else {
                continue;
            };
            let name = package(stage, &file.name);
            let mistake = Mistake::read(root, stage, file);
            if let Ok(mistake) = &mistake
                && mistake.is_in_code
            {
                overlay.add(root, &name, &stage.solution_folder(), &mistake.files)?;
            }
            mistakes.insert(name, mistake);
        }
        overlay.keep_only(&all_packages(stages))?;
        let built = build_packages(root, workspace, items)?;
        Ok(Verifier {
            root,
            workspace,
            built,
            mistakes,
            built_mistakes: overlay.build(root, &workspace.target)?,
            overlay,
            files: own.join("files"),
            writes,
            _lock: lock,
        })
    }

    /// Verifies one item.
    pub(super) fn verify(&self, item: &Item<'_>) -> Verified {
        let verified = match item {
            Item::Format => tree::format(self.root),
            Item::Clippy => tree::clippy(self.root),
            Item::Exercise(stage) => {
                let mut complaints = stage.complaints(self.root);
                complaints.extend(guide::left_over(self.root, stage));
                Ok(Verified::without(&complaints))
            }
            Item::Starter(stage) => self.starter(stage),
            Item::Solution(stage) => self.passes(self.check(&stage.solution()).map(|check| {
                let tests = if self.writes {
                    Tests::Write
                } else {
                    Tests::All
                };
                Check { tests, ..check }
            })),
            Item::Variant(stage, name) => self.variant(stage, name),
            Item::Mistake(stage, file) => self.mistake(stage, &file.name),
            Item::Soak(stage, test) => self.soak(stage, test),
            Item::StrayFiles => Ok(Verified::Ok),
        };
        verified.unwrap_or_else(|error| Verified::Broken(format!("{error:#}")))
    }

    fn starter(&self, stage: &Material) -> anyhow::Result<Verified> {
        let check = match self.check(&stage.package()) {
            Ok(check) => check,
            Err(complaint) => return Ok(Verified::Failed(complaint)),
        };
        let found = check.run()?;
        let settings = match &stage.settings {
            Ok(settings) => settings,
            Err(complaint) => return Ok(Verified::Failed(complaint.clone())),
        };
        Ok(found.verified(&settings.starter))
    }

    fn passes(&self, check: Result<Check, String>) -> anyhow::Result<Verified> {
        match check {
            Ok(check) => Ok(check.run()?.verified(&Found::Nothing.to_string())),
            Err(complaint) => Ok(Verified::Failed(complaint)),
        }
    }

    fn variant(&self, stage: &Material, name: &str) -> anyhow::Result<Verified> {
        let units = format!("{}/units/{name}", stage.variants_folder());
        let own_units = self.root.join(&units);
        let files = if own_units.is_dir() {
            let files = stage.solution_files(self.root)?;
            let files = files.with_units(&own_units, &stage.solution())?;
            let folder = self.files.join(format!("variant-{}-{name}", stage.number));
            files.write("", &folder)?;
            Some(folder)
        } else {
            None
        };
        let check = self.check(&stage.solution()).and_then(|check| {
            let binary = self.executable(&stage.variants(), name)?;
            Ok(Check {
                binary: Some(binary.to_owned()),
                files,
                ..check
            })
        });
        self.passes(check)
    }

    fn mistake(&self, stage: &Material, name: &str) -> anyhow::Result<Verified> {
        let package = package(stage, name);
        let patch = format!("mistakes/{}/{name}.patch", stage.folder());
        let mistake = match self.mistakes.get(&package) {
            Some(Ok(mistake)) => mistake,
            Some(Err(complaint)) => {
                return Ok(Verified::Failed(format!("{patch} {complaint}")));
            }
            None => anyhow::bail!("the mistake was not prepared"),
        };
        let mut check = match self.check(&stage.solution()) {
            Ok(check) => check,
            Err(complaint) => return Ok(Verified::Failed(complaint)),
        };
        if mistake.is_in_code {
            match self.overlay.binary(&self.built_mistakes, &package) {
                Ok(binary) => check.binary = Some(binary.to_owned()),
                Err(complaint) => return Ok(Verified::Failed(complaint)),
            }
        }
        let folder = self.files.join(&package);
        mistake.files.write("", &folder)?;
        check.files = Some(folder);
        check.tests = Tests::UpTo(mistake.expected.number);
        let (found, report) = check.run_with_report()?;
        let verified = found.verified(&mistake.expected.to_string());
        let (Verified::Ok, Some(guide)) = (&verified, &mistake.guide) else {
            return Ok(verified);
        };
        match guide.measured(stage, name, &report) {
            Ok(measured) if self.writes => {
                guide::write(&measured, self.root)?;
                Ok(Verified::Ok)
            }
            Ok(measured) => Ok(guide::compare(&measured, self.root)),
            Err(complaint) => Ok(Verified::Failed(format!("{patch}: {complaint}"))),
        }
    }

    fn soak(&self, stage: &Material, test: &str) -> anyhow::Result<Verified> {
        let begin = Instant::now();
        let check = self.check(&stage.solution()).map(|check| Check {
            tests: Tests::Soak(test.to_owned()),
            ..check
        });
        Ok(match self.passes(check)? {
            Verified::Ok => Verified::OkIn(begin.elapsed()),
            other => other,
        })
    }

    fn check(&self, package: &str) -> Result<Check, String> {
        let executable = self.executable(package, CHECK)?.to_owned();
        let manifest = self.workspace.package(package);
        let folder = manifest.and_then(|package| package.manifest.parent());
        Ok(Check {
            executable,
            folder: folder.unwrap_or(self.root).to_owned(),
            binary: None,
            files: None,
            tests: Tests::All,
        })
    }

    fn executable(&self, package: &str, target: &str) -> Result<&Path, String> {
        let known = self.workspace.package(package).ok_or_else(|| {
            format!(
                "there is no package {package}; write it, and add it to `members` in Cargo.toml"
            )
        })?;
        self.built
            .executable(&known.manifest, target)
            .map_err(|why| format!("{package} {why}"))
    }
}

fn package(stage: &Material, mistake: &str) -> String {
    format!("mistake-{}-{mistake}", stage.number)
}

fn all_packages(stages: &[Material]) -> Vec<String> {
    let of_stage = |stage: &Material| {
        let mistakes = stage.mistakes.iter();
        let packages = mistakes.map(|mistake| package(stage, &mistake.name));
        packages.collect::<Vec<String>>()
    };
    stages.iter().flat_map(of_stage).collect()
}

/// Builds all checks, binaries and variants with one command, so that cargo builds shared crates once.
fn build_packages(root: &Path, workspace: &Workspace, items: &[Item<'_>]) -> anyhow::Result<Built> {
    let names = items.iter().flat_map(Item::packages);
    let packages: BTreeMap<String, &Package> = names
        .filter_map(|name| Some((name.clone(), workspace.package(&name)?)))
        .collect();
    if packages.is_empty() {
        return Ok(Built::default());
    }
    let mut arguments: Vec<OsString> = vec!["--bins".into()];
    // cargo fails if no package has a test with this name.
    if packages
        .values()
        .any(|package| package.tests.iter().any(|test| test == CHECK))
    {
        arguments.extend(["--test".into(), CHECK.into()]);
    }
    for name in packages.into_keys() {
        arguments.extend(["--package".into(), name.into()]);
    }
    build(root, &arguments)
}

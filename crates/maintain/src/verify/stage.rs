//! A stage from its maintainer's point of view: exercise, solution, variants and known mistakes, and what each of
//! these folders must contain.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use super::since;
use exercise_check::stage::{Hints, Settings, Stage, StageError, UNITS, is_unit_of};
use stages::cargo::Workspace;
use stages::exercises::Workshop;
use stages::files::{Files, names};
use stages::starter;

/// With fewer mistakes, some requirements would have none.
const FEWEST_MISTAKES: usize = 8;

/// One variant may be right by accident; two show that the check asks for behaviour, not for code.
const FEWEST_VARIANTS: usize = 2;

/// The number of hints: what, where, and nearly how.
const FEWEST_HINTS: usize = 3;

/// The lines for a task that fit on the screen when `cargo workshop` shows the progress.
const TASK_LINES: usize = 2;

/// The parts of one stage, as far as they could be read.
pub(super) struct Material {
    stage: Stage,
    /// The folder of the stage before, e.g. `03-restart-sec`, if there is one.
    before: Option<String>,
    /// The settings, or what is wrong with `exercise.toml`.
    pub(super) settings: Result<Settings, String>,
    hints: Result<Hints, String>,
    /// Whether `starter.patch` results in the exercise; the error says what to do.
    starter: Result<(), String>,
    /// The names of the binaries of package `variants-NN`.
    pub(super) variants: Vec<String>,
    pub(super) mistakes: Vec<MistakeFile>,
}

/// `mistakes/NN-topic/<name>.patch`.
pub(super) struct MistakeFile {
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// The stage with the names that belong to its folder.
impl Deref for Material {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl Material {
    pub(super) fn read(workshop: &Workshop, stage: &Stage, workspace: &Workspace) -> Material {
        let earlier = workshop.exercises.iter();
        let earlier = earlier.filter(|it| it.number < stage.number);
        let before = earlier.max_by(|one, other| one.number.cmp(&other.number));
        let variants = workspace
            .package(&stage.variants())
            .map(|package| package.binaries.clone())
            .unwrap_or_default();
        let in_words = |error: StageError| format!("{:#}", anyhow::Error::new(error));
        Material {
            hints: stage.hints(&workshop.root).map_err(in_words),
            settings: stage.settings(&workshop.root).map_err(in_words),
            mistakes: mistakes(&workshop.root.join(stage.mistakes_folder())),
            starter: starter::agrees(&workshop.root, stage),
            before: before.map(Stage::folder),
            variants,
            stage: stage.clone(),
        }
    }

    /// The solution's package and its units.
    pub(super) fn solution_files(&self, root: &Path) -> anyhow::Result<Files> {
        Files::of_package(root, &self.solution_folder(), &self.solution())
    }

    /// The files that are the same in solution and starter, apart from the names of package and units. Paths are relative to the workshop.
    pub(super) fn given(&self, root: &Path, solution: &Files) -> anyhow::Result<BTreeSet<String>> {
        let folder = self.exercise_folder();
        let starter = Files::of_package(root, &folder, &self.package())?;
        let of_exercise = |text: &str| text.replace(&self.solution(), &self.package());
        let files = solution.0.iter().filter(|(path, text)| {
            let path = of_exercise(path).replacen(&self.solution_folder(), &folder, 1);
            starter.0.get(&path) == Some(&of_exercise(text))
        });
        Ok(files.map(|(path, _)| path.clone()).collect())
    }

    /// What is missing in its folders, with the remedy.
    pub(super) fn complaints(&self, root: &Path) -> Vec<String> {
        let mut complaints = Vec::new();
        match &self.settings {
            Ok(settings) => {
                complaints.extend(settings_complaints(settings, &self.folder()));
                complaints.extend(self.since_complaints(root, settings));
            }
            Err(complaint) => complaints.push(complaint.clone()),
        }
        match &self.hints {
            Ok(hints) => complaints.extend(hints_complaints(hints, &self.folder())),
            Err(complaint) => complaints.push(complaint.clone()),
        }
        complaints.extend(self.starter.clone().err());
        complaints.extend(self.header_complaints(root));
        complaints.extend(self.unit_complaints(root));
        let page = format!("book/src/{}.md", self.folder());
        if !root.join(&page).exists() {
            complaints.push(format!(
                "{page} is missing; write it: checks send people there"
            ));
        }
        let read = self.settings.as_ref().ok().and_then(|it| it.read.as_ref());
        if let Some(read) = read.filter(|read| !root.join(format!("book/src/{read}.md")).exists()) {
            complaints.push(format!(
                "exercises/{}/exercise.toml: the guide has no page `{read}`; correct `read`",
                self.folder()
            ));
        }
        if self.mistakes.len() < FEWEST_MISTAKES {
            complaints.push(format!(
                "mistakes/{} has {} of at least {FEWEST_MISTAKES} patches; mistakes/README.md says how to write one",
                self.folder(),
                self.mistakes.len()
            ));
        }
        if self.variants.len() < FEWEST_VARIANTS {
            complaints.push(format!(
                "the package {} has {} of at least {FEWEST_VARIANTS} binaries; add one under {}/src/bin",
                self.variants(),
                self.variants.len(),
                self.variants_folder()
            ));
        }
        complaints
    }

    fn since_complaints(&self, root: &Path, settings: &Settings) -> Vec<String> {
        let Some(before) = &self.before else {
            return Vec::new();
        };
        let solution = format!("solutions/{before}");
        let exercise = self.exercise_folder();
        since::complaints(root, &solution, &exercise, &settings.since)
    }

    fn header_complaints(&self, root: &Path) -> Vec<String> {
        let path = format!("{}/src/main.rs", self.exercise_folder());
        let Ok(text) = fs::read_to_string(root.join(&path)) else {
            return vec![format!("{path} cannot be read; write the starter")];
        };
        let header: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .collect();
        let header = header.join("\n");
        [format!("Stage {}", self.number), "The task".to_owned()]
            .iter()
            .filter(|wanted| !header.contains(wanted.as_str()))
            .map(|wanted| {
                format!("{path} does not begin with a header (`//!`) that says `{wanted}`")
            })
            .collect()
    }

    fn unit_complaints(&self, root: &Path) -> Vec<String> {
        let exercise = self.package();
        let mut wanted = vec![format!("{exercise}.service")];
        let units = names(&root.join(UNITS)).into_iter();
        wanted.extend(units.filter(|name| is_unit_of(name, &exercise)));
        wanted.sort();
        wanted.dedup();
        let mut complaints = Vec::new();
        for unit in wanted {
            let solved = unit.replacen(&exercise, &self.solution(), 1);
            for name in [unit, solved] {
                if !root.join(UNITS).join(&name).exists() {
                    complaints.push(format!("units/{name} is missing; write it"));
                }
            }
        }
        complaints
    }
}

/// What is wrong with an `exercise.toml` that can be read.
fn settings_complaints(settings: &Settings, folder: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut complain = |what: String| {
        complaints.push(format!("exercises/{folder}/exercise.toml: {what}"));
    };
    if settings.minutes == 0 {
        complain("`minutes` is 0; say how long the exercise takes".to_owned());
    }
    if settings.task.lines().count() != TASK_LINES {
        complain(format!("`task` must have {TASK_LINES} lines"));
    }
    complaints
}

/// What is wrong with the hints of a stage.
fn hints_complaints(hints: &Hints, folder: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut complain = |what: String| {
        complaints.push(format!("exercises/{folder}/hints.toml: {what}"));
    };
    let ladders: Vec<_> = hints.ladders().collect();
    let is_complete = (1..=ladders.len() as u32).all(|number| hints.of(number).is_some());
    if !is_complete || ladders.is_empty() {
        complain(format!(
            "there are hints for {}; write some for each requirement, from 1",
            match hints.requirements() {
                nothing if nothing.is_empty() => "nothing".to_owned(),
                numbers => numbers,
            }
        ));
    }
    for (requirement, ladder) in ladders {
        let rungs = ladder.iter().filter(|hint| !hint.trim().is_empty()).count();
        if rungs < FEWEST_HINTS || rungs < ladder.len() {
            complain(format!(
                "{rungs} of {} hints for requirement {requirement} have text; write at least {FEWEST_HINTS}, none empty",
                ladder.len()
            ));
        }
    }
    complaints
}

fn mistakes(folder: &Path) -> Vec<MistakeFile> {
    let patches = names(folder).into_iter().filter_map(|name| {
        let path = folder.join(&name);
        let name = name.strip_suffix(".patch")?.to_owned();
        Some(MistakeFile { name, path })
    });
    patches.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_starter_has_is_given() {
        let root = tempfile::tempdir().expect("there is room");
        for (path, text) in [
            ("exercises/01-a/src/main.rs", "// The task\n"),
            (
                "exercises/01-a/src/given.rs",
                "const NAME: &str = \"exercise-01\";\n",
            ),
            ("solutions/01-a/src/main.rs", "// Solved\n"),
            (
                "solutions/01-a/src/given.rs",
                "const NAME: &str = \"solution-01\";\n",
            ),
            ("solutions/01-a/src/own.rs", "\n"),
            ("units/exercise-01.service", "[Service]\n"),
            ("units/solution-01.service", "[Service]\nType=exec\n"),
            (
                "units/exercise-01-b.service",
                "ExecStart=/usr/local/bin/exercise-01\n",
            ),
            (
                "units/solution-01-b.service",
                "ExecStart=/usr/local/bin/solution-01\n",
            ),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("there is room");
            fs::write(path, text).expect("there is room");
        }
        let stage = Material {
            stage: Stage::of_folder("01-a").expect("it is a stage's folder"),
            before: None,
            settings: Err(String::new()),
            hints: Err(String::new()),
            starter: Ok(()),
            variants: Vec::new(),
            mistakes: Vec::new(),
        };
        let solution = stage.solution_files(root.path()).expect("it is there");
        let given = stage.given(root.path(), &solution).expect("it is there");
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        assert_eq!(
            given,
            ["solutions/01-a/src/given.rs", "units/solution-01-b.service"]
        );
    }
}

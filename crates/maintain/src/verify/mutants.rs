//! `cargo maintain verify --mutants`: measures how strong the checks are, without anybody inventing mistakes.
//!
//! Each mutant is a solution with one small change, in a unit file or in the code. The stage's check should catch it. If a mutant
//! survives, the check does not look at something. A mutant may survive if the task leaves open what it changes; `mistakes/free.toml`
//! lists these, with reasons. Files that are the same in the starter are not changed, because nobody is asked to edit them.

mod code;
mod free;
mod results;
mod units;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use exercise_check::Outcome;

use super::stage::Material;
use crate::judge::{CHECK, Check, Found, Tests};
use crate::overlay::{Overlay, lock};
use crate::verified::duration;
use free::Free;
use results::Results;
use stages::cargo::{Built, Workspace, build};
use stages::exercises::Workshop;
use stages::files::Files;
use systemd_lab::pool;
use systemd_lab_cli::style::spinner;
use systemd_lab_cli::{note, put, say};

/// The sample that `.ci/run nightly` uses has one of this many mutants.
const SAMPLE: usize = 16;

/// How many mutants of code are built at a time: each takes ten megabytes of disk.
const BATCH: usize = 60;

/// Which mutants are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Which {
    /// All of them: about an hour.
    All,
    /// Some mutants of unit files, always the same: about five minutes.
    Sample,
}

/// A solution with one change.
#[derive(Clone)]
struct Mutant {
    /// The stage's number, e.g. `04`.
    stage: String,
    kind: Kind,
    /// The file that is changed, relative to the workshop.
    file: String,
    /// What is changed, e.g. `solution-05.service: WatchdogSec=10s -> 5s`.
    change: String,
    files: Files,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Unit,
    Code,
}

/// What happened to a mutant.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Fate {
    /// This requirement caught it. Others may have caught it, too.
    Caught(u32),
    /// It does not compile, so no attendee could hand it in.
    Unviable,
    Survived,
    /// The lab or the check failed with this message.
    Broken(String),
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.stage, self.change)
    }
}

/// Makes the mutants, checks each, and reports what survived. `None` if no mutant contains the words.
pub(super) fn run(
    workshop: &Workshop,
    stages: &[Material],
    workspace: &Workspace,
    which: Which,
    words: &[String],
    jobs: Option<NonZeroUsize>,
) -> anyhow::Result<Option<Outcome>> {
    let begin = Instant::now();
    let mut free = Free::read(&workshop.root)?;
    let mut mutants = Vec::new();
    for stage in stages {
        let solution = stage.solution_files(&workshop.root)?;
        let mut of_stage = units::of(&stage.number, &solution);
        if which == Which::All {
            let package = stage.solution();
            of_stage.extend(code::of(
                &workshop.root,
                &stage.number,
                &package,
                &solution,
            )?);
        }
        let given = stage.given(&workshop.root, &solution)?;
        of_stage.retain(|mutant| !given.contains(&mutant.file));
        mutants.append(&mut of_stage);
    }
    if which == Which::Sample {
        mutants = mutants.into_iter().step_by(SAMPLE).collect();
    }
    mutants.retain(|mutant| {
        let line = mutant.to_string();
        words.iter().all(|word| line.contains(word))
    });
    if mutants.is_empty() {
        note!("no mutant contains `{}`; leave words out", words.join(" "));
        return Ok(None);
    }
    systemd_lab::Lab::open()?;
    let own = workspace.target.join("verify");
    let _lock = lock(&own)?;
    let bench = Bench::build(workshop, stages, workspace, own)?;
    let jobs = jobs.map_or_else(pool::processors, NonZeroUsize::get);
    let mut tally = Tally::default();
    let results = Results::open(&bench.own.join("mutants"))?;
    for batch in mutants.chunks(BATCH) {
        bench.judge(batch, jobs, &results, |mutant, fate| {
            tally.add(mutant, fate, &mut free);
        })?;
    }
    let stale = match which == Which::All && words.is_empty() {
        true => free.unused(),
        false => Vec::new(),
    };
    put!("{}", tally.table());
    for entry in &stale {
        say!(
            "{}: no mutant needs this entry; remove it: {entry}",
            free::FILE
        );
    }
    say!("{} mutants, {}", mutants.len(), duration(begin.elapsed()));
    Ok(Some(match (tally.broken, tally.survived + stale.len()) {
        (0, 0) => Outcome::Passed,
        (0, _) => Outcome::NotYet,
        _ => Outcome::LabBroken,
    }))
}

/// The checks' executables, and the folder for mutants.
struct Bench<'a> {
    root: &'a Path,
    workspace: &'a Workspace,
    own: PathBuf,
    built: Built,
    /// The folder of each stage's solution, relative to the workshop.
    folders: BTreeMap<String, String>,
}

impl<'a> Bench<'a> {
    fn build(
        workshop: &'a Workshop,
        stages: &[Material],
        workspace: &'a Workspace,
        own: PathBuf,
    ) -> anyhow::Result<Bench<'a>> {
        let mut arguments = vec!["--bins".into(), "--test".into(), CHECK.into()];
        for stage in stages {
            arguments.extend(["--package".into(), stage.solution().into()]);
        }
        let building = spinner("Building");
        let built = build(&workshop.root, &arguments);
        building.finish_and_clear();
        Ok(Bench {
            root: &workshop.root,
            workspace,
            own,
            built: built?,
            folders: stages
                .iter()
                .map(|stage| (stage.number.clone(), stage.solution_folder()))
                .collect(),
        })
    }

    fn judge(
        &self,
        batch: &[Mutant],
        jobs: usize,
        results: &Results,
        mut done: impl FnMut(&Mutant, &Fate),
    ) -> anyhow::Result<()> {
        let mut open = Vec::new();
        for mutant in batch {
            let key = results.key(&self.check(&mutant.stage)?.executable, mutant)?;
            match results.read(&key) {
                Some(fate) => done(mutant, &fate),
                None => open.push((open.len(), key, mutant)),
            }
        }
        let mut overlay = Overlay::new(self.own.join("mutants-overlay"));
        for (number, _, mutant) in &open {
            if mutant.kind == Kind::Code {
                let folder = &self.folders[&mutant.stage];
                overlay.add(self.root, &package(*number), folder, &mutant.files)?;
            }
        }
        let names: Vec<String> = open.iter().map(|(number, ..)| package(*number)).collect();
        overlay.keep_only(&names)?;
        let building = spinner("Building mutants");
        let built = overlay.build(self.root, &self.workspace.target);
        building.finish_and_clear();
        let built = built?;
        let judge = |(number, _, mutant): &(usize, String, &Mutant)| -> anyhow::Result<Fate> {
            let mut check = self.check(&mutant.stage)?;
            if mutant.kind == Kind::Code {
                match overlay.binary(&built, &package(*number)) {
                    Ok(binary) => check.binary = Some(binary.to_owned()),
                    Err(_) => return Ok(Fate::Unviable),
                }
            }
            let folder = self.own.join("mutants-files").join(package(*number));
            mutant.files.write("", &folder)?;
            check.files = Some(folder);
            Ok(match check.run_until_not_yet()? {
                Found::Nothing => Fate::Survived,
                Found::NotYet(finding) => Fate::Caught(finding.number),
                Found::NoResult(Outcome::DidNotBuild, _) => Fate::Unviable,
                Found::NoResult(_, report) => Fate::Broken(report),
            })
        };
        pool::run(&open, jobs, judge, |(_, key, mutant), fate| {
            let fate = fate.unwrap_or_else(|error| Fate::Broken(format!("{error:#}")));
            results.write(key, &fate);
            done(mutant, &fate);
        });
        Ok(())
    }

    fn check(&self, stage: &str) -> anyhow::Result<Check> {
        let package = format!("solution-{stage}");
        let known = self.workspace.package(&package);
        let known = known.ok_or_else(|| anyhow::anyhow!("there is no package {package}"))?;
        let executable = self.built.executable(&known.manifest, CHECK);
        let executable = executable.map_err(|why| anyhow::anyhow!("{package} {why}"))?;
        let folder = known.manifest.parent().unwrap_or(self.root);
        Ok(Check {
            executable: executable.to_owned(),
            folder: folder.to_owned(),
            binary: None,
            files: None,
            tests: Tests::All,
        })
    }
}

fn package(number: usize) -> String {
    format!("mutant-{number}")
}

/// How many mutants of a stage were caught, may survive, survived, or did not compile.
#[derive(Default, Clone, Copy)]
struct Row {
    caught: usize,
    free: usize,
    survived: usize,
    unviable: usize,
}

#[derive(Default)]
struct Tally {
    rows: BTreeMap<(String, Kind), Row>,
    survived: usize,
    broken: usize,
}

impl Tally {
    fn add(&mut self, mutant: &Mutant, fate: &Fate, free: &mut Free) {
        let row = self.rows.entry((mutant.stage.clone(), mutant.kind));
        let row = row.or_default();
        match fate {
            Fate::Caught(_) => row.caught += 1,
            Fate::Unviable => row.unviable += 1,
            Fate::Survived if free.allows(mutant) => row.free += 1,
            Fate::Survived => {
                row.survived += 1;
                self.survived += 1;
                say!("SURVIVED {mutant}");
            }
            Fate::Broken(why) => {
                self.broken += 1;
                say!("BROKE    {mutant}");
                why.lines().for_each(|line| say!("         {line}"));
            }
        }
    }

    fn table(&self) -> String {
        let mut table = "stage  in     caught  free  survived  do not build\n".to_owned();
        for ((stage, kind), row) in &self.rows {
            let kind = match kind {
                Kind::Unit => "units",
                Kind::Code => "code",
            };
            table += &format!(
                "{stage}     {kind:5}  {:6}  {:4}  {:8}  {:12}\n",
                row.caught, row.free, row.survived, row.unviable
            );
        }
        table
    }
}

//! `cargo maintain verify`: checks that starters fail, that solutions pass, and that every known mistake gets
//! its diagnosis.

mod guide;
mod item;
mod mistake;
mod mutants;
mod since;
mod stage;
mod tree;
mod verifier;

use std::num::NonZeroUsize;
use std::time::Instant;

use exercise_check::Outcome;

use crate::verified::{Tally, Verified, duration};
use item::Item;
use stage::Material;
use stages::cargo::Workspace;
use stages::exercises::Workshop;
use systemd_lab::pool;
use systemd_lab_cli::style::spinner;
use systemd_lab_cli::{note, say};
use tree::Tree;
use verifier::Verifier;

/// Shown at the end of the subcommand's help.
pub(crate) const EXAMPLES: &str = "\
Examples:
    cargo maintain verify                       everything: some minutes
    cargo maintain verify 04                    what has 04 in its line
    cargo maintain verify mistake 04 no-ready
    cargo maintain verify --soak                and ten virtual hours of stage 05
    cargo maintain verify 05 --mutants          how strong the check of stage 05 is";

/// The subcommand's arguments.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Verify only items whose line contains all these words, e.g. `04 no-ready`.
    words: Vec<String>,
    /// How many items to verify at a time. Without it: as many as there are cores.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Also run the checks that take minutes.
    #[arg(long)]
    soak: bool,
    /// Verify the checks themselves: change the solutions in small ways, and see whether the checks notice. Results are
    /// stored. All but the sample need cargo-mutants.
    #[arg(long, value_name = "WHICH", num_args = 0..=1, default_missing_value = "all", conflicts_with = "soak")]
    mutants: Option<mutants::Which>,
}

/// A part of everything that can be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Only {
    Solutions,
    /// Only mistakes that the guide shows.
    ShownMistakes,
}

/// What to verify, and how.
struct Task<'a> {
    words: &'a [String],
    jobs: Option<NonZeroUsize>,
    soak: bool,
    /// If set, only this part is verified.
    only: Option<Only>,
    /// Writes instead of comparing: the snapshots of solutions, and what the guide shows of mistakes.
    writes: bool,
}

/// `None` if no item contains the words.
pub(crate) fn run(workshop: &Workshop, arguments: &Arguments) -> anyhow::Result<Option<Outcome>> {
    let (words, jobs) = (&arguments.words, arguments.jobs);
    if let Some(which) = arguments.mutants {
        let (workspace, stages) = read(workshop)?;
        return mutants::run(workshop, &stages, &workspace, which, words, jobs);
    }
    let task = Task {
        words,
        jobs,
        soak: arguments.soak,
        only: None,
        writes: false,
    };
    verify(workshop, &task)
}

/// Writes the snapshots of the solutions whose lines contain the words. `None` if there are none.
pub(crate) fn write_snapshots(
    workshop: &Workshop,
    words: &[String],
    jobs: Option<NonZeroUsize>,
) -> anyhow::Result<Option<Outcome>> {
    let task = Task {
        words,
        jobs,
        soak: false,
        only: Some(Only::Solutions),
        writes: true,
    };
    verify(workshop, &task)
}

/// Measures the mistakes that the guide shows and whose names there contain the words, e.g. `mistakes/04-no-ready`. `None` if there
/// are none.
pub(crate) fn shown_mistakes(
    workshop: &Workshop,
    words: &[String],
    jobs: Option<NonZeroUsize>,
    writes: bool,
) -> anyhow::Result<Option<Outcome>> {
    let task = Task {
        words,
        jobs,
        soak: false,
        only: Some(Only::ShownMistakes),
        writes,
    };
    verify(workshop, &task)
}

fn read(workshop: &Workshop) -> anyhow::Result<(Workspace, Vec<Material>)> {
    let workspace = Workspace::read(&workshop.root)?;
    let exercises = workshop.exercises.iter();
    let stages = exercises.map(|exercise| Material::read(workshop, exercise, &workspace));
    let stages = stages.collect();
    Ok((workspace, stages))
}

/// `None` if no item contains the words.
fn verify(workshop: &Workshop, task: &Task<'_>) -> anyhow::Result<Option<Outcome>> {
    let begin = Instant::now();
    let (workspace, stages) = read(workshop)?;
    let mut items = items(&stages, task.soak);
    items.retain(|item| match task.only {
        None => true,
        Some(Only::Solutions) => matches!(item, Item::Solution(_)),
        Some(Only::ShownMistakes) => {
            matches!(item, Item::Mistake(_, file) if guide::is_shown(file))
        }
    });
    items.retain(|item| {
        let line = match (task.only, item) {
            (Some(Only::ShownMistakes), Item::Mistake(stage, file)) => {
                guide::name(stage, &file.name)
            }
            _ => item.to_string(),
        };
        task.words.iter().all(|word| line.contains(word))
    });
    if items.is_empty() {
        let what = match task.only {
            Some(Only::ShownMistakes) => "no mistake that the guide shows contains",
            Some(Only::Solutions) => "no solution contains",
            None => "nothing to verify contains",
        };
        note!(
            "{what} `{}`; leave words out, or all of them",
            task.words.join(" ")
        );
        return Ok(None);
    }
    let tree = items
        .iter()
        .any(|item| matches!(item, Item::StrayFiles))
        .then(|| Tree::before(&workshop.root, &workspace.target))
        .transpose()?;
    if items.iter().any(Item::is_checked) {
        // Once, so that items that run at the same time do not all set it up.
        systemd_lab::Lab::open()?;
    }
    let building = spinner("Building");
    let verifier = Verifier::prepare(workshop, &workspace, &stages, &items, task.writes);
    building.finish_and_clear();
    let verifier = verifier?;

    let jobs = task.jobs.map_or_else(pool::processors, NonZeroUsize::get);
    let mut tally = Tally::default();
    items.retain(|item| !matches!(item, Item::StrayFiles));
    pool::run(
        &items,
        jobs,
        |item| verifier.verify(item),
        |item, verified| {
            tally.add(item, &verified);
        },
    );
    // This comes last, because it looks for what the others leave behind.
    if let Some(tree) = tree {
        let verified = tree
            .after()
            .unwrap_or_else(|error| Verified::Broken(format!("{error:#}")));
        tally.add(&Item::StrayFiles, &verified);
    }
    say!("{}, {}", tally.summary(), duration(begin.elapsed()));
    Ok(Some(tally.outcome()))
}

/// Everything that can be verified. What takes longest and uses one core comes first.
fn items(stages: &[Material], soak: bool) -> Vec<Item<'_>> {
    let mut items = vec![Item::Format, Item::Clippy];
    for stage in stages {
        let test = stage.settings.as_ref().ok();
        if let Some(test) = test.and_then(|settings| settings.soak.as_deref())
            && soak
        {
            items.push(Item::Soak(stage, test));
        }
    }
    for stage in stages {
        items.extend([
            Item::Exercise(stage),
            Item::Starter(stage),
            Item::Solution(stage),
        ]);
        let variants = stage.variants.iter();
        items.extend(variants.map(|name| Item::Variant(stage, name)));
        let mistakes = stage.mistakes.iter();
        items.extend(mistakes.map(|mistake| Item::Mistake(stage, mistake)));
    }
    items.push(Item::StrayFiles);
    items
}

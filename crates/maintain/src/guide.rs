//! `cargo maintain guide`: measures everything again that the guide shows. To add something, add it to `list.rs`.

mod bench;
mod checks;
mod coredumps;
mod item;
mod list;
mod matrix;
mod newest;
mod own_service;
mod policies;
mod services;
mod slack;
mod sshd;
mod tasks;
mod try_it;
mod unit;
mod versions;
mod words;

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

use exercise_check::Outcome;
use measured::Measured;
use stages::cargo::Workspace;
use stages::exercises::Workshop;
use systemd_lab::LabError;
use systemd_lab_cli::{note, say};

use crate::verified::{Tally, Verified, duration};
use crate::{overlay, verify};
use bench::Bench;
use item::Item;
use systemd_lab::pool;

/// Shown at the end of the subcommand's help.
pub(crate) const EXAMPLES: &str = "\
What is measured now may differ from a file in book/measured by what an update of Debian changes, and no more. What holds is not \
written again.

Known mistakes are measured when a word is `mistakes`: `cargo maintain verify` checks what the guide shows of them anyway.

Examples:
    cargo maintain guide --check                         all but what needs a network: four minutes
    cargo maintain guide --check --network               everything
    cargo maintain guide --write 04-ready                then read what changed
    cargo maintain guide --write mistakes 04 no-ready";

/// How names of known mistakes begin: their folder in `book/measured`.
const MISTAKES: &str = "mistakes";

/// The time of an item that takes at least as long is shown. Most take a second or two.
const SLOW: Duration = Duration::from_secs(10);

/// The subcommand's arguments.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// Measure only what has all these words in its name, e.g. `04-ready` or `limits.md`.
    words: Vec<String>,
    /// Compare what is measured with what the guide shows.
    #[arg(long, conflicts_with = "write", required_unless_present = "write")]
    check: bool,
    /// Write what is measured into book/measured where it differs.
    #[arg(long)]
    write: bool,
    /// Also measure what needs a network: other releases of Debian, and more of its packages.
    #[arg(long)]
    network: bool,
    /// How many to measure at a time. Without it: as many as there are cores.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

/// `None` if no name contains the words.
pub(crate) fn run(workshop: &Workshop, arguments: &Arguments) -> anyhow::Result<Option<Outcome>> {
    let words = &arguments.words;
    if words.iter().any(|word| word.starts_with(MISTAKES)) {
        return verify::shown_mistakes(workshop, words, arguments.jobs, arguments.write);
    }
    let begin = Instant::now();
    let mut items = list::items();
    for item in &mut items {
        item.keep_only(words);
    }
    items.retain(|item| !item.names().is_empty());
    let all = lines(&items);
    items.retain(|item| arguments.network || !item.needs_network());
    let left_out = all - lines(&items);
    if items.is_empty() {
        let what = words.join(" ");
        match left_out {
            0 => note!("the guide shows nothing that contains `{what}`; leave words out"),
            _ => note!("what contains `{what}` needs a network; add --network"),
        }
        return Ok(None);
    }
    // Once, so that items that run at the same time do not all set it up.
    systemd_lab::Lab::options()
        .guest(&systemd_lab::Guest::default())
        .open()?;
    let workspace = Workspace::read(&workshop.root)?;
    let _lock = overlay::lock(&workspace.target.join(bench::FOLDER))?;
    let bench = Bench {
        workshop,
        workspace: &workspace,
    };
    let jobs = arguments
        .jobs
        .map_or_else(pool::processors, NonZeroUsize::get);
    let mut tally = Tally::default();
    pool::run(
        &items,
        jobs,
        |item| {
            let begin = Instant::now();
            (item.measure(&bench), begin.elapsed())
        },
        |item, (measured, took)| {
            for (index, name) in item.names().iter().enumerate() {
                let verified = match &measured {
                    Ok(files) => compare_or_write(bench.root(), name, files, arguments.write),
                    Err(error) => failed(error),
                };
                // Once for everything that was measured together.
                let verified = match verified {
                    Verified::Ok if index == 0 && took >= SLOW => Verified::OkIn(took),
                    verified => verified,
                };
                tally.add(name, &verified);
            }
        },
    );
    let more = match left_out {
        0 => String::new(),
        more => format!("; {more} more with --network"),
    };
    say!("{}, {}{more}", tally.summary(), duration(begin.elapsed()));
    Ok(Some(tally.outcome()))
}

fn lines(items: &[Item]) -> usize {
    items.iter().map(|item| item.names().len()).sum()
}

/// An error comes from the lab, or says that systemd does not do what the guide says.
fn failed(error: &anyhow::Error) -> Verified {
    let text = systemd_lab_cli::in_words(error);
    match error.downcast_ref::<LabError>() {
        Some(_) => Verified::Broken(text),
        None => Verified::Failed(text),
    }
}

/// Checks or writes the file with this name. A sentence has no file: if its measurement succeeded, it holds.
fn compare_or_write(root: &Path, name: &str, files: &[Measured], write: bool) -> Verified {
    let Some(file) = files.iter().find(|file| file.name() == name) else {
        return match item::is_sentence(name) {
            true => Verified::Ok,
            false => Verified::Failed("it was not measured; correct its item".to_owned()),
        };
    };
    match write {
        true => match file.write(root) {
            Ok(()) => Verified::Ok,
            Err(error) => Verified::Broken(format!("cannot write book/measured/{name}: {error}")),
        },
        false => Verified::without(&complaint(root, file, name)),
    }
}

fn complaint(root: &Path, file: &Measured, name: &str) -> Vec<String> {
    let complaint = file.complaint(root).map(|complaint| {
        format!(
            "{complaint}\nIf what is measured now is right, type `cargo maintain guide --write {name}`, then read what changed"
        )
    });
    complaint.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use systemd_lab::MeasuredWith;

    use super::*;

    fn measured(text: &str) -> Vec<Measured> {
        let with = MeasuredWith {
            kernel: "6.12".to_owned(),
            systemd: "257".to_owned(),
            qemu: None,
        };
        vec![Measured::text("folder/a.txt", text, &with)]
    }

    #[test]
    fn a_file_is_compared_and_written_and_a_sentence_holds() {
        let root = tempfile::tempdir().expect("there is room");
        let verify = |name: &str, text: &str, write| {
            let verified = compare_or_write(root.path(), name, &measured(text), write);
            verified.shown(&name)
        };
        let missing = verify("folder/a.txt", "killed\n", false);
        assert!(
            missing.contains("book/measured/folder/a.txt cannot be read"),
            "{missing}"
        );
        assert_eq!(
            verify("folder/a.txt", "killed\n", true),
            "ok    folder/a.txt"
        );
        assert_eq!(
            verify("folder/a.txt", "killed\n", false),
            "ok    folder/a.txt"
        );
        let differs = verify("folder/a.txt", "stopped\n", false);
        assert!(differs.starts_with("FAIL  folder/a.txt\n"), "{differs}");
        assert!(
            differs.contains("type `cargo maintain guide --write folder/a.txt`"),
            "{differs}"
        );
        let other = verify("b.txt", "killed\n", false);
        assert!(other.contains("it was not measured"), "{other}");
        assert_eq!(
            verify("a.md: it is killed", "", false),
            "ok    a.md: it is killed"
        );
    }
}

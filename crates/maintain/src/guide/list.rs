//! Everything in the guide that is measured: what it shows, and what it says in words only. Known mistakes are in `mistakes/`: the
//! header of each patch says what the guide shows of it.

use std::collections::BTreeSet;

use anyhow::ensure;
use measured::FOLDER;
use stages::files::names;

use super::bench::Bench;
use super::item::{Item, is_sentence};
use super::{
    checks, coredumps, matrix, newest, own_service, policies, services, slack, sshd, tasks, try_it,
    versions, words,
};

/// All items, in the order in which they are measured.
pub(super) fn items() -> Vec<Item> {
    let mut items = measured();
    items.push(Item::sentence(
        "every file in book/measured is measured",
        every_file_is_measured,
    ));
    items
}

fn measured() -> Vec<Item> {
    let mut items = Vec::new();
    items.extend(matrix::items());
    items.extend(checks::items());
    items.extend(try_it::items());
    items.extend(policies::items());
    items.extend(slack::items());
    items.extend(tasks::items());
    items.extend(words::items());
    items.extend(own_service::items());
    items.extend(services::items());
    items.extend(sshd::items());
    items.extend(versions::items());
    items.extend(newest::items());
    items.extend(coredumps::items());
    items
}

/// Looks into each folder that has measured files. Known mistakes have another folder, which `cargo maintain verify` checks.
fn every_file_is_measured(bench: &Bench<'_>) -> anyhow::Result<()> {
    let items = measured();
    let names_of_files = items
        .iter()
        .flat_map(Item::names)
        .filter(|name| !is_sentence(name));
    let known: BTreeSet<&str> = names_of_files.map(String::as_str).collect();
    let folders: BTreeSet<&str> = known
        .iter()
        .map(|name| name.rsplit_once('/').map_or("", |(folder, _)| folder))
        .collect();
    for folder in folders {
        let place = bench.root().join(FOLDER).join(folder);
        for file in names(&place) {
            let name = match folder {
                "" => file.clone(),
                folder => format!("{folder}/{file}"),
            };
            ensure!(
                known.contains(name.as_str()) || place.join(&file).is_dir(),
                "nothing measures {FOLDER}/{name}; remove it, or add it to crates/maintain/src/guide/list.rs"
            );
        }
    }
    Ok(())
}

//! The tables of `matrix`: what systemd does with each setting, what its manual says about that, and what other supervisors do.

use anyhow::{Context, ensure};
use measured::Measured;
use systemd_lab::Lab;
use systemd_matrix::{Comparison, Difference, Manual, Matrix, TableId, measure};

use super::bench::{Bench, NEWEST};
use super::item::Item;

pub(super) fn items() -> Vec<Item> {
    let mut names: Vec<String> = TableId::of_systemd().map(file).collect();
    names.push(SHORT.to_owned());
    let mut items = vec![
        Item::files(names, tables).and_says("every difference to the manual is explained"),
        Item::files([VERSIONS], versions)
            .and_says("every difference to the manual of Debian's oldstable is explained")
            .with_network(),
    ];
    items.extend(
        SUPERVISORS
            .map(|id| Item::files([file(id)], move |bench| supervisor(bench, id)).with_network()),
    );
    items
}

/// The tables about other supervisors: each brings its own.
const SUPERVISORS: [TableId; 2] = [TableId::Runit, TableId::Sysvinit];

/// The table on the cheat sheet.
const SHORT: &str = "restart-short.md";

/// The cells in which the systemd of Debian's oldstable, of stable and the newest are not alike.
const VERSIONS: &str = "versions.md";

/// A table's file.
fn file(table: TableId) -> String {
    match table {
        // `restart-page.md` belongs to the page "Try it", and has more in it.
        TableId::Restart => "restart-table.md".to_owned(),
        // Next to the runs that its page shows.
        TableId::Runit | TableId::Sysvinit => format!("{}/ends.md", table.name()),
        id => format!("{}.md", id.name()),
    }
}

fn tables(bench: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let lab = bench.lab()?;
    let matrix = measured(&lab)?;
    let with = lab.measured_with()?;
    let tables = matrix.tables.iter();
    let tables = tables.map(|table| {
        let text = table.to_markdown(matrix.version());
        Measured::text(&file(table.id), &text, &with)
    });
    let mut files: Vec<Measured> = tables.collect();
    let short = matrix.to_short_markdown();
    let short = short.context("the table of `Restart=` was not measured")?;
    files.push(Measured::text(SHORT, &short, &with));
    Ok(files)
}

/// What a supervisor other than systemd does.
fn supervisor(bench: &Bench<'_>, id: TableId) -> anyhow::Result<Vec<Measured>> {
    let lab = bench.lab()?;
    let matrix = measure(&lab, &[id], false, |_, _| {})?;
    let table = matrix.table(id).context("it was measured")?;
    let text = table.to_markdown(matrix.version());
    Ok(vec![Measured::text(
        &file(id),
        &text,
        &lab.measured_with()?,
    )])
}

/// The newest systemd is another one every few months: the file's header says which it was, and the file holds as long as its cells do.
fn versions(bench: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let old = measured(&bench.old_lab()?)?;
    let stable = measured(&bench.lab()?)?;
    let newest = bench.newest_lab()?;
    let comparison = Comparison::of(&[old, stable, tables_of(&newest)?]);
    let text = comparison.with_newest_called(NEWEST).to_markdown();
    Ok(vec![Measured::text(
        VERSIONS,
        &text,
        &newest.measured_with()?,
    )])
}

fn tables_of(lab: &Lab) -> anyhow::Result<Matrix> {
    let ids: Vec<TableId> = TableId::of_systemd().collect();
    Ok(measure(lab, &ids, false, |_, _| {})?)
}

/// All tables. An error if they differ from that systemd's manual in a way that is not explained yet.
fn measured(lab: &Lab) -> anyhow::Result<Matrix> {
    let matrix = tables_of(lab)?;
    let manual = Manual::of(matrix.version())?;
    let manual = manual.with_context(|| {
        format!(
            "there is no manual of systemd {}; add it to crates/systemd-matrix/manual",
            matrix.version()
        )
    })?;
    let found = manual.differences(&matrix);
    let known = manual.known.iter().map(|known| known.difference.clone());
    let known: Vec<Difference> = known.collect();
    ensure!(
        found == known,
        "systemd differs from {}: {found:#?}; expected only: {known:#?}; explain the new ones in crates/systemd-matrix/manual",
        manual.source
    );
    let unexplained = manual.known.iter().find(|known| known.why.is_empty());
    ensure!(
        unexplained.is_none(),
        "crates/systemd-matrix/manual does not explain {:#?}",
        unexplained.map(|known| &known.difference)
    );
    Ok(matrix)
}

//! The attendee's prediction: reads it from `prediction.md`, and compares it with what systemd did.

use super::{CAUSES, CELLS, Cause, Cells, SETTINGS, Table, cells, mark, reasons};

/// The spelling of each kind of cell, for error messages.
const LEGEND: &str = "X (systemd restarts the service), - (it does not) or ? (not predicted yet)";

/// What the attendee expects: `None` for a cell that is still open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prediction(Cells<Option<bool>>);

/// The result of comparing prediction and measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// The differences, cell by cell, and how many cells agree.
    pub(crate) shown: String,
    /// What to think about first. `None` if the prediction is right.
    pub(crate) diagnosis: Option<String>,
}

/// Reads the Markdown table: the lines that begin with `|`. Everything else in the file belongs to the attendee.
///
/// # Errors
///
/// A message that names the line and says what to do. `restore` is how to get the file back.
pub(crate) fn parse(text: &str, restore: &str) -> Result<Prediction, String> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| line.starts_with('|'))
        .map(|(number, line)| (number, split(line)));
    let Some((number, header)) = lines.next() else {
        return Err(format!(
            "prediction.md has no table, i.e. no line that begins with `|`; {restore}"
        ));
    };
    let columns = columns(number, &header)?;
    let mut rows = [None; CAUSES.len()];
    for (number, line) in lines {
        let name = line.first().copied().unwrap_or_default();
        if is_rule(name) {
            continue;
        }
        let cause = cause(number, name)?;
        // A missing or extra cell would shift all of the following ones.
        if line.len() != header.len() {
            return Err(format!(
                "prediction.md, line {number}: the row `{}` has {} and should have {}, one for each setting; write ? in those that you leave open",
                cause.name(),
                cells_in_words(line.len() - 1),
                SETTINGS.len()
            ));
        }
        let mut row = [None; SETTINGS.len()];
        for (column, text) in columns.iter().zip(&line[1..]) {
            row[*column] = cell(text).map_err(|text| {
                format!(
                    "prediction.md, line {number}, column {}: `{text}` cannot be read; write {LEGEND}",
                    SETTINGS[*column]
                )
            })?;
        }
        if rows[cause as usize].replace(row).is_some() {
            return Err(format!(
                "prediction.md, line {number}: there is a row `{}` already; remove one of them",
                cause.name()
            ));
        }
    }
    let mut prediction = Prediction(Default::default());
    for cause in CAUSES {
        prediction.0[cause as usize] = rows[cause as usize].ok_or_else(|| {
            format!(
                "prediction.md, the table at line {number}: the row `{0}` is missing; add `| {0} |{1}`",
                cause.name(),
                " ? |".repeat(SETTINGS.len())
            )
        })?;
    }
    Ok(prediction)
}

/// Compares cell by cell.
pub(crate) fn compare(prediction: &Prediction, measured: &Table) -> Comparison {
    let mut shown = Vec::new();
    let (mut wrong, mut open) = (Vec::new(), Vec::new());
    for (cause, column) in cells() {
        let row = cause as usize;
        let did = measured.0[row][column];
        match prediction.0[row][column] {
            None => open.push((cause, column)),
            Some(predicted) if predicted != did => {
                wrong.push((cause, column, did));
                shown.push(format!(
                    "{}, Restart={}: predicted {}, systemd did {}",
                    cause.name(),
                    SETTINGS[column],
                    mark(predicted),
                    mark(did)
                ));
            }
            Some(_) => {}
        }
    }
    for cause in CAUSES {
        let count = open.iter().filter(|(row, _)| *row == cause).count();
        if count > 0 {
            shown.push(format!("{}: {} open", cause.name(), cells_in_words(count)));
        }
    }
    let right = CELLS - wrong.len() - open.len();
    shown.push(format!("{right} of {CELLS} cells as predicted"));

    let diagnosis = match (open.first(), wrong.first()) {
        (Some((cause, column)), _) => Some(format!(
            "{} of prediction.md {} still open: the first is row `{}`, column `{}`; write X where you think that systemd restarts the service, and - where it does not",
            cells_in_words(open.len()),
            if open.len() == 1 { "is" } else { "are" },
            cause.name(),
            SETTINGS[*column]
        )),
        (None, Some((cause, column, did))) => {
            Some(reasons::explain(*cause, SETTINGS[*column], *did))
        }
        (None, None) => None,
    };
    Comparison {
        shown: shown.join("\n"),
        diagnosis,
    }
}

fn cells_in_words(count: usize) -> String {
    let noun = if count == 1 { "cell" } else { "cells" };
    format!("{count} {noun}")
}

/// The cells of a line that begins with `|`. A final `|` is optional.
fn split(line: &str) -> Vec<&str> {
    let line = line.strip_prefix('|').unwrap_or(line);
    let line = line.strip_suffix('|').unwrap_or(line);
    line.split('|').map(str::trim).collect()
}

/// The line between a table's header and its rows: `|---|:-:|`. A cell that says `-` is never in the first column.
fn is_rule(cell: &str) -> bool {
    cell.contains('-') && cell.chars().all(|c| matches!(c, '-' | ':'))
}

/// The setting of each column of the table, from the second column on.
fn columns(number: usize, header: &[&str]) -> Result<Vec<usize>, String> {
    let mut columns = Vec::new();
    for title in &header[1..] {
        let plain = plain(title);
        let setting = plain.strip_prefix("restart=").unwrap_or(&plain);
        let Some(column) = SETTINGS.iter().position(|known| *known == setting) else {
            return Err(format!(
                "prediction.md, line {number}: the column `{title}` is not a setting of Restart=; the columns are {}",
                SETTINGS.join(", ")
            ));
        };
        if columns.contains(&column) {
            return Err(format!(
                "prediction.md, line {number}: there are two columns `{title}`; remove one of them"
            ));
        }
        columns.push(column);
    }
    match (0..SETTINGS.len()).find(|column| !columns.contains(column)) {
        Some(missing) => Err(format!(
            "prediction.md, line {number}: the column `{}` is missing; the columns are {}",
            SETTINGS[missing],
            SETTINGS.join(", ")
        )),
        None => Ok(columns),
    }
}

fn cause(number: usize, name: &str) -> Result<Cause, String> {
    let plain_name = plain(name);
    let is_it = |cause: &Cause| cause.name().to_lowercase() == plain_name;
    CAUSES.into_iter().find(is_it).ok_or_else(|| {
        format!(
            "prediction.md, line {number}: the table has no row `{name}`; its rows are {}",
            CAUSES.map(Cause::name).join(", ")
        )
    })
}

/// A name without case, Markdown marks and extra spaces.
fn plain(name: &str) -> String {
    let name = name.replace(['`', '*'], "").to_lowercase();
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// # Errors
///
/// Reads a cell, or returns its text if a cell cannot have it.
fn cell(text: &str) -> Result<Option<bool>, &str> {
    match plain(text).as_str() {
        "x" | "yes" | "y" => Ok(Some(true)),
        // Editors turn hyphens into dashes.
        "-" | "\u{2013}" | "\u{2014}" | "no" | "n" => Ok(Some(false)),
        "?" | "" => Ok(None),
        _ => Err(text),
    }
}

//! Tables as Markdown, for the guide.

use crate::table::{Cell, Matrix, Table};

impl Matrix {
    /// All tables, each below its title.
    pub fn to_markdown(&self) -> String {
        let tables: Vec<String> = self
            .tables
            .iter()
            .map(|table| {
                format!(
                    "## {}\n\n{}",
                    table.title,
                    table.to_markdown(self.version())
                )
            })
            .collect();
        tables.join("\n")
    }
}

impl Table {
    /// The table and its legend, without its title: a page has its own headings. `version` is systemd's.
    pub fn to_markdown(&self, version: &str) -> String {
        let measured = format!("Measured with systemd {version}.");
        self.with_remarks([measured].into_iter().chain(self.remarks()))
    }

    /// The same without the version.
    pub(crate) fn body_to_markdown(&self) -> String {
        self.with_remarks(self.remarks())
    }

    fn remarks(&self) -> impl Iterator<Item = String> {
        self.legend.iter().map(|remark| sentence(remark))
    }

    fn with_remarks(&self, remarks: impl Iterator<Item = String>) -> String {
        let mut text = line(
            [self.corner.as_str()]
                .into_iter()
                .chain(self.columns.iter().map(String::as_str)),
        );
        text += &line(std::iter::repeat_n("---", self.columns.len() + 1));
        for row in &self.rows {
            text += &line(
                [row.label.as_str()]
                    .into_iter()
                    .chain(row.cells.iter().map(Cell::short)),
            );
        }
        let remarks: Vec<String> = remarks.collect();
        match remarks.is_empty() {
            true => text,
            false => format!("{text}\n{}\n", remarks.join(" ")),
        }
    }
}

/// A line of a table.
pub(crate) fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}

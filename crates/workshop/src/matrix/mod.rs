//! `cargo workshop matrix`: what systemd does with each setting of restarts, measured in the lab.

mod text;

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use restart_matrix::{Matrix, TableId, measure};
use systemd_lab::Lab;

use crate::style;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which tables. Without any: all.
    #[arg(value_name = "TABLE", value_parser = PossibleValuesParser::new(TableId::ALL.map(TableId::name)))]
    tables: Vec<String>,
    /// How they are written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Measure anew; otherwise what the lab remembers is good enough.
    #[arg(long)]
    fresh: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For a terminal.
    Text,
    /// For a page.
    Markdown,
    /// For programs.
    Json,
}

/// Measures the tables that are wanted, and prints them.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let matrix = measured(&Lab::open()?, &wanted(&arguments.tables), arguments.fresh)?;
    match arguments.format {
        Format::Text => anstream::print!("{}", text::matrix(&matrix)),
        Format::Markdown => print!("{}", matrix.to_markdown()),
        Format::Json => println!("{}", serde_json::to_string_pretty(&matrix)?),
    }
    Ok(())
}

fn wanted(names: &[String]) -> Vec<TableId> {
    match names.is_empty() {
        true => TableId::ALL.to_vec(),
        // clap takes no other names.
        false => names
            .iter()
            .filter_map(|name| TableId::parse(name))
            .collect(),
    }
}

/// Shows how far it is, on a terminal.
fn measured(lab: &Lab, wanted: &[TableId], fresh: bool) -> anyhow::Result<Matrix> {
    let spinner = style::spinner("measuring");
    let matrix = measure(lab, wanted, fresh, |done, of| {
        spinner.set_message(format!("measuring, {done} of {of} runs done"));
    });
    spinner.finish_and_clear();
    Ok(matrix?)
}

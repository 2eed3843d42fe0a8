//! `systemd-lab matrix`: what systemd does with its settings, measured in the lab.

mod text;

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use systemd_lab::{Guest, Lab, Suite};
use systemd_matrix::{Comparison, Matrix, TableId, measure};

use crate::exit::WrongUsage;
use crate::output::{self, put};
use crate::style;

/// What systemd does with its settings, measured.
#[derive(clap::Args)]
pub struct Arguments {
    /// Which tables. Without any: all but runit and sysvinit, which need a network the first time.
    #[arg(value_name = "TABLE", value_parser = PossibleValuesParser::new(TableId::ALL.map(TableId::name)))]
    tables: Vec<String>,
    /// How they are written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Measure again instead of using stored results.
    #[arg(long)]
    fresh: bool,
    /// Which Debian the guest is: stable has systemd 257, oldstable 252, testing the newest.
    #[arg(long, value_name = "SUITE", value_parser = suites())]
    suite: Option<String>,
    /// Only what the systemd of other suites does differently, e.g. --compare=oldstable,testing. Default: all suites.
    #[arg(long, value_name = "SUITE", num_args = 0.., require_equals = true, value_delimiter = ',', value_parser = suites())]
    compare: Option<Vec<String>>,
}

fn suites() -> PossibleValuesParser {
    PossibleValuesParser::new(Suite::names())
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

/// Measures the requested tables, and prints them or their differences.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let suite = match &arguments.suite {
        Some(name) => name.parse()?,
        None => Guest::from_environment()?.suite(),
    };
    match &arguments.compare {
        Some(others) => {
            let comparison = compared(arguments, suite, others)?;
            match arguments.format {
                Format::Text => put!("{}", text::comparison(&comparison)),
                Format::Markdown => output::document(&comparison.to_markdown()),
                Format::Json => {
                    output::document(&(serde_json::to_string_pretty(&comparison)? + "\n"))
                }
            }
        }
        None => {
            let matrix = measured(arguments, suite)?;
            match arguments.format {
                Format::Text => put!("{}", text::matrix(&matrix)),
                Format::Markdown => output::document(&matrix.to_markdown()),
                Format::Json => output::document(&(serde_json::to_string_pretty(&matrix)? + "\n")),
            }
        }
    }
    Ok(())
}

/// Compares the suite with the others; without others, all suites.
fn compared(arguments: &Arguments, suite: Suite, others: &[String]) -> anyhow::Result<Comparison> {
    let others: Vec<Suite> = match others {
        [] => Suite::ALL.to_vec(),
        names => names
            .iter()
            .map(|name| name.parse())
            .collect::<Result<_, _>>()?,
    };
    let mut suites = vec![suite];
    for other in others {
        if !suites.contains(&other) {
            suites.push(other);
        }
    }
    if suites.len() < 2 {
        return Err(WrongUsage(format!(
            "{suite} cannot be compared with itself; name another suite, or none, after --compare"
        ))
        .into());
    }
    let matrices = suites.into_iter().map(|suite| measured(arguments, suite));
    Ok(Comparison::of(
        &matrices.collect::<anyhow::Result<Vec<_>>>()?,
    ))
}

fn wanted(names: &[String]) -> Vec<TableId> {
    match names.is_empty() {
        true => TableId::of_systemd().collect(),
        // clap takes no other names.
        false => names
            .iter()
            .filter_map(|name| TableId::parse(name))
            .collect(),
    }
}

/// Shows its progress on a terminal.
fn measured(arguments: &Arguments, suite: Suite) -> anyhow::Result<Matrix> {
    let lab = Lab::options().guest(&Guest::chosen(Some(suite))?).open()?;
    // The lab shows its own progress until the first run.
    let mut spinner = None;
    let matrix = measure(
        &lab,
        &wanted(&arguments.tables),
        arguments.fresh,
        |done, of| {
            let systemd = match suite.systemd() {
                Some(version) => format!("systemd {version}"),
                None => format!("Debian {suite}"),
            };
            let spinner = spinner.get_or_insert_with(|| style::spinner("measuring"));
            spinner.set_message(format!("measuring {systemd}, {done} of {of} runs done"));
        },
    );
    if let Some(spinner) = spinner {
        spinner.finish_and_clear();
    }
    Ok(matrix?)
}

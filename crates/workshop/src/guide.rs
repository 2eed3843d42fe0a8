//! `cargo workshop guide`: a page of the guide in the terminal, from the same sources as the book. It needs no network and no
//! mdBook.

mod command_line;
mod render;
mod table;
mod wrap;

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use mdbook_systemd_lab::Site;

use crate::pager;
use crate::progress::Progress;
use stages::exercises::Workshop;
use systemd_lab_cli::WrongUsage;
use systemd_lab_cli::say;
use systemd_lab_cli::style;
use systemd_lab_cli::terminal;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A stage's number or name, or a page's name, e.g. 04, notify or limits. Without it: the page of the first exercise that has
    /// not passed.
    page: Option<String>,
    /// Unfold everything: solutions, and answers to predictions.
    #[arg(long)]
    all: bool,
    /// Name all pages.
    #[arg(long, conflicts_with_all = ["page", "all"])]
    list: bool,
}

pub(crate) fn run(
    workshop: &Workshop,
    progress: &Progress,
    arguments: &Arguments,
) -> anyhow::Result<()> {
    let pages = pages(workshop)?;
    if arguments.list {
        for page in &pages {
            let name = format!("{:20}", page.name);
            say!("{}  {}", style::strong(name), page.title);
        }
        return Ok(());
    }
    let page = chosen(workshop, progress, &pages, arguments.page.as_deref())?;
    let site = Site {
        book: workshop.root.join("book"),
        pages: PathBuf::from("src"),
    };
    let markdown = mdbook_systemd_lab::in_words(&site, page.file.as_ref()).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", problems.join("\n"))
    })?;
    let size = terminal::size();
    let text = render::render(
        &markdown,
        &render::Layout {
            text: terminal::text_width(),
            table: size.columns,
            unfolds: arguments.all,
            command: format!("cargo workshop guide {} --all", page.name),
        },
    );
    pager::show(&text, size.rows)
}

/// A page of the guide.
struct Page {
    /// The name that people ask for: the file's name without its extension, e.g. `04-notify`.
    name: String,
    /// Relative to the folder of the pages.
    file: String,
    title: String,
}

/// All pages, in the order of the guide.
fn pages(workshop: &Workshop) -> anyhow::Result<Vec<Page>> {
    let path = workshop.root.join("book/src/SUMMARY.md");
    let summary =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let links = summary.lines().filter_map(|line| {
        let (_, rest) = line.split_once('[')?;
        let (title, rest) = rest.split_once("](")?;
        let file = rest.strip_suffix(')')?;
        Some(Page {
            name: file.strip_suffix(".md")?.to_owned(),
            file: file.to_owned(),
            title: title.to_owned(),
        })
    });
    Ok(links.collect())
}

fn chosen<'a>(
    workshop: &Workshop,
    progress: &Progress,
    pages: &'a [Page],
    asked: Option<&str>,
) -> anyhow::Result<&'a Page> {
    let of_name = |name: &str| pages.iter().find(|page| page.name == name);
    let folder = match asked {
        None => Some(progress.chosen(workshop, None)?.folder()),
        Some(name) => match of_name(name.trim_end_matches(".md")) {
            Some(page) => return Ok(page),
            None => workshop.exercise(name).ok().map(|it| it.folder()),
        },
    };
    let found = folder.as_deref().and_then(of_name);
    let unknown = || {
        let names: Vec<&str> = pages.iter().map(|page| page.name.as_str()).collect();
        let asked = asked.or(folder.as_deref()).unwrap_or_default();
        WrongUsage(format!(
            "the guide has no page {asked:?}; it has: {}",
            names.join(", ")
        ))
    };
    Ok(found.ok_or_else(unknown)?)
}

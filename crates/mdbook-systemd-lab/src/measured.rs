//! What the lab measured, in the form of a page. `cargo maintain guide` makes the files, and compares
//! them with current measurements.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use systemd_timeline::{Picture, Timeline};

use crate::site::Site;

const FOLDER: &str = "measured";

/// Browsers indent a figure on both sides, but on a phone a picture needs the whole width.
const FIGURE: &str = "margin-inline: 0";

/// The arguments of `#timeline`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TimelineArguments {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) units: Option<Vec<String>>,
}

impl TimelineArguments {
    /// Reads `NAME title="…" units="a.service b.service"`.
    pub(crate) fn parse(text: &str) -> Result<TimelineArguments, String> {
        let (name, mut rest) = text.split_once(' ').unwrap_or((text, ""));
        let mut arguments = TimelineArguments {
            name: name.to_owned(),
            ..TimelineArguments::default()
        };
        while !rest.trim().is_empty() {
            let one = rest.trim_start().split_once("=\"");
            let one = one.and_then(|(key, after)| Some((key, after.split_once('"')?)));
            let Some((key, (value, after))) = one else {
                return Err(format!(
                    "`{}` is not an argument; write title=\"…\" or units=\"…\"",
                    rest.trim()
                ));
            };
            match key {
                "title" => arguments.title = Some(value.to_owned()),
                "units" => {
                    let units = value.split_whitespace().map(str::to_owned);
                    arguments.units = Some(units.collect());
                }
                _ => {
                    return Err(format!(
                        "`{key}` is not an argument; there are: title=\"…\", units=\"…\""
                    ));
                }
            }
            rest = after;
        }
        Ok(arguments)
    }
}

/// The files in `measured/`, and how many times each was shown: the identifiers in a picture must differ.
pub(crate) struct Measured<'a> {
    site: &'a Site,
    shown: BTreeMap<String, u32>,
}

impl<'a> Measured<'a> {
    pub(crate) fn new(site: &'a Site) -> Measured<'a> {
        Measured {
            site,
            shown: BTreeMap::new(),
        }
    }

    /// The picture, its caption, and the same in words. It has no blank line, because Markdown would start again
    /// there.
    pub(crate) fn timeline(&mut self, arguments: &TimelineArguments) -> Result<String, String> {
        let name = &arguments.name;
        let (timeline, units) = self.chosen(arguments)?;
        let caption = caption(arguments, &units);
        let units: Vec<&str> = units.iter().map(String::as_str).collect();
        let times = self.shown.entry(name.clone()).or_default();
        *times += 1;
        let picture =
            Picture::of(&units).id(&format!("timeline-{}-{times}", name.replace('/', "-")));
        // If the service logged nothing useful, the measurement has left the lines out.
        let picture = picture.logs();
        let mut html = format!(
            "<figure style=\"{FIGURE}\">\n{}<figcaption>{}</figcaption>\n</figure>\n\
             <details>\n<summary>The same in words</summary>\n<ol>\n",
            picture.render(&timeline),
            escaped(&caption)
        );
        for line in picture.lines(&timeline) {
            html.push_str(&format!("<li>{}</li>\n", escaped(&line)));
        }
        html.push_str("</ol>\n</details>");
        Ok(html)
    }

    /// The caption, and what happened in words: a block of text.
    pub(crate) fn timeline_in_words(
        &mut self,
        arguments: &TimelineArguments,
    ) -> Result<String, String> {
        let (timeline, units) = self.chosen(arguments)?;
        let caption = caption(arguments, &units);
        let units: Vec<&str> = units.iter().map(String::as_str).collect();
        let lines = Picture::of(&units).logs().lines(&timeline);
        Ok(format!("{caption}:\n\n{}", block(&lines.join("\n"))))
    }

    /// The timeline, and those of its units that are shown.
    fn chosen(&self, arguments: &TimelineArguments) -> Result<(Timeline, Vec<String>), String> {
        let name = &arguments.name;
        let timeline = measured::parse(&self.read(name, "json")?)
            .map_err(|message| format!("{}: {message}", self.shown_file(name, "json")))?;
        let units = match &arguments.units {
            Some(units) => chosen(units, &timeline)?,
            None => units_of(&timeline),
        };
        let units = units.into_iter().map(str::to_owned).collect();
        Ok((timeline, units))
    }

    /// A block of text.
    pub(crate) fn output(&mut self, name: &str) -> Result<String, String> {
        let text = self.read(name, "txt")?;
        Ok(block(measured::without_header(&text)))
    }

    /// A sentence with the versions with which a table was measured. The table itself need not name them: it is measured again with
    /// whatever is newest, and kept as long as it holds.
    pub(crate) fn versions(&mut self, name: &str) -> Result<String, String> {
        let file = self.shown_file(name, "md");
        measured::measured_with(&self.read(name, "md")?)
            .map(|with| format!("Measured with {with}."))
            .ok_or_else(|| format!("{file} does not say what it was measured with"))
    }

    fn read(&self, name: &str, extension: &str) -> Result<String, String> {
        let folder = self.site.book.join(FOLDER);
        if !name.split('/').all(is_name) {
            return Err(format!(
                "`{name}` is not a name of a file in {}; write one of: {}",
                self.site.shown(&folder),
                self.names(extension)
            ));
        }
        fs::read_to_string(folder.join(format!("{name}.{extension}"))).map_err(|_| {
            format!(
                "{} cannot be read; there are: {} (CONTRIBUTING.md says how to measure another one)",
                self.shown_file(name, extension),
                self.names(extension)
            )
        })
    }

    fn shown_file(&self, name: &str, extension: &str) -> String {
        let file = self.site.book.join(FOLDER);
        self.site.shown(&file.join(format!("{name}.{extension}")))
    }

    fn names(&self, extension: &str) -> String {
        let end = format!(".{extension}");
        let mut names = Vec::new();
        add_names(&self.site.book.join(FOLDER), "", &end, &mut names);
        names.sort();
        match names.is_empty() {
            true => "none yet".to_owned(),
            false => names.join(", "),
        }
    }
}

fn caption(arguments: &TimelineArguments, units: &[String]) -> String {
    let title = arguments.title.clone();
    title.unwrap_or_else(|| units.join(", "))
}

/// A block of text, between fences that are longer than any in the text itself.
fn block(text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}text\n{}\n{fence}", text.trim_end())
}

/// Whether this is the name of a folder or a file, so that a path made from it stays in the folder.
fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    !name.is_empty() && letters.all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// Adds the names with this suffix, without it, also from subfolders: `mistakes/04-no-ready`.
fn add_names(folder: &Path, below: &str, end: &str, names: &mut Vec<String>) {
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{below}{}", file.file_name().to_string_lossy());
        if file.path().is_dir() {
            add_names(&file.path(), &format!("{name}/"), end, names);
        } else if let Some(name) = name.strip_suffix(end) {
            names.push(name.to_owned());
        }
    }
}

fn units_of(timeline: &Timeline) -> Vec<&str> {
    let mut units: Vec<&str> = Vec::new();
    for unit in timeline.events().iter().filter_map(|it| it.unit.as_deref()) {
        if !units.contains(&unit) {
            units.push(unit);
        }
    }
    units
}

/// The units that a page asks for, if the timeline shows something about each.
fn chosen<'a>(units: &'a [String], timeline: &Timeline) -> Result<Vec<&'a str>, String> {
    let known = units_of(timeline);
    let unknown = units.iter().find(|unit| !known.contains(&unit.as_str()));
    match unknown {
        None if !units.is_empty() => Ok(units.iter().map(String::as_str).collect()),
        None => Err(format!(
            "units=\"\" names none; there are: {}",
            known.join(", ")
        )),
        Some(unit) => Err(format!(
            "nothing happens to {unit} in this timeline; there are: {}",
            known.join(", ")
        )),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

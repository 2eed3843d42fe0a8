//! Compares the guide's command lines with what clap accepts: a page must not tell people to type what does not
//! exist.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};

use super::Arguments;

/// `run` has its own page.
const ELSEWHERE: [&str; 2] = ["run", "help"];

const PROMPT: &str = "cargo workshop";

fn pages() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src");
    let files = fs::read_dir(folder).expect("the guide is there");
    let mut pages: Vec<PathBuf> = files
        .map(|file| file.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    pages.sort();
    pages
}

fn read(page: &Path) -> String {
    fs::read_to_string(page).expect("the page is there")
}

/// The command lines in indented blocks, with continued lines joined and without comments.
fn command_lines(page: &str) -> Vec<String> {
    let joined = page.replace("\\\n", " ");
    let lines = joined.lines().filter_map(|line| line.strip_prefix("    "));
    let lines = lines.filter_map(|line| line.find(PROMPT).map(|at| &line[at..]));
    lines
        .map(|line| {
            let end = line.find(" #").or(line.find(" |")).or(line.find(')'));
            line[..end.unwrap_or(line.len())].to_owned()
        })
        .collect()
}

/// Split as in a shell, as far as the guide uses quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

#[test]
fn every_command_line_in_the_guide_is_one() {
    let mut seen = 0;
    for page in pages() {
        for line in command_lines(&read(&page)) {
            // An ellipsis stands for options that the page has shown before.
            if line.contains('…') {
                continue;
            }
            let words = words(&line);
            // `cargo` starts the command and is not passed on.
            if let Err(error) = Arguments::try_parse_from(words.iter().skip(1)) {
                panic!("{}: `{line}`: {error}", page.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn the_page_of_commands_names_all_of_them_and_their_options() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src/commands.md");
    let page = read(&page);
    let command = Arguments::command();
    for command in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        let name = command.get_name();
        let is_named =
            |text: &str| page.contains(&format!("`{text}`")) || page.contains(&format!("`{text} "));
        if name == "run" {
            assert!(is_named(name), "commands.md lacks {name}");
        }
        if ELSEWHERE.contains(&name) {
            continue;
        }
        assert!(is_named(name), "commands.md lacks {name}");
        let options = command.get_arguments().filter_map(|it| it.get_long());
        for option in options.filter(|option| *option != "help") {
            let option = format!("--{option}");
            let in_cell = |line: &str| line.contains(&format!("`{name}")) && line.contains(&option);
            assert!(
                page.lines().any(in_cell),
                "commands.md lacks `{name} {option}`"
            );
        }
        for action in command.get_subcommands().map(clap::Command::get_name) {
            assert!(
                action == "help" || is_named(&format!("{name} {action}")),
                "commands.md lacks `{name} {action}`"
            );
        }
    }
}

//! The current guide: nothing in it is broken. `tests/browser` looks at what mdBook makes of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mdbook_systemd_lab::protocol::{self, Book};
use mdbook_systemd_lab::{Site, preprocess};
use systemd_lab::clock_time;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the crate lies two folders below the workspace")
}

fn site() -> Site {
    Site {
        book: repository().join("book"),
        pages: PathBuf::from("src"),
    }
}

/// The pages in SUMMARY.md, path and Markdown, in order.
fn pages() -> Vec<(String, String)> {
    let folder = repository().join("book/src");
    let summary = fs::read_to_string(folder.join("SUMMARY.md")).expect("the guide has one");
    let links = summary
        .lines()
        .filter_map(|line| Some(line.split_once("](")?.1.split_once(')')?.0.to_owned()));
    let pages = links.map(|path| {
        let content = fs::read_to_string(folder.join(&path)).expect("SUMMARY.md names it");
        (path, content)
    });
    pages.collect()
}

/// The message that mdBook would send.
fn message() -> String {
    let book = Book::of(&pages()).to_json();
    let root = serde_json::Value::from(site().book.to_string_lossy().into_owned());
    format!(r#"[{{"root": {root}, "config": {{"book": {{}}}}}}, {book}]"#)
}

#[test]
fn nothing_in_the_guide_leads_nowhere() {
    let mut book = Book::of(&pages());
    if let Err(problems) = preprocess(&site(), &mut book) {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"));
    }
    for chapter in book.chapters() {
        for ours in [
            "{{#timeline",
            "{{#output",
            "{{#measured-with",
            "{{#mistake",
            "{{#minutes",
            "{{#path",
        ] {
            assert!(!chapter.content.contains(ours), "{}", chapter.path);
        }
    }
}

/// Times in sentences come from a timeline on the same page: a new measurement may have different
/// ones.
#[test]
fn times_in_sentences_are_those_of_the_timelines() {
    for (path, content) in pages() {
        let name = |line: &str| {
            let rest = line.trim().strip_prefix("{{#timeline ")?;
            rest.split([' ', '}']).next().map(str::to_owned)
        };
        let mut shown = BTreeSet::new();
        for name in content.lines().filter_map(name) {
            let file = repository().join(format!("book/measured/{name}.json"));
            let text = fs::read_to_string(file).expect("the preprocessor looks for it");
            let timeline = measured::parse(&text).expect("it is one");
            shown.extend(timeline.seconds().into_iter().map(clock_time));
        }
        let told = sentences(&content);
        let told = told.split(|c: char| !c.is_ascii_digit() && c != ':' && c != '.');
        for time in told
            .map(|word| word.trim_matches(['.', ':']))
            .filter(|word| is_clock(word))
        {
            assert!(
                shown.contains(time),
                "{path}: no timeline shows {time}: {shown:?}"
            );
        }
    }
}

/// The page without code.
fn sentences(content: &str) -> String {
    let mut is_code = false;
    let lines = content.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence && !line.starts_with("    ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `2:27`, but not an address.
fn is_clock(word: &str) -> bool {
    word.split_once(':').is_some_and(|(minutes, seconds)| {
        let is_number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
        is_number(minutes) && is_number(seconds) && seconds.len() == 2
    })
}

#[test]
fn each_stage_shows_what_the_lab_measured() {
    for (path, content) in pages() {
        assert!(
            !is_stage(&path) || content.contains("{{#timeline "),
            "{path}"
        );
    }
}

/// A stage's row in a table ends with its minutes, which are in `exercise.toml`.
#[test]
fn the_timetables_have_the_minutes_of_the_exercises() {
    let pages = pages();
    let page = |name: &str| {
        let found = pages.iter().find(|(path, _)| path == name);
        &found.unwrap_or_else(|| panic!("no page {name}")).1
    };
    for (path, _) in pages.iter().filter(|(path, _)| is_stage(path)) {
        let stage = path.trim_end_matches(".md");
        let settings = repository().join(format!("exercises/{stage}/exercise.toml"));
        let settings = fs::read_to_string(settings).expect("each stage has one");
        let settings: toml::Table = settings.parse().expect("it is TOML");
        let end = format!("| {} |", settings["minutes"]);
        for name in ["introduction.md", "instructors.md"] {
            let rows = page(name)
                .lines()
                .filter(|line| line.starts_with('|') && line.contains(&format!("]({path})")));
            let rows: Vec<&str> = rows.collect();
            assert!(
                matches!(rows[..], [row] if row.ends_with(&end)),
                "{name}: {rows:?} does not end with {end:?}"
            );
        }
    }
}

/// A stage's page says how long each of its sections takes, and they add up to the whole stage.
#[test]
fn the_sections_of_a_stage_take_the_minutes_of_its_exercise() {
    let minutes = fs::read_to_string(repository().join("book/minutes.toml"));
    let minutes: toml::Table = minutes.expect("it is there").parse().expect("it is TOML");
    for (path, content) in pages() {
        let name = path.trim_end_matches(".md");
        assert_eq!(
            content.contains("{{#minutes}}"),
            minutes.contains_key(name),
            "{path}: the page and book/minutes.toml belong together"
        );
        if !is_stage(&path) {
            continue;
        }
        let settings = repository().join(format!("exercises/{name}/exercise.toml"));
        let settings = fs::read_to_string(settings).expect("each stage has one");
        let settings: toml::Table = settings.parse().expect("it is TOML");
        let sections = minutes[name].as_array().expect("a list of sections");
        let sum: i64 = sections
            .iter()
            .filter_map(|section| section[1].as_integer())
            .sum();
        assert_eq!(Some(sum), settings["minutes"].as_integer(), "{path}");
    }
}

/// `05-watchdog.md`
fn is_stage(path: &str) -> bool {
    path.starts_with(|c: char| c.is_ascii_digit())
}

/// mdBook 0.5 succeeds even if a page could not be processed, so the status matters.
#[test]
fn the_program_speaks_with_mdbook() {
    let run = |arguments: &[&str], message: &str| {
        let input = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(input.path(), message).expect("a temporary file");
        let output = Command::new(env!("CARGO_BIN_EXE_mdbook-systemd-lab"))
            .args(arguments)
            .stdin(fs::File::open(input.path()).expect("it is there"))
            .output()
            .expect("cargo has built it");
        let text = |bytes| String::from_utf8(bytes).expect("it is text");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    assert_eq!(run(&["supports", "html"], "").0, Some(0));
    assert_eq!(run(&["supports", "markdown"], "").0, Some(1));
    let (status, book, complaint) = run(&[], &message());
    assert_eq!((status, complaint.as_str()), (Some(0), ""));
    let (_, book) = protocol::parse(&format!("[{{\"root\": \"/\"}}, {book}]")).expect("a book");
    assert_eq!(book.chapters().len(), pages().len());
    assert!(
        book.chapters()
            .iter()
            .any(|it| it.content.contains("<svg "))
    );
    let broken = message().replace("{{#timeline ", "{{#timeline no-such-");
    let (status, book, complaint) = run(&[], &broken);
    assert_eq!((status, book.as_str()), (Some(1), ""));
    assert!(
        complaint.starts_with("book/src/01-plain.md:"),
        "{complaint}"
    );
}

#[test]
fn every_measured_mistake_is_shown_in_full() {
    let pages = pages();
    let is_shown = |directive: &str| {
        let mut lines = pages.iter().flat_map(|(_, content)| content.lines());
        lines.any(|line| {
            let rest = line.strip_prefix(directive);
            rest.is_some_and(|rest| rest.starts_with([' ', '}']))
        })
    };
    let measured = fs::read_dir(repository().join("book/measured/mistakes"));
    let mut seen = 0;
    for file in measured.expect("`cargo maintain guide --write mistakes` writes it") {
        let path = file.expect("it can be read").path();
        let name = path.file_stem().expect("it has a name").to_string_lossy();
        let (number, mistake) = name.split_once('-').expect("NN-name");
        for directive in [
            format!("{{{{#mistake {number} {mistake}"),
            format!("{{{{#timeline mistakes/{name}"),
            format!("{{{{#output mistakes/{name}"),
        ] {
            assert!(is_shown(&directive), "no page has {directive}}}}}");
        }
        seen += 1;
    }
    assert!(seen > 0, "the guide shows mistakes");
}

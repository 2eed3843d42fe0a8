//! Serving the guide. No test downloads mdBook: if it is missing, one of our programs plays its part.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::{assert_text, command, repository, shown, starters, workshop};

/// Prints how it was called.
const MDBOOK: &str = "#!/bin/sh
if [ \"$1\" = --version ]; then echo 'mdbook vVERSION'; else echo \"mdbook $*\"; fi
";

/// A program `mdbook` that reports this version, alone in a directory.
fn mdbook(version: &str) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    program(
        &directory.path().join("mdbook"),
        &MDBOOK.replace("VERSION", version),
    );
    directory
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("it is ours");
}

fn with_book() -> TempDir {
    let root = workshop();
    fs::create_dir(root.path().join("book")).expect("a folder");
    fs::write(root.path().join("book/book.toml"), "").expect("a file");
    root
}

/// A port that is not in use.
fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    address.port().to_string()
}

#[test]
fn there_is_no_guide() {
    let root = workshop();
    let output = command(root.path(), &["book"]).output().expect("it runs");
    assert_text("no_guide", &shown(&output, &[(root.path(), "[CLONE]")]));
}

#[test]
fn the_port_is_taken() {
    let root = with_book();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener
        .local_addr()
        .expect("it is bound")
        .port()
        .to_string();
    let output = command(root.path(), &["book", "--port", &port])
        .output()
        .expect("it runs");
    let text = shown(&output, &[]).replace(&port, "[PORT]");
    assert_text("port_is_taken", &text);
}

#[test]
fn it_is_served_on_loopback_and_opened_where_there_is_a_display() {
    let (root, mdbook, port) = (with_book(), mdbook("0.5.4"), free_port());
    let served = |more: &[&str], display: &str| {
        let output = command(root.path(), &["book", "--port", &port])
            .args(more)
            .env("PATH", mdbook.path())
            .env("DISPLAY", display)
            .output()
            .expect("it runs");
        shown(&output, &[(root.path(), "[CLONE]")]).replace(&port, "[PORT]")
    };
    assert_text("served_with_display", &served(&[], ":0"));
    assert_text("served_without_opening", &served(&["--no-open"], ":0"));
    assert_eq!(served(&[], ""), served(&["--no-open"], ":0"));
}

/// Nothing is compiled for it, so no other command waits for cargo's lock.
#[test]
fn the_pages_are_made_by_this_program() {
    let (root, path) = (with_book(), mdbook("0.5.4"));
    let text = MDBOOK
        .replace("VERSION", "0.5.4")
        .replace("mdbook $*", "$MDBOOK_PREPROCESSOR__SYSTEMD_LAB__COMMAND");
    program(&path.path().join("mdbook"), &text);
    let cargo = path.path().join("cargo");
    program(&cargo, "#!/bin/sh\necho \"cargo $*\"; exit 101\n");
    let output = command(root.path(), &["book", "--build"])
        .env("PATH", path.path())
        .env("CARGO", &cargo)
        .output()
        .expect("it runs");
    let own = assert_cmd::cargo::cargo_bin!("workshop");
    let said = shown(&output, &[(root.path(), "[CLONE]"), (own, "[WORKSHOP]")]);
    let expected =
        "'[WORKSHOP]' preprocess\nThe guide: [CLONE]/target/book/index.html\nexit status 0";
    assert_eq!(said, expected);
    for (renderer, status) in [("html", 0), ("epub", 1)] {
        let asked = command(root.path(), &["preprocess", "supports", renderer]).output();
        assert_eq!(asked.expect("it runs").status.code(), Some(status));
    }
}

/// Nothing is served, so a port in use does not matter.
#[test]
fn it_is_built() {
    let (root, path) = (with_book(), mdbook("0.5.4"));
    let built = |root: &Path, path: &Path| {
        let output = command(root, &["book", "--build"])
            .env("PATH", path)
            .output()
            .expect("it runs");
        shown(&output, &[(root, "[CLONE]")])
    };
    assert_text("built", &built(root.path(), path.path()));
    let fails = "#!/bin/sh\ntest \"$1\" = --version && echo 'mdbook v0.5.4' && exit\necho no >&2; exit 101\n";
    program(&path.path().join("mdbook"), fails);
    assert_text("not_built", &built(root.path(), path.path()));
}

/// Ctrl-C then reaches only the server, and nothing else needs to be ended.
#[test]
fn the_server_takes_the_place_of_the_command() {
    let (root, path) = (with_book(), mdbook("0.5.4"));
    let text = MDBOOK
        .replace("VERSION", "0.5.4")
        .replace("mdbook $*", "I am $$.");
    program(&path.path().join("mdbook"), &text);
    let child = command(root.path(), &["book", "--port", &free_port()])
        .env("PATH", path.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it runs");
    let own = format!("I am {}.", child.id());
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(&own), "{own} is not in:\n{text}");
}

/// A different version of mdBook is not accepted; a failing cargo simulates a room without a network.
#[test]
fn mdbook_cannot_be_fetched() {
    let (root, path) = (with_book(), mdbook("0.4.40"));
    let cargo = path.path().join("cargo");
    program(&cargo, "#!/bin/sh\necho \"cargo $*\"; exit 101\n");
    let output = command(root.path(), &["book", "--port", &free_port()])
        .env("PATH", path.path())
        .env("CARGO", &cargo)
        .output()
        .expect("it runs");
    assert_text("no_mdbook", &shown(&output, &[(root.path(), "[CLONE]")]));
}

/// mdBook turns a broken link into an empty page, without a message.
#[test]
fn every_page_of_the_summary_is_there() {
    let source = repository().join("book/src");
    let summary = fs::read_to_string(source.join("SUMMARY.md")).expect("it is part of the clone");
    let pages: Vec<&str> = summary
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .collect();
    for page in &pages {
        assert!(source.join(page).is_file(), "there is no {page}");
    }
    for stage in stages() {
        assert!(pages.contains(&format!("{stage}.md").as_str()), "{stage}");
    }
}

/// A stage's requirements are in the header of its `main.rs`. Its page says the same in other words, but with every
/// number and every name.
#[test]
fn pages_state_what_the_stages_ask_for() {
    // Attendees may have edited the headers.
    let copy = starters::copy();
    starters::reset_all(copy.path());
    for stage in stages() {
        let header = copy.path().join(format!("exercises/{stage}/src/main.rs"));
        let header = fs::read_to_string(header).expect("every stage has one");
        let task = header
            .lines()
            .filter_map(|line| line.strip_prefix("//!"))
            .skip_while(|line| !line.contains("The task"))
            .skip(1)
            .collect::<Vec<_>>()
            .join("\n");
        assert!(!task.is_empty(), "{stage} states its task");
        let page = repository().join(format!("book/src/{stage}.md"));
        let page = fs::read_to_string(page).expect("every stage has one");
        let words = words(&page);
        for word in self::words(&task) {
            let is_exact = word.contains(|c: char| c.is_ascii_digit() || c == '=' || c == '/');
            assert!(
                !is_exact || words.contains(&word),
                "{stage}: the page lacks {word:?}"
            );
        }
    }
}

fn words(text: &str) -> Vec<&str> {
    let is_frame = |c: char| "`().,:;*".contains(c);
    text.split_whitespace()
        .map(|word| word.trim_matches(is_frame))
        .collect()
}

/// The folders of the stages, e.g. `04-notify`.
fn stages() -> Vec<String> {
    let folders = fs::read_dir(repository().join("exercises")).expect("it is part of the clone");
    let is_stage = |entry: &fs::DirEntry| entry.path().join("exercise.toml").is_file();
    let names = folders.flatten().filter(is_stage);
    names
        .map(|entry| entry.file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

//! What README.md, ARCHITECTURE.md and PROMISES.md promise and no other test checks.

use std::fs;
use std::path::{Path, PathBuf};

use super::repository;

fn read(path: &str) -> String {
    let text = fs::read_to_string(repository().join(path));
    text.unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The check in README.md: the titles come from the stage, the report from the guide's measurements, and the rest from what
/// the command prints for any stage.
#[test]
fn the_readme_shows_what_a_check_says() {
    let readme = read("README.md");
    let sample = |line: &str, until: &str| {
        let (_, rest) = readme.split_once(line).expect("README.md shows a check");
        let (sample, _) = rest.split_once(until).expect("it ends");
        let lines = sample
            .lines()
            .map(|line| line.strip_prefix("    ").unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n").trim().to_owned()
    };
    let titles = read("exercises/04-notify/tests/requirements.rs");
    let titles: Vec<&str> = titles
        .lines()
        .filter_map(|line| line.trim().strip_prefix("title: \"")?.strip_suffix("\","))
        .collect();
    let of_stage_04 = |name: &str| {
        let shown = read(&format!(
            "crates/workshop/tests/cli/snapshots/cli__check__{name}.snap"
        ));
        shown.replace("01-alpha", "04-notify").replace("01", "04")
    };

    let failing = sample("## What a check says\n", "and when all is done:");
    let (_, measured) = read("book/measured/04-starter.txt")
        .split_once('\n')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("its first line says with what");
    assert!(
        failing.contains(measured.trim()),
        "{failing}\n\nis not\n\n{measured}"
    );
    let passing = sample("and when all is done:", "A check has five outcomes");
    for (number, title) in (1..).zip(&titles) {
        let line = format!("{number}  {title}");
        assert!(failing.contains(&line) && passing.contains(&line), "{line}");
    }
    assert!(titles.len() == 8 && !passing.contains("9  "), "{titles:?}");
    let not_yet = of_stage_04("not_yet");
    let passed = of_stage_04("passed");
    let ends = |text: &str, from: &str| {
        let (_, end) = text.split_once(from).expect("it says how to go on");
        let (end, _) = end.split_once("exit status").unwrap_or((end, ""));
        end.trim().to_owned()
    };
    let go_on = ends(&failing, "Edit ");
    assert!(go_on.starts_with(&ends(&not_yet, "Edit ")), "{go_on}");
    // The check of a test workshop runs nothing in the lab.
    assert!(
        go_on.ends_with("The full timeline: cargo workshop timeline 04"),
        "{go_on}"
    );
    assert_eq!(ends(&passing, "PASSED: "), ends(&passed, "PASSED: "));
}

/// ARCHITECTURE.md, invariant 1: the lab knows nothing about exercises; the command line knows nothing about QEMU; the
/// protocol does no I/O.
#[test]
fn each_part_knows_only_what_it_must() {
    for krate in [
        "systemd-timeline",
        "systemd-lab",
        "systemd-lab-cli",
        "systemd-lab-protocol",
        "systemd-lab-agent",
    ] {
        let manifest = read(&format!("crates/{krate}/Cargo.toml"));
        for other in [
            "exercise-check",
            "exercise-0",
            "solution-0",
            "stages.",
            "maintain.",
        ] {
            assert!(!manifest.contains(other), "{krate} depends on {other}");
        }
        let below_the_commands = krate != "systemd-lab-cli";
        for other in ["workshop", "systemd-matrix"] {
            let depends = manifest.contains(&format!("\n{other}."));
            assert!(
                !(below_the_commands && depends),
                "{krate} depends on {other}"
            );
        }
        assert_never_says(krate, &["exercise", "solution-0"]);
    }
    // Attendees and maintainers each have a command of their own, and neither needs the other's.
    for (krate, other) in [("workshop", "maintain"), ("maintain", "workshop")] {
        let manifest = read(&format!("crates/{krate}/Cargo.toml"));
        let depends = manifest.contains(&format!("\n{other}."));
        assert!(!depends, "{krate} depends on {other}");
    }
    // Its output may name QEMU, because people install it. Only the library knows how to run QEMU.
    for krate in ["workshop", "systemd-lab-cli"] {
        assert_never_says(
            krate,
            &["qemu-system", "Qemu", "icount", "qmp", "snapshot.dir"],
        );
    }
    for krate in ["systemd-lab-protocol", "systemd-timeline"] {
        assert_never_says(
            krate,
            &[
                "std::fs",
                "std::env",
                "TcpStream",
                "std::process",
                "std::os",
                "File::",
                "println!",
            ],
        );
    }
    let protocol = read("crates/systemd-lab-protocol/Cargo.toml");
    let (_, dependencies) = protocol
        .split_once("[dependencies]\n")
        .expect("it has some");
    let names: Vec<&str> = dependencies
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| {
            line.split(['.', ' ', '='])
                .next()
                .filter(|name| !name.is_empty())
        })
        .collect();
    assert_eq!(names, ["serde", "serde_json", "siphasher"]);
}

/// ARCHITECTURE.md, "The crates": a crate uses only crates on lines below its own.
#[test]
fn no_crate_uses_one_above_it() {
    let architecture = read("ARCHITECTURE.md");
    let (_, crates) = architecture
        .split_once("\n## The crates\n")
        .expect("it has that section");
    let (picture, _) = crates.split_once("\n| Folder").expect("a table follows");
    let lines = picture.lines().filter_map(|line| {
        let (names, _) = line.strip_prefix("    ")?.split_once("   ")?;
        let names: Vec<&str> = names.split(", ").collect();
        names[0].starts_with(char::is_alphabetic).then_some(names)
    });
    let lines: Vec<Vec<&str>> = lines.collect();
    let known: Vec<&str> = lines.iter().flatten().copied().collect();
    assert!(known.len() > 10, "{lines:?}");
    let mut below: Vec<&str> = Vec::new();
    for names in lines.iter().rev() {
        for name in names {
            let manifest: toml::Table = read(&format!("crates/{name}/Cargo.toml"))
                .parse()
                .expect("it is TOML");
            let used = manifest["dependencies"].as_table().expect("it has some");
            for other in used.keys().filter(|other| known.contains(&other.as_str())) {
                assert!(below.contains(&other.as_str()), "{name} uses {other}");
            }
        }
        below.extend(names);
    }
}

/// PROMISES.md: each test that it names exists.
#[test]
fn each_promise_names_a_test() {
    let promises = read("PROMISES.md");
    let quoted = promises.split('`').skip(1).step_by(2);
    let named: Vec<Vec<&str>> = quoted.filter_map(words_of_a_test).collect();
    assert!(named.len() > 30, "{named:?}");
    for words in named {
        let (name, place) = words.split_last().expect("a name has words");
        assert!(has_test(place, name), "there is no test {place:?} {name}");
    }
}

/// The words of a test's name as it is written there: `module::test`, `executable test`, `executable module`, or a test alone, which has
/// more than two words. Other quoted texts are not tests.
fn words_of_a_test(quoted: &str) -> Option<Vec<&str>> {
    let words: Vec<&str> = quoted
        .split([' ', ':'])
        .filter(|it| !it.is_empty())
        .collect();
    let is_name = |word: &&str| {
        let mut letters = word.chars();
        letters.all(|it| it.is_ascii_lowercase() || it == '_') || *word == "systemd-lab"
    };
    let is_long = |word: &str| word.matches('_').count() > 1;
    let is_test = match words[..] {
        [test] => is_long(test),
        // This is a module of code.
        [
            "systemd_lab" | "systemd_lab_protocol" | "systemd_timeline",
            _,
        ] => false,
        [_, _] => true,
        _ => false,
    };
    (is_test && words.iter().all(is_name)).then_some(words)
}

fn has_test(place: &[&str], name: &str) -> bool {
    let crates = repository().join("crates");
    let roots: Vec<PathBuf> = match place {
        ["systemd-lab"] => vec![crates.join("systemd-lab/src")],
        [place] => vec![
            crates.join("workshop/tests").join(place),
            crates.join("systemd-lab/tests").join(place),
            crates
                .join("systemd-lab/tests/steps")
                .join(format!("{place}.rs")),
        ],
        _ => vec![
            crates.join("workshop/tests"),
            crates.join("systemd-lab"),
            crates.join("systemd-lab-agent/tests"),
            crates.join("systemd-lab-cli/tests"),
            crates.join("exercise-check/tests"),
        ],
    };
    let files = roots.iter().flat_map(|root| match root.is_dir() {
        true => sources(root),
        false => vec![root.clone()],
    });
    files.filter(|file| file.is_file()).any(|file| {
        let text = fs::read_to_string(&file).expect("it is text");
        let is_module = file.file_stem().is_some_and(|stem| stem == name);
        (is_module && text.contains("#[test]"))
            || text.contains(&format!("#[test]\nfn {name}("))
            || text.contains(&format!("#[test]\n    fn {name}("))
    })
}

/// Searches the code of a crate, without comments and tests.
fn assert_never_says(krate: &str, words: &[&str]) {
    let files = sources(&repository().join("crates").join(krate).join("src"));
    assert!(!files.is_empty(), "{krate} has code");
    for path in files {
        let text = fs::read_to_string(&path).expect("it is text");
        let (code, _) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
        let lines = code.lines().filter(|line| !line.trim().starts_with("//"));
        for line in lines {
            for word in words {
                assert!(
                    !line.contains(word),
                    "{} says {word:?}: {line}",
                    path.display()
                );
            }
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        match path.is_dir() {
            true => files.extend(sources(&path)),
            false if path.extension().is_some_and(|it| it == "rs") => files.push(path),
            false => {}
        }
    }
    files
}

/// `hint` has a ladder for each requirement of each stage, and for nothing else.
#[test]
fn each_requirement_has_hints() {
    for stage in [
        "01-plain",
        "02-restart",
        "03-restart-sec",
        "04-notify",
        "05-watchdog",
        "06-game-day",
    ] {
        let check = read(&format!("exercises/{stage}/tests/check.rs"));
        let requirements = check.lines().filter_map(|line| {
            let (test, _) = line.trim().split_once(" => requirements::")?;
            let (number, _) = test.strip_prefix('r')?.split_once('_')?;
            Some(number.to_owned())
        });
        let requirements: Vec<String> = requirements.collect();
        assert!(requirements.len() >= 5, "{stage}: {requirements:?}");
        let hints: toml::Table = read(&format!("exercises/{stage}/hints.toml"))
            .parse()
            .expect("it is TOML");
        let hints: Vec<String> = hints.into_iter().map(|(number, _)| number).collect();
        assert_eq!(hints, requirements, "{stage}");
    }
}

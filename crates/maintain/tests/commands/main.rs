//! `cargo maintain` over a small workshop whose check is a few lines: what `verify` demands, and the words and exit statuses of all of it.

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

mod guide;
mod verify;
mod written;

/// Asks two things: requirement 1, that the binary says hello; requirement 2, that the unit is good.
const CHECK: &str = r#"//! The check.

use std::env;
use std::fs;
use std::process::Command;

#[test]
fn r1_and_r2_() {
    let own = option_env!("CARGO_BIN_EXE_exercise-01").or(option_env!("CARGO_BIN_EXE_solution-01"));
    let own = own.expect("a binary").to_owned();
    let binary = env::var("EXERCISE_CHECK_BINARY").unwrap_or(own);
    let said = Command::new(binary).output().expect("it runs").stdout;
    let said = String::from_utf8(said).expect("text");

    let files = env::var("EXERCISE_CHECK_FILES").unwrap_or("../..".to_owned());
    let unit = format!("{files}/units/{}.service", env!("CARGO_PKG_NAME"));
    let unit = fs::read_to_string(unit).expect("a unit");

    let report = env::var("SYSTEMD_LAB_REPORT").expect("the command sets it");
    let first = verdict(1, said.trim(), "hello");
    let second = verdict(2, unit.trim(), "good");
    let run = r"{'record':'run','scenario':{'name':'a run','steps':[],'observe':[]},'files':[],'error':null,'timeline':[
{'at_us':1,'source':'agent','event':'hello','protocol':1,'kernel':'6.12','systemd':'257','qemu':'7.2.22'},
{'at_us':7,'source':'agent','event':'scenario-began','name':'a run'},
{'at_us':8,'unit':'solution-01.service','source':'agent','event':'state-changed','from':'dead','to':'running'},
{'at_us':5000009,'unit':'solution-01.service','source':'agent','event':'failed','result':'UNIT'},
{'at_us':9000009,'source':'agent','event':'scenario-ended'}]}";
    let run = run.replace('\n', "").replace("UNIT", unit.trim());
    let run = run.replace('\'', "\"") + "\n";
    let verdicts = match env::var("EXERCISE_CHECK_SOAK") {
        Ok(_) => second,
        Err(_) => first + &second,
    };
    fs::write(report, run + &verdicts).expect("it can be written");
}

fn verdict(number: u32, actual: &str, expected: &str) -> String {
    let outcome = match actual {
        actual if actual == expected => "passed",
        "broken" => "lab-broken",
        _ => "not-yet",
    };
    format!(
        r"{{'record':'verdict','number':{number},'of':2,'title':'','outcome':'{outcome}','diagnosis':'it is {actual}','difference':'more','conclusion':'NOT YET\n\nsolution-01 is {actual}\n'}}"
    )
    .replace('\'', "\"")
        + "\n"
}
"#;

const STARTER: &str = r#"//! # Stage 01
//!
//! # The task

fn main() {
    println!("nothing");
}
"#;

const SOLVED: &str = r#"//! Solved.

fn main() {
    println!("hello");
}
"#;

const SETTINGS: &str = r#"minutes = 5
task = "One line,\nand another."
starter = "requirement 1: it is nothing"
soak = "r1_and_r2_"
"#;

/// A workshop with one stage, about which there is nothing to complain.
fn workshop() -> TempDir {
    let root = tempfile::tempdir().expect("a temporary directory");
    let put = |path: &str, content: &str| write(root.path(), path, content);
    put(
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"exercises/*\", \"solutions/*\"]\n",
    );
    put(".gitignore", "target\nCargo.lock\n");
    put("exercises/01-alpha/Cargo.toml", &manifest("exercise-01"));
    put("exercises/01-alpha/exercise.toml", SETTINGS);
    put(
        "exercises/01-alpha/hints.toml",
        "1 = [\"what\", \"where\", \"how\"]\n",
    );
    put("book/src/01-alpha.md", "# Alpha\n");
    put("exercises/01-alpha/src/main.rs", STARTER);
    put("exercises/01-alpha/tests/check.rs", CHECK);
    let shared =
        "\n[[test]]\nname = \"check\"\npath = \"../../exercises/01-alpha/tests/check.rs\"\n";
    put(
        "solutions/01-alpha/Cargo.toml",
        &(manifest("solution-01") + shared),
    );
    put("solutions/01-alpha/src/main.rs", SOLVED);
    put(
        "solutions/01-alpha-variants/Cargo.toml",
        &manifest("variants-01"),
    );
    put("solutions/01-alpha-variants/src/bin/one.rs", SOLVED);
    put("solutions/01-alpha-variants/src/bin/two.rs", SOLVED);
    put(
        "solutions/01-alpha-variants/units/two/solution-01.service",
        "good\n",
    );
    put("units/exercise-01.service", "good\n");
    put("units/solution-01.service", "good\n");
    for number in 1..=7 {
        put(
            &format!("mistakes/01-alpha/unit-{number}.patch"),
            &unit_mistake(&format!("bad-{number}"), &format!("it is bad-{number}")),
        );
    }
    put(
        "mistakes/01-alpha/silent.patch",
        &code_mistake("\"silence\""),
    );
    // Found by looking two folders up from the command's own package, as cargo tells it.
    put("crates/maintain/README", "");
    let git = std::process::Command::new("git")
        .args(["init", "--quiet"])
        .current_dir(root.path())
        .status();
    assert!(git.expect("git runs").success());
    let written = maintain(root.path(), &["starters", "--write"]);
    assert!(written.status.success(), "{written:?}");
    root
}

fn manifest(package: &str) -> String {
    format!("[package]\nname = \"{package}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n")
}

fn unit_mistake(unit: &str, diagnosis: &str) -> String {
    format!(
        "It happens.\n\nRequirement: 2\nDiagnosis: {diagnosis}\n\n\
         --- a/units/solution-01.service\n+++ b/units/solution-01.service\n@@ -1 +1 @@\n-good\n+{unit}\n"
    )
}

/// One that the guide shows.
fn shown_mistake(unit: &str, lines: &str) -> String {
    let mistake = unit_mistake(unit, &format!("it is {unit}"));
    mistake.replacen("\n\n---", &format!("\n{lines}\n\n---"), 1)
}

fn code_mistake(words: &str) -> String {
    format!(
        "It happens.\n\nRequirement: 1\nDiagnosis: it is silence\n\n\
         --- a/solutions/01-alpha/src/main.rs\n+++ b/solutions/01-alpha/src/main.rs\n@@ -3,3 +3,3 @@\n fn main() {{\n\
         -    println!(\"hello\");\n+    println!({words});\n }}\n"
    )
}

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, content).expect("a file");
}

fn verify(root: &Path, arguments: &[&str]) -> Output {
    maintain(root, &[&["verify"], arguments].concat())
}

fn maintain(root: &Path, arguments: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("maintain"))
        .args(arguments)
        .env("CARGO_MANIFEST_DIR", root.join("crates/maintain"))
        .env("CARGO_TARGET_DIR", root.join("target"))
        .env("CARGO_NET_OFFLINE", "true")
        .output()
        .expect("the command runs")
}

/// Items in the order of their lines, each with what is said about it; without the times that they took.
fn shown(root: &Path, output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stdout = stdout.replace(&root.display().to_string(), "ROOT");
    let mut items: Vec<String> = Vec::new();
    for line in stdout.lines() {
        match items.last_mut() {
            Some(item) if line.is_empty() || line.starts_with("      ") => {
                item.push('\n');
                item.push_str(line);
            }
            _ => items.push(line.split(" (").next().unwrap_or_default().to_owned()),
        }
    }
    let summary = items.pop().unwrap_or_default();
    let summary = summary.rsplit_once(", ").map_or("", |(tally, _)| tally);
    items.sort();
    let stderr = String::from_utf8_lossy(&output.stderr);
    format!(
        "{}\n{summary}\n{stderr}exit status {}",
        items.join("\n"),
        output.status.code().expect("it ends by itself")
    )
}

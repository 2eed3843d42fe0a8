//! `cargo workshop reset` and `diff`: nothing is lost, and the starter is restored byte for byte, without git.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use insta::assert_snapshot;
use tempfile::TempDir;

#[path = "fixture/starters.rs"]
mod starters;

/// A workshop with two small stages.
fn workshop() -> TempDir {
    let root = tempfile::tempdir().expect("a temporary directory");
    for number in ["01", "02"] {
        let put = |path: &str, content: &str| {
            let path = path.replace("NN", number);
            write(root.path(), &path, &content.replace("NN", number));
        };
        put(
            "exercises/NN-alpha/Cargo.toml",
            "[package]\nname = \"exercise-NN\"\n\n[dependencies]\ntokio = \"1\"\n",
        );
        put("exercises/NN-alpha/exercise.toml", "minutes = 1\n");
        put(
            "exercises/NN-alpha/src/main.rs",
            "//! Stage NN.\n\nfn main() {\n    // TODO\n}\n",
        );
        put("exercises/NN-alpha/src/given.rs", "// exercise-NN\n");
        put("exercises/NN-alpha/tests/check.rs", "// the check\n");
        put(
            "solutions/NN-alpha/Cargo.toml",
            "[package]\nname = \"solution-NN\"\n\n[dependencies]\ntokio = \"1\"\n\n[[test]]\nname = \"check\"\n",
        );
        put(
            "solutions/NN-alpha/src/main.rs",
            "//! Stage NN.\n\nmod stop;\n\nfn main() {\n    stop::stop();\n}\n",
        );
        put("solutions/NN-alpha/src/given.rs", "// solution-NN\n");
        put(
            "solutions/NN-alpha/src/stop.rs",
            "pub(crate) fn stop() {}\n",
        );
        put(
            "units/exercise-NN.service",
            "[Service]\nExecStart=./exercise-NN",
        );
        put(
            "units/solution-NN.service",
            "[Service]\nExecStart=/usr/local/bin/solution-NN\nRestart=always\n",
        );
        put("units/solution-NN-alert@.service", "[Service]\n");
    }
    fs::create_dir_all(root.path().join("crates/workshop")).expect("a folder");
    starters::write_all(root.path());
    root
}

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, content).expect("a file");
}

fn run(root: &Path, arguments: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("workshop"))
        .args(arguments)
        .env("CARGO_MANIFEST_DIR", root.join("crates/workshop"))
        .output()
        .expect("the command runs")
}

/// What a person sees, without dates.
fn shown(root: &Path, output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let status = output.status.code().expect("it ends by itself");
    let mut shown = format!("{stdout}{stderr}exit status {status}");
    for name in saved(root) {
        let stage = name.split("-2").next().expect("it begins with the stage");
        shown = shown.replace(&name, &format!("{stage}-DATE"));
    }
    shown
}

/// The names of the folders below `saved/`, sorted; none contains another.
fn saved(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join("saved"))
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// All files except the saved ones, with their contents.
fn tree(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() && path != root.join("saved") {
                folders.push(path);
            } else if path.is_file() && path != root.join("progress.toml") {
                let content = fs::read(&path).expect("it can be read");
                files.insert(path, content);
            }
        }
    }
    files
}

#[test]
fn the_starter_comes_back_and_so_does_the_work() {
    let root = workshop();
    let root = root.path();
    let pristine = tree(root);
    write(
        root,
        "exercises/01-alpha/src/main.rs",
        "fn main() { work() }\n",
    );
    write(root, "exercises/01-alpha/src/deep/mine.rs", "// mine\n");
    fs::write(root.join("exercises/01-alpha/notes"), b"\xff\x00").expect("a file");
    write(root, "units/exercise-01.service.d/more.conf", "[Service]\n");
    write(root, "progress.toml", "[01]\npassed = true\nhints = 2\n");
    let edited = tree(root);

    let output = run(root, &["reset", "1"]);
    assert_snapshot!("reset", shown(root, &output));
    let progress = fs::read_to_string(root.join("progress.toml")).expect("it is there");
    assert!(
        progress.ends_with("[01]\npassed = false\nhints = 0\n"),
        "{progress}"
    );
    assert_eq!(tree(root), pristine);
    assert!(!root.join("exercises/01-alpha/src/deep").exists());
    assert!(!root.join("units/exercise-01.service.d").exists());

    let back = std::process::Command::new("cp")
        .args(["-r", &format!("saved/{}/.", saved(root)[0]), "."])
        .current_dir(root)
        .status();
    assert!(back.expect("cp runs").success());
    assert_eq!(tree(root), edited);
}

#[test]
fn two_resets_in_one_second_keep_both() {
    let root = workshop();
    let root = root.path();
    // Five resets take less than two seconds, so at least two of them happen within the same second.
    for turn in 0..5 {
        write(
            root,
            "exercises/01-alpha/src/main.rs",
            &format!("// {turn}\n"),
        );
        assert!(run(root, &["reset", "01"]).status.success());
    }
    let saved = saved(root);
    let mut kept: Vec<String> = saved
        .iter()
        .map(|name| {
            root.join("saved")
                .join(name)
                .join("exercises/01-alpha/src/main.rs")
        })
        .map(|path| fs::read_to_string(path).expect("it is kept"))
        .collect();
    kept.sort();
    assert_eq!(kept, ["// 0\n", "// 1\n", "// 2\n", "// 3\n", "// 4\n"]);
}

#[test]
fn the_check_and_what_cargo_writes_stay_as_they_are() {
    let root = workshop();
    let root = root.path();
    write(root, "exercises/01-alpha/tests/check.rs", "// edited\n");
    write(root, "exercises/01-alpha/target/debug/exercise-01", "built");
    write(root, "exercises/01-alpha/elsewhere/CACHEDIR.TAG", "");
    write(root, "exercises/01-alpha/elsewhere/exercise-01", "built");
    let before = tree(root);
    let output = run(root, &["reset", "--all"]);
    assert_snapshot!("nothing_to_do", shown(root, &output));
    assert_eq!(tree(root), before);
}

#[test]
fn a_link_to_elsewhere_is_replaced_and_not_written_through() {
    let root = workshop();
    let root = root.path();
    let pristine = tree(root);
    let main = root.join("exercises/01-alpha/src/main.rs");
    fs::remove_file(&main).expect("it was there");
    symlink("../../../solutions/01-alpha/src/main.rs", &main).expect("a link");
    assert!(run(root, &["reset", "1"]).status.success());
    assert_eq!(tree(root), pristine);
    assert!(!main.is_symlink());
}

#[test]
fn missing_files_come_back() {
    let root = workshop();
    let root = root.path();
    let pristine = tree(root);
    fs::remove_dir_all(root.join("exercises/01-alpha/src")).expect("it was there");
    fs::remove_file(root.join("units/exercise-02.service")).expect("it was there");
    let output = run(root, &["reset", "--all"]);
    assert_snapshot!("missing", shown(root, &output));
    assert_eq!(tree(root), pristine);
}

#[test]
fn an_edited_solution_is_named_and_nothing_is_done() {
    let root = workshop();
    let root = root.path();
    write(root, "exercises/02-alpha/src/main.rs", "// mine\n");
    let mut words = String::new();
    let mut refuse = |edit: &str| {
        let before = tree(root);
        let output = run(root, &["reset", "--all"]);
        assert_eq!(tree(root), before);
        assert!(saved(root).is_empty());
        words.push_str(&format!("{edit}:\n{}\n\n", shown(root, &output)));
    };
    // Not in a line that the patch changes.
    let given = "solutions/02-alpha/src/given.rs";
    write(root, given, "// solution-02, edited\n");
    refuse("edited");
    fs::remove_file(root.join(given)).expect("it was there");
    refuse("removed");
    write(root, given, "// solution-02\n");
    write(root, "units/solution-02-mine.service", "");
    refuse("added");
    fs::remove_file(root.join("units/solution-02-mine.service")).expect("it was there");
    fs::remove_file(root.join("solutions/02-alpha/starter.patch")).expect("it was there");
    refuse("no patch");
    assert_snapshot!("edited_solution", words);
}

#[test]
fn when_it_cannot_be_kept_nothing_is_done() {
    let root = workshop();
    let root = root.path();
    write(root, "exercises/01-alpha/src/main.rs", "// mine\n");
    write(root, "saved", "a file, so that no folder can be made in it");
    let before = tree(root);
    let output = run(root, &["reset", "1"]);
    assert_snapshot!("cannot_be_kept", shown(root, &output));
    assert_eq!(tree(root), before);
}

#[test]
fn when_it_cannot_be_restored_the_work_is_kept() {
    let root = workshop();
    let root = root.path();
    write(root, "exercises/01-alpha/src/mine.rs", "// mine\n");
    let main = root.join("exercises/01-alpha/src/main.rs");
    fs::remove_file(&main).expect("it was there");
    // The file cannot be written because a folder is in its place; the folder's content is left alone.
    write(root, "exercises/01-alpha/src/main.rs/CACHEDIR.TAG", "");
    let output = run(root, &["reset", "1"]);
    assert_snapshot!("half_restored", shown(root, &output));
    let kept = root.join("saved").join(&saved(root)[0]);
    let kept = fs::read_to_string(kept.join("exercises/01-alpha/src/mine.rs"));
    assert_eq!(kept.expect("it is kept"), "// mine\n");
}

/// In a user namespace that maps no user, even root cannot write if the permissions forbid it.
#[test]
fn when_nothing_can_be_removed_nothing_is_lost() {
    let root = workshop();
    let root = root.path();
    write(root, "exercises/01-alpha/src/mine.rs", "// mine\n");
    let edited = tree(root);
    let folder = root.join("exercises/01-alpha/src");
    let allow = |mode| fs::set_permissions(&folder, PermissionsExt::from_mode(mode));
    allow(0o555).expect("it is ours");
    let output = Command::new("unshare")
        .args(["--user", env!("CARGO_BIN_EXE_workshop"), "reset", "1"])
        .env("CARGO_MANIFEST_DIR", root.join("crates/workshop"))
        .output()
        .expect("util-linux is in every Debian");
    allow(0o755).expect("it is ours");
    assert_snapshot!("cannot_be_removed", shown(root, &output));
    assert_eq!(tree(root), edited);
    let kept = root.join("saved").join(&saved(root)[0]);
    let kept = fs::read_to_string(kept.join("exercises/01-alpha/src/mine.rs"));
    assert_eq!(kept.expect("it is kept"), "// mine\n");
}

#[test]
fn wrong_usage() {
    let root = workshop();
    let root = root.path();
    let mut words = String::new();
    for arguments in [
        &["reset"][..],
        &["reset", "9"],
        &["reset", "1", "--all"],
        &["diff", "9"],
    ] {
        let output = run(root, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        words.push_str(&format!("{arguments:?}\n{}\n\n", shown(root, &output)));
    }
    assert_snapshot!("wrong_usage", words);
}

#[test]
fn diff_shows_the_solution_on_demand() {
    let root = workshop();
    let root = root.path();
    write(root, "exercises/01-alpha/src/mine.rs", "// mine\n");
    assert_snapshot!("diff_refused", shown(root, &run(root, &["diff", "1"])));
    let spoilt = shown(root, &run(root, &["diff", "1", "--spoil"]));
    assert_snapshot!("diff", spoilt);
    let full = shown(root, &run(root, &["diff", "1", "--spoil", "--full"]));
    for line in ["-    // TODO\n", "-// mine\n", "-ExecStart=./exercise-01\n"] {
        assert!(
            full.contains(line) && !spoilt.contains(line),
            "{line}: {full}"
        );
    }
    let stat = shown(root, &run(root, &["diff", "1", "--spoil", "--stat"]));
    assert!(
        stat.contains("units/exercise-01.service         -1  +2\n"),
        "{stat}"
    );
    write(root, "progress.toml", "[01]\npassed = true\n");
    assert_eq!(shown(root, &run(root, &["diff", "1"])), spoilt);
}

#[test]
fn diff_of_the_solution_itself() {
    let root = workshop();
    let root = root.path();
    for path in ["src/main.rs", "src/given.rs", "src/stop.rs"] {
        let text = fs::read_to_string(root.join("solutions/01-alpha").join(path));
        let text = text
            .expect("it is there")
            .replace("solution-01", "exercise-01");
        write(root, &format!("exercises/01-alpha/{path}"), &text);
    }
    for unit in [".service", "-alert@.service"] {
        let text = fs::read_to_string(root.join(format!("units/solution-01{unit}")));
        let text = text
            .expect("it is there")
            .replace("solution-01", "exercise-01");
        write(root, &format!("units/exercise-01{unit}"), &text);
    }
    assert_snapshot!(
        "diff_none",
        shown(root, &run(root, &["diff", "1", "--spoil"]))
    );
}

/// For the real exercises, whatever an attendee has made of them: starters do not depend on anything that attendees edit.
/// (`cargo maintain verify` checks that a starter equals its exercise in the repository.)
#[test]
fn the_starters_of_this_workshop_come_back() {
    let copy = starters::copy();
    let root = copy.path();
    let edited = |edit: &dyn Fn(&Path)| {
        for path in tree(root).keys().filter(|path| is_theirs(root, path)) {
            edit(path);
        }
        starters::reset_all(root);
        tree(root)
    };
    let starters = edited(&|path| fs::remove_file(path).expect("it is there"));
    for number in 1..=5 {
        let is_main = |path: &&PathBuf| {
            let path = path.to_string_lossy();
            path.contains(&format!("/exercises/0{number}-")) && path.ends_with("/src/main.rs")
        };
        let main = starters.keys().find(is_main);
        let main = main.unwrap_or_else(|| panic!("starter {number} has no src/main.rs"));
        let text = String::from_utf8_lossy(&starters[main]);
        assert!(text.contains("The task"), "{text}");
        let unit = root.join(format!("units/exercise-0{number}.service"));
        assert!(starters.contains_key(&unit), "{}", unit.display());
    }
    write(root, "exercises/01-plain/src/mine.rs", "// mine\n");
    write(root, "units/exercise-05-mine.service", "[Service]\n");
    let again = edited(&|path| fs::write(path, "not the starter").expect("it is there"));
    assert!(again.keys().eq(starters.keys()), "files were added or lost");
    for (path, content) in starters {
        assert!(again[&path] == content, "{}", path.display());
    }
}

/// Whether attendees may edit a file of the real workshop.
fn is_theirs(root: &Path, path: &Path) -> bool {
    let path = path.strip_prefix(root).expect("it is below");
    let path = path.to_string_lossy();
    let is_check = path.contains("/tests/") || path.ends_with("/exercise.toml");
    path.starts_with("units/exercise-") || (path.starts_with("exercises/") && !is_check)
}

//! What `matrix` prints, and what it refuses.

use std::fs;

use serde_json::Value;

use super::{assert_text, command, repository, shown, workshop};

/// How much of a line a terminal in the room shows.
const COLUMNS: usize = 100;

fn says(arguments: &[&str]) -> String {
    let root = workshop();
    let arguments: Vec<&str> = ["matrix"].iter().chain(arguments).copied().collect();
    let output = command(root.path(), &arguments).output().expect("it runs");
    shown(&output, &[])
}

#[test]
fn tables_for_people() {
    let text = says(&["restart", "oneshot", "restart-mode"]);
    let too_long = text.lines().find(|line| line.chars().count() > COLUMNS);
    assert_eq!(too_long, None);
    // Debian's part of the version changes with each update.
    let lines = text.lines().map(|line| match line.split_once('-') {
        Some((version, _)) if version.starts_with("Measured with systemd 257.") => {
            "Measured with systemd 257[…]"
        }
        _ => line,
    });
    assert_text("matrix_text", &lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_table_for_a_page_is_that_of_the_guide() {
    let guide =
        fs::read_to_string(repository().join("book/measured/oneshot.md")).expect("it is there");
    let title = "## `Restart=` with `Type=oneshot`";
    assert_eq!(
        says(&["oneshot", "--format", "markdown"]),
        format!(
            "{title}\n\n{}exit status 0",
            measured::without_header(&guide)
        )
    );
}

#[test]
fn tables_for_programs() {
    let text = says(&["oneshot", "--format", "json"]);
    let json = text.strip_suffix("exit status 0").expect("it ends well");
    let matrix: Value = serde_json::from_str(json).expect("it is JSON");
    let table = &matrix["tables"][0];
    assert_eq!(table["id"], "oneshot");
    let columns = table["columns"].as_array().expect("it has columns");
    let on_failure = columns.iter().position(|head| head == "`on-failure`");
    let exit_1 = &table["rows"][1];
    assert_eq!(exit_1["label"], "exit code 1");
    assert_eq!(
        exit_1["cells"][on_failure.expect("it is a column")],
        serde_json::json!({"kind": "restarted", "result": "exit-code", "delay_seconds": 5})
    );
}

#[test]
fn no_such_table_format_or_suite() {
    assert_text("matrix_no_such_table", &says(&["restarts"]));
    assert_text("matrix_no_such_format", &says(&["--format", "html"]));
    assert_text("matrix_no_such_suite", &says(&["--suite", "sid"]));
    assert_text("matrix_same_suite", &says(&["--compare=stable"]));
}

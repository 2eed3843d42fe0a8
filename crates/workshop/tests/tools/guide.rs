//! `guide`: the pages of the guide in a terminal.

use super::{command, repository, shown, workshop};

fn says(arguments: &[&str]) -> String {
    let output = command(&repository(), arguments).output();
    shown(&output.expect("the command runs"), &[])
}

/// Without a terminal, text is 80 columns wide. Only text without a space cannot be wrapped.
#[test]
fn every_page_fits_the_terminal() {
    let list = says(&["guide", "--list"]);
    let names = list.lines().filter_map(|line| {
        let (name, _) = line.split_once("  ")?;
        Some(name.to_owned())
    });
    let names: Vec<String> = names.collect();
    assert!(names.len() > 20, "{list}");
    for name in names {
        let page = says(&["guide", &name, "--all"]);
        assert!(page.ends_with("exit status 0"), "{name}: {page}");
        assert!(!page.contains("{{#"), "{name}: {page}");
        for line in page.lines() {
            // A command goes on after the backslash.
            let words = line.trim_start().trim_end_matches(" \\");
            let is_breakable = words.contains(' ');
            assert!(
                line.chars().count() <= 80 || !is_breakable,
                "{name}: {line}"
            );
        }
    }
}

#[test]
fn a_stage_has_a_number_and_names_and_its_answers_are_folded() {
    let page = says(&["guide", "04"]);
    assert_eq!(says(&["guide", "4"]), page);
    assert_eq!(says(&["guide", "notify"]), page);
    assert_eq!(says(&["guide", "04-notify"]), page);
    let folds = [
        "▸ What the solution does, and the answers (folded: cargo workshop guide 04-notify --all)\n",
        "▸ The solution, web.rs\n",
        "▸ The solution, notify.rs\n",
        "▸ The solution, the unit\n",
    ];
    for fold in folds {
        assert!(page.contains(fold), "{page}");
    }
    assert!(
        !page.contains("fn main")
            && !page.contains("[Service]")
            && !page.contains("The predictions:"),
        "{page}"
    );
    assert!(says(&["guide", "04", "--all"]).contains("    Type=notify-reload\n"));
}

#[test]
fn an_unknown_page_is_refused_with_the_names_of_all() {
    let said = says(&["guide", "five"]);
    assert!(
        said.starts_with(
            "the guide has no page \"five\"; it has: introduction, set-up, primer, timeline, why, 01-plain,"
        ),
        "{said}"
    );
    assert!(said.ends_with("exit status 2"), "{said}");
    let root = workshop();
    let output = command(root.path(), &["guide"]).output();
    let said = shown(
        &output.expect("the command runs"),
        &[(root.path(), "CLONE")],
    );
    assert_eq!(
        said,
        "cannot read CLONE/book/src/SUMMARY.md: No such file or directory (os error 2)\nexit status 5"
    );
}

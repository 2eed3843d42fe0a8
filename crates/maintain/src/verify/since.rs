//! What changes from the solution of one stage to the exercise of the next.
//!
//! Attendees continue where they were, so each exercise begins with the code of the solution before it. If a stage has to change a
//! file, `[since]` in its `exercise.toml` says why. All other files are copies, and this module keeps them equal.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use stages::files::names;

/// The files that differ, relative to `src`, with reasons.
pub(super) type Since = BTreeMap<String, String>;

/// What is wrong with the declared differences between the solution in the folder `before` and the exercise. Both folders are relative
/// to the workshop's `root`.
pub(super) fn complaints(root: &Path, before: &str, exercise: &str, since: &Since) -> Vec<String> {
    let read = |folder: &str, name: &str| fs::read(root.join(folder).join("src").join(name)).ok();
    let of = |folder: &str| names(&root.join(folder).join("src"));
    let mut all = of(before);
    all.extend(of(exercise));
    all.extend(since.keys().cloned());
    all.sort();
    all.dedup();
    let complaints = all.into_iter().filter_map(|name| {
        let (old, new) = (read(before, &name), read(exercise, &name));
        let reason = since.get(&name).map(|reason| reason.trim());
        let place = format!("{exercise}/exercise.toml, [since]");
        match (old == new, reason) {
            (true, None) => None,
            (false, Some(reason)) if !reason.is_empty() => None,
            (false, Some(_)) => Some(format!("{place}: say why {name} differs from {before}")),
            (true, Some(_)) => Some(format!(
                "{place}: {name} does not differ from {before}; remove the line"
            )),
            (false, None) => {
                let what = match (old, new) {
                    (Some(_), None) => "is in",
                    (None, Some(_)) => "is not in",
                    _ => "differs from",
                };
                Some(format!(
                    "{exercise}/src/{name} {what} {before}; make them equal, or say why under [since] in exercise.toml"
                ))
            }
        }
    });
    complaints.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_differ_say_why() {
        let root = tempfile::tempdir().expect("there is room");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
            fs::write(path, text).expect("it can be written");
        };
        for (name, old, new) in [
            ("same.rs", Some("a"), Some("a")),
            ("changed.rs", Some("a"), Some("b")),
            ("drifted.rs", Some("a"), Some("b")),
            ("gone.rs", Some("a"), None),
            ("new.rs", None, Some("b")),
            ("equal-by-now.rs", Some("a"), Some("a")),
            ("without-a-reason.rs", Some("a"), Some("b")),
        ] {
            let of = [("solutions/01-a", old), ("exercises/02-b", new)];
            for (folder, text) in of {
                if let Some(text) = text {
                    write(&format!("{folder}/src/{name}"), text);
                }
            }
        }
        let since: Since = [
            ("changed.rs", "it must"),
            ("equal-by-now.rs", "it had to"),
            ("without-a-reason.rs", " "),
        ]
        .map(|(name, reason)| (name.to_owned(), reason.to_owned()))
        .into();
        let found = complaints(root.path(), "solutions/01-a", "exercises/02-b", &since);
        let remedy = "make them equal, or say why under [since] in exercise.toml";
        let place = "exercises/02-b/exercise.toml, [since]";
        assert_eq!(
            found,
            [
                format!("exercises/02-b/src/drifted.rs differs from solutions/01-a; {remedy}"),
                format!(
                    "{place}: equal-by-now.rs does not differ from solutions/01-a; remove the line"
                ),
                format!("exercises/02-b/src/gone.rs is in solutions/01-a; {remedy}"),
                format!("exercises/02-b/src/new.rs is not in solutions/01-a; {remedy}"),
                format!("{place}: say why without-a-reason.rs differs from solutions/01-a"),
            ]
        );
    }
}

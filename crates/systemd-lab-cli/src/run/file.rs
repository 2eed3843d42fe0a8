//! A plan in a file: TOML with the options' names as keys.

use std::path::Path;

use super::options::Options;
use crate::exit::WrongUsage;

/// A plan is a page or two long.
const LARGEST: u64 = 1 << 20;

/// Reads a plan. Its paths are relative to its folder.
pub(super) fn read(file: &Path) -> anyhow::Result<Options> {
    let options = read_with(file, Options::from_toml)?;
    Ok(options.below(file.parent().unwrap_or(Path::new(""))))
}

/// Reads something from a plan's file.
pub(crate) fn read_with<T>(
    file: &Path,
    parse: impl Fn(&str) -> Result<T, toml::de::Error>,
) -> anyhow::Result<T> {
    let text = systemd_lab::read_text(file, LARGEST).map_err(|error| {
        let file = file.display();
        WrongUsage(format!(
            "cannot read the plan {file} ({error}); correct the path"
        ))
    })?;
    parsed_with(&text, parse).map_err(|(line, message)| {
        let file = file.display();
        WrongUsage(format!("{file}:{line}: {message}")).into()
    })
}

/// What the parser makes of the text, or the bad line and what is wrong with it.
fn parsed_with<T>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, toml::de::Error>,
) -> Result<T, (usize, String)> {
    parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        // serde's word for a key, with its quotes.
        let message = error.message().replace("unknown field", "unknown key");
        (line, message.replace('`', "\""))
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn parsed(text: &str) -> Result<Options, (usize, String)> {
        parsed_with(text, Options::from_toml)
    }

    /// The words that plans consist of.
    const WORDS: &[&str] = &[
        "unit",
        "at",
        "for",
        "get",
        "require",
        "suite",
        " = [\"10s kill\"]\n",
    ];

    proptest::proptest! {
        #![proptest_config(fuzzed::config())]

        #[test]
        fn any_text_is_a_plan_or_an_error_with_its_line(text in fuzzed::toml(WORDS)) {
            if let Err((line, message)) = parsed(&text) {
                let lines = text.lines().count().max(1);
                proptest::prop_assert!((1..=lines + 1).contains(&line), "{line}: {message}");
            }
        }
    }

    #[test]
    fn a_plan_has_strings_and_lists_of_strings() {
        let text = "\
unit = [\"my.service\", \"units/db.service\"]
file = \"target/my:/usr/bin/my\"
at = [[\"10s\", \"kill\"], [\"READY=1 + 200ms\", \"freeze\"]]
enable = true
for = \"1h\"
suite = \"oldstable\"
";
        let plan = parsed(text).expect("it is right").below(Path::new("a"));
        // The file does not exist: the name may be that of a package's unit.
        let units = ["my.service", "a/units/db.service"];
        assert_eq!(plan.unit, units.map(PathBuf::from));
        assert_eq!(plan.file, ["a/target/my:/usr/bin/my"]);
        assert_eq!(plan.at, ["10s", "kill", "READY=1 + 200ms", "freeze"]);
        assert!(plan.enable);
        assert_eq!(plan.length.as_deref(), Some("1h"));
        assert_eq!(plan.guest.suite, "oldstable".parse().ok());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let error = |text: &str| parsed(text).expect_err(text);
        let (line, message) = error("unit = \"a.service\"\nutni = 1\n");
        assert_eq!(line, 2);
        assert!(
            message.starts_with("unknown key \"utni\", expected one of \"unit\", "),
            "{message}"
        );
        assert_eq!(error("\n\nat = [[\"10s\"]]\n").0, 3);
        for wrong in [
            "at = [\"5s kill\"]",
            "at = \"5s kill\"",
            "at = [[\"1s\", \"stop\"], \"5s kill\"]",
        ] {
            let (line, message) = error(wrong);
            assert_eq!(line, 1);
            assert!(
                message.ends_with("write: at = [[\"5s\", \"kill\"]]"),
                "{message}"
            );
        }
        assert!(error("at = [1]").1.contains("such as [\"10s\", \"kill\"]"));
        let (line, message) = error("for = 10\n");
        assert_eq!(line, 1);
        assert!(message.contains("expected a string"), "{message}");
        assert_eq!(error("unit = \"a\nfor = 1").0, 1);
        let (line, message) = error("enable = true\nsuite = \"sid\"");
        assert_eq!(line, 2);
        assert!(message.contains("sid"), "{message}");
        let (line, message) = error("enable = true\n\nmemory = 512");
        assert_eq!(line, 3);
        assert!(message.contains("expected a string"), "{message}");
    }

    #[test]
    fn the_command_line_adds_to_lists_and_takes_the_place_of_single_values() {
        let plan = parsed("at = [[\"10s\", \"kill\"]]\nfor = \"1h\"\nevery = \"2s\"")
            .expect("it is right");
        let said = parsed("at = [[\"20s\", \"stop\"]]\nfor = \"2h\"").expect("it is right");
        let both = plan.and(said);
        assert_eq!(both.at, ["10s", "kill", "20s", "stop"]);
        assert_eq!(both.length.as_deref(), Some("2h"));
        assert_eq!(both.every.as_deref(), Some("2s"));
    }
}

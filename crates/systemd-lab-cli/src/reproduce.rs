//! The `run` command that repeats one run of a command which makes many.

use crate::program::program;

/// The `run` command for the plan of this command line, which is one of `command`. `own` are the options that `run` does not have, and
/// whether a value follows each.
pub(crate) fn run_command(command: &str, own: &[(&str, bool)]) -> String {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    run_command_of(words, command, own)
}

fn run_command_of(
    words: impl IntoIterator<Item = String>,
    command: &str,
    own: &[(&str, bool)],
) -> String {
    let words = words.into_iter().skip_while(|word| word != command);
    let mut words = words.skip(1);
    let mut kept = vec![program().to_owned(), "run".to_owned()];
    while let Some(word) = words.next() {
        let own = own.iter().find(|(name, _)| {
            word == *name
                || word
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('='))
        });
        match own {
            Some((name, true)) if word == *name => {
                words.next();
            }
            Some(_) => {}
            None => kept.push(quoted(&word)),
        }
    }
    kept.join(" ")
}

/// Quoted, so that a shell treats it as one word.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_run_has_the_options_of_the_plan() {
        let own = [("--fault", true), ("--moments", true), ("--json", false)];
        let words = "target/systemd-lab sweep --unit a.service --fault kill,stop --moments=9 --json --require|recovery <= 10s|--get u";
        let words = words
            .split('|')
            .enumerate()
            .flat_map(|(number, part)| match number {
                1 => vec![part.to_owned()],
                _ => part.split(' ').map(str::to_owned).collect(),
            });
        assert_eq!(
            run_command_of(words, "sweep", &own),
            "systemd-lab run --unit a.service --require 'recovery <= 10s' --get u"
        );
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}

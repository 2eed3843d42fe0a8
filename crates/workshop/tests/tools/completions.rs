//! Completions, in real shells.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::{command, workshop};

/// The completions of a shell, in a file. The file exists as long as the directory.
fn completions(shell: &str) -> (TempDir, PathBuf) {
    let root = workshop();
    let output = command(root.path(), &["completions", shell])
        .output()
        .expect("it runs");
    assert!(output.status.success());
    let file = root.path().join("completions");
    fs::write(&file, output.stdout).expect("a file");
    (root, file)
}

/// What bash offers for the last of these words; one of our functions plays cargo's own completion.
fn bash(words: &[&str]) -> Vec<String> {
    const SCRIPT: &str = r#"
        _own_cargo() { COMPREPLY=("own:$2"); }
        complete -F _own_cargo cargo
        source "$0"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        complete -p cargo | grep -q -- '-F _cargo_workshop ' || exit 1
        _cargo_workshop cargo "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let (_directory, file) = completions("bash");
    let output = Command::new("bash")
        .args(["--norc", "-c", SCRIPT])
        .arg(file)
        .args(words)
        .output()
        .expect("every Debian has bash");
    assert!(output.status.success(), "{output:?}");
    lines(&output.stdout)
}

fn lines(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_what_follows_cargo_workshop() {
    assert_eq!(bash(&["cargo", "workshop", "che"]), ["check"]);
    assert_eq!(bash(&["cargo", "workshop", "check", "0"]), ["01"]);
    assert_eq!(bash(&["cargo", "workshop", "check", "1"]), ["12"]);
    assert_eq!(bash(&["cargo", "workshop", "image", "e"]), ["export"]);
    assert_eq!(bash(&["cargo", "workshop", "doctor", "--f"]), ["--fix"]);
}

#[test]
fn bash_leaves_all_else_to_cargo() {
    assert_eq!(bash(&["cargo", "build", "--rel"]), ["own:--rel"]);
    assert_eq!(bash(&["cargo", "che"]), ["own:che"]);
    assert_eq!(bash(&["cargo", "wor"]), ["own:wor", "workshop"]);
}

/// Loaded twice, it does not call itself forever.
#[test]
fn bash_may_load_it_again() {
    let (_directory, file) = completions("bash");
    let output = Command::new("bash")
        .args(["--norc", "-c", r#"source "$0"; source "$0"; COMP_WORDS=(cargo bui) COMP_CWORD=1; _cargo_workshop cargo bui cargo; echo done"#])
        .arg(file)
        .output()
        .expect("every Debian has bash");
    assert_eq!(lines(&output.stdout), ["done"], "{output:?}");
}

#[test]
fn the_first_line_says_how_to_load_it() {
    for (shell, load) in [
        ("bash", "source <(cargo workshop completions bash)"),
        ("zsh", "source <(cargo workshop completions zsh)"),
        ("fish", "cargo workshop completions fish | source"),
    ] {
        let (_directory, file) = completions(shell);
        let text = fs::read_to_string(file).expect("it was written");
        let first = text.lines().next().expect("a line");
        assert!(first.starts_with("# ") && first.ends_with(load), "{first}");
    }
}

/// Attendees do not need fish; `.ci/run` installs it.
#[cfg(feature = "shell-tests")]
#[test]
fn fish_completes_what_follows_cargo_workshop() {
    let fish = find("fish");
    let (_directory, file) = completions("fish");
    let offers = |line: &str| {
        let script = format!("source {}; complete -C '{line}'", file.display());
        let output = Command::new(&fish)
            .args(["--no-config", "-c", &script])
            .output()
            .expect("it runs");
        let first_word = |line: String| line.split('\t').next().unwrap_or_default().to_owned();
        let lines = lines(&output.stdout).into_iter().map(first_word);
        lines.collect::<Vec<_>>()
    };
    assert_eq!(offers("cargo workshop che"), ["check"]);
    assert_eq!(offers("cargo workshop check "), ["01", "12"]);
}

/// Its completion works only on a terminal: zsh's own zpty plays one. Attendees do not need zsh; `.ci/run` installs it.
#[cfg(feature = "shell-tests")]
#[test]
fn zsh_completes_what_follows_cargo_workshop() {
    const SCRIPT: &str = r#"
        zmodload zsh/zpty
        zpty z zsh -f -i
        zpty -w z "PS1=; autoload -U compinit; compinit -u -D; source $1; bindkey -e"
        zpty -w z "show() { print -r -- \"<\$BUFFER>\"; BUFFER=; zle accept-line }; zle -N show; bindkey '^X' show; print REA''DY"
        zpty -r -m z seen '*READY*'
        zpty -w -n z $'cargo workshop che\t\x18'
        zpty -r -m z seen '*<*>*'
        print -r -- $seen
        zpty -d z
    "#;
    let zsh = find("zsh");
    let (_directory, file) = completions("zsh");
    let output = Command::new(zsh)
        .args(["-f", "-c", SCRIPT, "zsh"])
        .arg(file)
        .output()
        .expect("it runs");
    let seen = String::from_utf8_lossy(&output.stdout);
    assert!(seen.contains("<cargo workshop check >"), "{seen}");
}

/// The path of a shell. If the shell is missing, the test fails: it would have tested nothing.
#[cfg(feature = "shell-tests")]
fn find(shell: &str) -> PathBuf {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|directory| directory.join(shell))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("there is no {shell}; type: sudo apt-get install {shell}"))
}

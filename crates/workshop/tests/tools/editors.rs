//! Editors can read their settings, and each setting says what it is for.

use std::fs;

use serde_json::Value;

use super::repository;

fn json(path: &str) -> Value {
    let text = fs::read_to_string(repository().join(path)).expect("it is part of the clone");
    serde_json::from_str(&text).expect("it is JSON")
}

#[test]
fn each_editor_has_a_target_directory_of_its_own() {
    let code = json(".vscode/settings.json");
    assert_eq!(code["rust-analyzer.cargo.targetDir"], true);
    let zed = json(".zed/settings.json");
    let options = &zed["lsp"]["rust-analyzer"]["initialization_options"];
    assert_eq!(options["cargo"]["targetDir"], true);
    let helix = fs::read_to_string(repository().join(".helix/languages.toml"));
    let helix: toml::Value =
        toml::from_str(&helix.expect("it is part of the clone")).expect("it is TOML");
    let options = &helix["language-server"]["rust-analyzer"]["config"];
    assert_eq!(options["cargo"]["targetDir"].as_bool(), Some(true));
}

/// Visual Studio Code itself does not know unit files: an extension provides the language, and the
/// settings recommend it.
#[test]
fn unit_files_have_a_language_and_the_extension_that_knows_it() {
    let associations = &json(".vscode/settings.json")["files.associations"];
    assert_eq!(associations["**/units/*.service"], "systemd-conf");
    let recommended = json(".vscode/extensions.json");
    let recommended = recommended["recommendations"].as_array().expect("a list");
    assert!(recommended.contains(&"hangxingliu.vscode-systemd-support".into()));
}

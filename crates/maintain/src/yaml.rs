//! Reads the YAML of other programs: workflow files, and what cloud-init reads.

use anyhow::{Context, bail};
pub(crate) use yaml_rust2::Yaml;
use yaml_rust2::YamlLoader;

/// The file's one document.
pub(crate) fn load(text: &str) -> anyhow::Result<Yaml> {
    let mut documents = YamlLoader::load_from_str(text).context("it is not YAML")?;
    match documents.pop() {
        Some(document) if documents.is_empty() => Ok(document),
        _ => bail!("it is not one document of YAML"),
    }
}

/// A value that must be a string.
pub(crate) fn string(yaml: &Yaml, what: &str) -> anyhow::Result<String> {
    let text = yaml
        .as_str()
        .with_context(|| format!("{what} is not a string"))?;
    Ok(text.to_owned())
}

/// A value that must be a list of strings.
pub(crate) fn strings(yaml: &Yaml, what: &str) -> anyhow::Result<Vec<String>> {
    let list = yaml
        .as_vec()
        .with_context(|| format!("{what} is not a list"))?;
    list.iter().map(|item| string(item, what)).collect()
}

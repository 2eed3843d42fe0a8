//! The configuration, a small text file. You do not need to change this file.
//!
//! ```text
//! # what GET / answers
//! greeting = Hello World!
//! ```
//!
//! Without a file, or without this line, the value above applies. A file that cannot be parsed is an error, which names
//! the line.

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, bail};

/// Where the file is.
pub(crate) const PATH: &str = "/etc/hello-world.conf";

/// What can be configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// What `GET /` answers.
    pub(crate) greeting: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            greeting: "Hello World!".to_owned(),
        }
    }
}

impl Config {
    /// Reads the file.
    pub(crate) fn load() -> anyhow::Result<Config> {
        match fs::read_to_string(PATH) {
            Ok(text) => Config::parse(&text).with_context(|| format!("cannot use {PATH}")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Config::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {PATH}")),
        }
    }

    fn parse(text: &str) -> anyhow::Result<Config> {
        let mut config = Config::default();
        for (index, line) in text.lines().enumerate() {
            config
                .set(line.trim())
                .with_context(|| format!("line {}", index + 1))?;
        }
        Ok(config)
    }

    fn set(&mut self, line: &str) -> anyhow::Result<()> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (key, value) = line.split_once('=').context("no `=` in it")?;
        let value = value.trim();
        match key.trim() {
            "greeting" => self.greeting = value.to_owned(),
            other => bail!("no such setting: {other}"),
        }
        Ok(())
    }
}

//! What is measured for the guide: files in `book/measured`, and sentences of its pages.

use measured::Measured;

use super::bench::Bench;

type Measure = dyn Fn(&Bench<'_>) -> anyhow::Result<Vec<Measured>> + Send + Sync;

/// What is measured together: one file or several, or what a page says in words.
pub(crate) struct Item {
    names: Vec<String>,
    needs_network: bool,
    measure: Box<Measure>,
}

/// Whether a name is a sentence of a page instead of a file.
pub(super) fn is_sentence(name: &str) -> bool {
    name.contains(' ')
}

impl Item {
    /// Files, by their paths below `book/measured`. `measure` returns each of them, or an error that names what the lab did and what
    /// to correct.
    pub(crate) fn files<N: Into<String>>(
        names: impl IntoIterator<Item = N>,
        measure: impl Fn(&Bench<'_>) -> anyhow::Result<Vec<Measured>> + Send + Sync + 'static,
    ) -> Item {
        Item {
            names: names.into_iter().map(Into::into).collect(),
            needs_network: false,
            measure: Box::new(measure),
        }
    }

    /// What a page says in words alone, e.g. `limits.md: a good day does not reset the steps`. `check` returns an error if systemd did
    /// something else.
    pub(crate) fn sentence(
        says: &str,
        check: impl Fn(&Bench<'_>) -> anyhow::Result<()> + Send + Sync + 'static,
    ) -> Item {
        Item::files([says], move |bench| check(bench).map(|()| Vec::new()))
    }

    /// Adds a sentence that the same measurement proves.
    #[must_use]
    pub(crate) fn and_says(mut self, says: &str) -> Item {
        self.names.push(says.to_owned());
        self
    }

    /// Says that it needs a network: for a guest of another suite, or with more of Debian's packages.
    #[must_use]
    pub(crate) fn with_network(mut self) -> Item {
        self.needs_network = true;
        self
    }

    pub(super) fn needs_network(&self) -> bool {
        self.needs_network
    }

    /// One name for each line of the output.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Removes all names that do not contain all these words.
    pub(super) fn keep_only(&mut self, words: &[String]) {
        self.names
            .retain(|name| words.iter().all(|word| name.contains(word.as_str())));
    }

    pub(super) fn measure(&self, bench: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
        (self.measure)(bench)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_choose_among_the_names_of_an_item() {
        let words = |words: &[&str]| {
            let item = Item::files(["04-ready.json", "04-long.json"], |_| Ok(Vec::new()));
            let mut item = item.and_says("readiness.md: a client is ready");
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            item.keep_only(&words);
            item.names().join(", ")
        };
        assert_eq!(words(&["04", "long"]), "04-long.json");
        assert_eq!(
            words(&["read"]),
            "04-ready.json, readiness.md: a client is ready"
        );
        assert_eq!(words(&["05"]), "");
        assert_eq!(words(&[]).matches(", ").count(), 2);
    }
}

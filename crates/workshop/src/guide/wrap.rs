//! Breaks text with styles into lines that fit.

use textwrap::Options as Wrap;

/// Breaks a text with styles into lines of this width.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    indented(text, width, "", "")
}

/// The same with something before the first line, and before all others.
pub(super) fn indented(text: &str, width: usize, first: &str, rest: &str) -> Vec<String> {
    let options = Wrap::new(width.max(1))
        .initial_indent(first)
        .subsequent_indent(rest)
        // Names of settings and paths stay whole.
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(text, options).into_iter();
    lines.map(|line| line.trim_end().to_owned()).collect()
}

//! Text from a guest, on its way to a terminal. A service may write anything: escape sequences that clear the screen or set
//! the clipboard, and characters that reorder a line. All code that prints such text calls [`visible`].

/// The text, with all characters spelt out that could control a terminal or reorder what it shows: control characters (also
/// those of ISO 6429, which terminals take for escape sequences), line separators, and bidirectional marks, embeddings,
/// overrides and isolates. An escape character becomes `\u{1b}`. Visible text stays as it is, so calling this twice does no
/// harm.
///
/// ```
/// assert_eq!(systemd_timeline::visible("\u{1b}[2Jgone"), "\\u{1b}[2Jgone");
/// assert_eq!(systemd_timeline::visible("a\u{202e}b"), "a\\u{202e}b");
/// assert_eq!(systemd_timeline::visible("naïve → 👍"), "naïve → 👍");
/// ```
pub fn visible(text: &str) -> String {
    escaped(text, |_| false)
}

/// The same for a text of several lines: line feeds and tabs stay.
pub fn visible_lines(text: &str) -> String {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

/// The same for a JSON document, using JSON's own escapes, so that its values stay the same.
pub fn visible_json(document: &str) -> String {
    let mut text = String::with_capacity(document.len());
    for c in document.chars() {
        // Outside strings, JSON contains none of these characters, except for the line feeds between its tokens.
        match is_invisible(c) && c != '\n' {
            // All of them have at most four hexadecimal digits.
            true => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => text.push(c),
        }
    }
    text
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match is_invisible(c) && !stays(c) {
            true => escaped.extend(c.escape_default()),
            false => escaped.push(c),
        }
    }
    escaped
}

/// Whether a terminal may act on the character instead of showing it: Unicode's Bidi_Control, its line and paragraph
/// separators, and all control characters.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_spelt_out() {
        for (text, expected) in [
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\u{7f}", "\\u{7f}"),
            (
                "\u{202a}\u{202e}\u{2066}\u{2069}",
                "\\u{202a}\\u{202e}\\u{2066}\\u{2069}",
            ),
            (
                "\u{200e}\u{200f}\u{61c}\u{2028}",
                "\\u{200e}\\u{200f}\\u{61c}\\u{2028}",
            ),
            ("שלום, 50 % – \\u{1b}", "שלום, 50 % – \\u{1b}"),
        ] {
            assert_eq!(visible(text), expected);
            assert_eq!(visible(expected), expected, "twice");
        }
        assert_eq!(visible_lines("a\u{1b}\n\tb\r\n"), "a\\u{1b}\n\tb\\r\n");
    }

    #[test]
    fn json_stands_for_the_same_values() {
        let value = serde_json::json!({ "said": "a\u{1b}\u{9b}\u{202e}b\nc" });
        for document in [
            value.to_string(),
            serde_json::to_string_pretty(&value).expect("it is JSON"),
        ] {
            let shown = visible_json(&document);
            assert!(
                shown.chars().all(|c| c == '\n' || !is_invisible(c)),
                "{shown}"
            );
            let read: serde_json::Value = serde_json::from_str(&shown).expect("it is JSON");
            assert_eq!(read, value);
        }
    }
}

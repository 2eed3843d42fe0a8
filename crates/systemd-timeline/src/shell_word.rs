//! Text in a command that a person is to type or paste.

/// The text, quoted if a shell would not take it for one word as it is.
///
/// ```
/// assert_eq!(systemd_timeline::shell_word("kill=SIGKILL"), "kill=SIGKILL");
/// assert_eq!(systemd_timeline::shell_word("my units"), "'my units'");
/// assert_eq!(systemd_timeline::shell_word("it's"), r"'it'\''s'");
/// assert_eq!(systemd_timeline::shell_word(""), "''");
/// ```
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "=-_.@:/+,%".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

//! The string literals in source code, each with its context.

use crate::produced::unescaped;

/// One string literal.
#[derive(Debug)]
pub(crate) struct Literal {
    pub(crate) line: usize,
    /// The text, with escapes replaced by what they stand for.
    pub(crate) text: String,
    /// For each bracket that is open here, outermost first, the code of its statement up to the
    /// bracket.
    within: Vec<String>,
}

impl Literal {
    /// Whether it is an argument of one of these functions, methods or variants.
    pub(crate) fn is_given_to(&self, names: &[&str]) -> bool {
        let innermost = self.within.last().map_or("", String::as_str);
        names.contains(&last_name(innermost))
    }

    /// Whether it is anywhere in the arguments of one of these functions, methods or variants.
    pub(crate) fn is_within(&self, names: &[&str]) -> bool {
        let mut around = self.within.iter();
        around.any(|code| names.contains(&last_name(code)))
    }

    /// Whether its function returns this type.
    pub(crate) fn is_of_function_returning(&self, kind: &str) -> bool {
        let is_function = |code: &&String| code.split_whitespace().any(|word| word == "fn");
        let function = self.within.iter().rev().find(is_function);
        let returned = function.and_then(|code| code.rsplit_once("->"));
        returned.is_some_and(|(_, returned)| returned.trim() == kind)
    }
}

/// The name at the end of the code, e.g. `Some` or `format!`.
fn last_name(code: &str) -> &str {
    let is_of_name = |c: char| c.is_alphanumeric() || "_!".contains(c);
    &code[code.trim_end_matches(is_of_name).len()..]
}

/// All string literals, in order.
pub(crate) fn literals(code: &str) -> Vec<Literal> {
    let mut found = Vec::new();
    let mut within: Vec<String> = Vec::new();
    let mut statement = String::new();
    let mut at = 0;
    while let Some(letter) = code[at..].chars().next() {
        let rest = &code[at..];
        at += match letter {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => {
                let length = literal_length(rest);
                let inside = &rest[1..length - 1];
                found.push(Literal {
                    line: 1 + code[..at].matches('\n').count(),
                    text: unescaped(inside),
                    within: within.clone(),
                });
                length
            }
            '\'' => character_length(rest),
            '(' | '[' | '{' => {
                within.push(std::mem::take(&mut statement));
                1
            }
            ')' | ']' => {
                statement = within.pop().unwrap_or_default();
                1
            }
            '}' => {
                within.pop();
                statement.clear();
                1
            }
            ';' => {
                statement.clear();
                1
            }
            other => {
                statement.push(other);
                other.len_utf8()
            }
        };
    }
    found
}

/// The length of the literal that begins here, with its quotation marks. Rules contain no raw
/// literals.
fn literal_length(code: &str) -> usize {
    let mut is_escaped = false;
    let end = code[1..].find(|c: char| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    });
    end.map_or(code.len(), |end| end + 2)
}

/// The length of the character that begins here: `'x'`, `'\n'`. For a lifetime, only its apostrophe.
fn character_length(code: &str) -> usize {
    let mut letters = code.char_indices().skip(1);
    let end = match letters.next() {
        Some((_, '\\')) => {
            // The escaped character may be an apostrophe.
            letters.next();
            letters.find(|(_, letter)| *letter == '\'')
        }
        _ => letters.next().filter(|(_, letter)| *letter == '\''),
    };
    end.map_or(1, |(end, _)| end + 1)
}

#[test]
fn literals_are_found_with_what_is_around_them() {
    let code = r##"
/// "Not this".
fn told<'a>(case: &Case<'a>, wanted: &str) -> Option<String> {
    if case.message.contains("systemd's own") || letter == '"' || letter == '\'' || letter == '\u{22}' {
        return None;
    }
    Some(format!(
        "it said \"no\" {}, \
         and so on",
        match wanted { "x" => "a", _ => "b" }
    ))
}
fn line(case: &Case) -> String {
    "a line\n".to_owned()
}
"##;
    let found = literals(code);
    let texts: Vec<&str> = found.iter().map(|one| one.text.as_str()).collect();
    let said = "it said \"no\" {}, and so on";
    assert_eq!(texts, ["systemd's own", said, "x", "a", "b", "a line\n"]);
    let lines: Vec<usize> = found.iter().map(|one| one.line).collect();
    assert_eq!(lines, [4, 8, 10, 10, 10, 14]);
    let has = |test: &dyn Fn(&Literal) -> bool| -> Vec<bool> { found.iter().map(test).collect() };
    assert_eq!(
        has(&|one| one.is_given_to(&["contains"])),
        [true, false, false, false, false, false]
    );
    assert_eq!(
        has(&|one| one.is_within(&["Some"])),
        [false, true, true, true, true, false]
    );
    assert_eq!(
        has(&|one| one.is_of_function_returning("Option<String>")),
        [true, true, true, true, true, false]
    );
}

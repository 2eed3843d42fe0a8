//! No compiler checks code that is written into a page, and no run produced output that is written into it.

use crate::page::Page;

/// Languages whose blocks must come from somewhere else, and from where.
const FROM_ELSEWHERE: [(&[&str], &str); 3] = [
    (
        &["rust", "rs", "toml", "ini", "systemd", "unit"],
        "code comes from a file: put only `{{#include path:anchor}}` between the fences",
    ),
    (
        &["text", "txt", "console", "log"],
        "output comes from the lab: put `{{#output NAME}}` in place of the whole block",
    ),
    (
        &["diff", "patch"],
        "wrong lines come from a known mistake: put `{{#mistake NN NAME}}` in place of the whole block",
    ),
];

pub(crate) fn check(page: &Page, complain: &mut impl FnMut(usize, String)) {
    for fence in &page.fences {
        let language = fence.language.split([',', ' ']).next().unwrap_or_default();
        let rule = FROM_ELSEWHERE
            .iter()
            .find(|(languages, _)| languages.contains(&language));
        let mut lines = fence.text.lines().filter(|line| !line.trim().is_empty());
        if let Some((_, remedy)) = rule
            && !lines.all(|line| line.trim_start().starts_with("{{#include "))
        {
            complain(fence.line, (*remedy).to_owned());
        }
    }
}

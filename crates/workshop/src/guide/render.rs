//! Lays Markdown out for a terminal.

use std::mem;

use anstyle::{AnsiColor, Style};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::wrap::indented;
use super::{command_line, table};
use systemd_lab_cli::style;

const STRONG: Style = Style::new().bold();
const EMPHASIS: Style = Style::new().italic();
const CODE: Style = AnsiColor::Cyan.on_default();
const LINK: Style = Style::new().underline();

/// The indentation of code and output, relative to the text around it.
const CODE_INDENT: &str = "    ";

/// The layout of a page.
pub(super) struct Layout {
    /// The width of text.
    pub(super) text: usize,
    /// The width of tables and code.
    pub(super) table: usize,
    /// Whether `<details>` are shown.
    pub(super) unfolds: bool,
    /// The command that unfolds them.
    pub(super) command: String,
}

/// A page's text, with styles.
pub(super) fn render(markdown: &str, layout: &Layout) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_GFM;
    let mut renderer = Renderer::new(layout);
    for event in Parser::new_ext(markdown, options) {
        renderer.add(event);
    }
    let mut text = renderer.lines.join("\n");
    text.push('\n');
    text
}

/// What surrounds a block.
enum Around {
    /// A list, with the number of its next item if it has numbers.
    List(Option<u64>),
    /// An item of a list. Its mark is written with its first line.
    Item {
        mark: String,
        is_written: bool,
    },
    Quote,
}

struct Renderer<'a> {
    layout: &'a Layout,
    lines: Vec<String>,
    /// The text of the block so far, with styles.
    text: String,
    styles: Vec<Style>,
    around: Vec<Around>,
    code: Option<String>,
    table: Option<Vec<Vec<String>>>,
    /// The targets of the open links, if they are to be shown.
    links: Vec<Option<String>>,
    /// Whether the following text is folded away.
    is_folded: bool,
    /// Whether the text has already named the command that unfolds.
    has_told_command: bool,
}

impl<'a> Renderer<'a> {
    fn new(layout: &'a Layout) -> Renderer<'a> {
        Renderer {
            layout,
            lines: Vec::new(),
            text: String::new(),
            styles: Vec::new(),
            around: Vec::new(),
            code: None,
            table: None,
            links: Vec::new(),
            is_folded: false,
            has_told_command: false,
        }
    }

    fn add(&mut self, event: Event<'_>) {
        if let Event::Html(html) | Event::InlineHtml(html) = &event {
            self.add_html(html);
            return;
        }
        if self.is_folded {
            return;
        }
        match event {
            Event::Start(tag) => self.begin(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some(code) => code.push_str(&text),
                None => self.text.push_str(&text),
            },
            Event::Code(code) => {
                let code = format!("{CODE}{code}{CODE:#}{}", self.style());
                self.text.push_str(&code);
            }
            Event::SoftBreak => self.text.push(' '),
            Event::HardBreak => self.text.push('\n'),
            Event::Rule => {
                let rule = style::faint("─".repeat(self.layout.text));
                self.blank_line();
                self.lines.push(rule);
            }
            _ => {}
        }
    }

    fn begin(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { .. } => self.push_style(STRONG),
            Tag::Strong => self.push_style(STRONG),
            Tag::Emphasis => self.push_style(EMPHASIS),
            Tag::Link { dest_url, .. } => {
                self.links.push(target(&dest_url));
                self.push_style(LINK);
            }
            Tag::CodeBlock(_) => {
                self.flush();
                self.code = Some(String::new());
            }
            Tag::List(number) => {
                self.flush();
                self.around.push(Around::List(number));
            }
            Tag::Item => {
                let mark = match self.around.last_mut() {
                    Some(Around::List(Some(number))) => {
                        *number += 1;
                        format!("{:>2}. ", *number - 1)
                    }
                    _ => "  • ".to_owned(),
                };
                self.around.push(Around::Item {
                    mark,
                    is_written: false,
                });
            }
            Tag::BlockQuote(_) => self.around.push(Around::Quote),
            Tag::Table(_) => {
                self.flush();
                self.table = Some(Vec::new());
            }
            Tag::TableHead | Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.push(Vec::new());
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                self.pop_style();
                self.flush();
            }
            TagEnd::Strong | TagEnd::Emphasis => self.pop_style(),
            TagEnd::Link => {
                self.pop_style();
                if let Some(Some(target)) = self.links.pop() {
                    let target = style::faint(format!(" ({target})"));
                    let style = self.style();
                    self.text.push_str(&format!("{target}{style}"));
                }
            }
            TagEnd::CodeBlock => {
                if let Some(code) = self.code.take() {
                    self.push_code(&code);
                }
            }
            TagEnd::Paragraph => self.flush(),
            TagEnd::Item => {
                self.flush();
                self.around.pop();
            }
            TagEnd::List(_) | TagEnd::BlockQuote(_) => {
                self.flush();
                self.around.pop();
            }
            TagEnd::TableCell => {
                let cell = mem::take(&mut self.text);
                if let Some(row) = self.table.as_mut().and_then(|table| table.last_mut()) {
                    row.push(cell);
                }
            }
            TagEnd::Table => {
                if let Some(rows) = self.table.take() {
                    self.blank_line();
                    let indent = self.indent().1;
                    let width = self.layout.table.saturating_sub(indent.chars().count());
                    let lines = table::lines(&rows, width).into_iter();
                    self.lines
                        .extend(lines.map(|line| format!("{indent}{line}")));
                }
            }
            _ => {}
        }
    }

    /// `<details>` hides its content; other HTML is for browsers.
    fn add_html(&mut self, html: &str) {
        if html.contains("</details>") {
            self.is_folded = false;
        }
        let summary = html
            .split_once("<summary>")
            .and_then(|(_, rest)| rest.split_once("</summary>"));
        if let Some((summary, _)) = summary {
            self.blank_line();
            let mut line = match self.layout.unfolds {
                true => format!("▾ {}", style::strong(summary)),
                false => format!("▸ {}", style::strong(summary)),
            };
            if !self.layout.unfolds && !mem::replace(&mut self.has_told_command, true) {
                line += &style::faint(format!(" (folded: {})", self.layout.command));
            }
            self.lines.push(line);
            self.is_folded = !self.layout.unfolds;
        }
    }

    /// Writes the text so far as a block.
    fn flush(&mut self) {
        let text = mem::take(&mut self.text);
        if text.trim().is_empty() {
            return;
        }
        if !self.continues_list() {
            self.blank_line();
        }
        let (first, rest) = self.indent();
        for (index, part) in text.split('\n').enumerate() {
            let first = if index == 0 { &first } else { &rest };
            self.lines
                .extend(indented(part.trim(), self.layout.text, first, &rest));
        }
        for around in &mut self.around {
            if let Around::Item { is_written, .. } = around {
                *is_written = true;
            }
        }
    }

    fn push_code(&mut self, code: &str) {
        self.blank_line();
        let indent = self.indent().1 + CODE_INDENT;
        let width = self.layout.table.saturating_sub(indent.chars().count());
        let mut goes_on = false;
        for line in code.trim_end().lines() {
            let is_command = goes_on || command_line::begins(line);
            goes_on = is_command && command_line::goes_on(line);
            let pieces = match is_command {
                true => command_line::broken(line, width),
                false => style::broken(line, width),
            };
            for piece in pieces {
                self.lines
                    .push(format!("{indent}{piece}").trim_end().to_owned());
            }
        }
    }

    /// Whether the next block is an item that directly follows another one.
    fn continues_list(&self) -> bool {
        matches!(
            self.around.last(),
            Some(Around::Item {
                is_written: false,
                ..
            })
        ) && self.lines.last().is_some_and(|line| {
            let is_item = |line: &str| {
                let start = line.trim_start();
                start.starts_with('•') || start.chars().next().is_some_and(|c| c.is_ascii_digit())
            };
            let mut lines = self.lines.iter().rev().take_while(|line| !line.is_empty());
            !line.is_empty() && lines.any(|line| is_item(line))
        })
    }

    fn blank_line(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(String::new());
        }
    }

    /// What comes before the first line of a block, and before the others.
    fn indent(&self) -> (String, String) {
        let (mut first, mut rest) = (String::new(), String::new());
        for around in &self.around {
            match around {
                Around::List(_) => {}
                Around::Item { mark, is_written } => {
                    let space = " ".repeat(mark.chars().count());
                    first += if *is_written { &space } else { mark };
                    rest += &space;
                }
                Around::Quote => {
                    first += "│ ";
                    rest += "│ ";
                }
            }
        }
        (first, rest)
    }

    fn push_style(&mut self, style: Style) {
        self.styles.push(style);
        self.text.push_str(&style.to_string());
    }

    fn pop_style(&mut self) {
        if let Some(style) = self.styles.pop() {
            let again = self.style();
            self.text.push_str(&format!("{style:#}{again}"));
        }
    }

    /// The styles that are open, to start them again after one has ended.
    fn style(&self) -> String {
        self.styles.iter().map(ToString::to_string).collect()
    }
}

/// The target of a link, if it leaves the page: to another page of the guide, or to the network.
fn target(url: &str) -> Option<String> {
    if url.starts_with('#') {
        return None;
    }
    if url.contains("://") {
        return Some(url.to_owned());
    }
    let page = url.split('#').next()?.strip_suffix(".md")?;
    Some(format!("guide {page}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(markdown: &str, width: usize, unfolds: bool) -> String {
        let layout = Layout {
            text: width,
            table: width,
            unfolds,
            command: "guide x --all".to_owned(),
        };
        let text = render(markdown, &layout);
        anstream::adapter::strip_str(&text).to_string()
    }

    const PAGE: &str = "\
# A `page`

A paragraph that
goes on, with **strong** words and [a page](limits.md#x) of [the web](https://example.org/).

1. One, which is so long that it goes on in the next line
2. Two
   - inner
   - inner again

After it.

| a | b |
|---|---|
| `x` | y z |

```ini
[Service]
ExecStart=/usr/bin/a-program --with a-long-argument --and another
```

<details>
<summary>The solution</summary>

```rust
fn main() {}
```

</details>

> quoted
";

    #[test]
    fn a_page_fits_its_terminal() {
        insta::assert_snapshot!("narrow", shown(PAGE, 44, false));
        insta::assert_snapshot!("unfolded", shown(PAGE, 80, true));
    }
}

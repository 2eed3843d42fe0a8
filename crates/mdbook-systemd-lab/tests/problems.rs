//! Each thing that would be wrong in the book is reported, with its file, its line and what to do.

use std::fs;
use std::path::Path;

use mdbook_systemd_lab::protocol::Book;
use mdbook_systemd_lab::{Site, preprocess};
use tempfile::TempDir;

const EVENTS: &str = r#"{"at_us":0,"source":"agent","event":"scenario-began","name":"t"}
{"at_us":0,"unit":"a.service","source":"agent","event":"state-changed","from":"dead","to":"start"}
{"at_us":0,"unit":"b.service","source":"agent","event":"state-changed","from":"dead","to":"running"}
{"at_us":5000000,"unit":"a.service","source":"agent","event":"failed","result":"<exit>"}
{"at_us":5000000,"source":"agent","event":"scenario-ended"}
"#;

const CODE: &str = "\
// ANCHOR: all
fn main() {
    // ANCHOR: nothing
    // ANCHOR_END: nothing
}
// ANCHOR_END: all
// ANCHOR: open
";

/// Two hunks: a setting in the wrong section, and lines that are far apart.
const PATCH: &str = "\
Why people do it.

Requirement: 1
Diagnosis: it is wrong

--- a/units/solution-01.service
+++ b/units/solution-01.service
@@ -1,9 +1,9 @@
 [Unit]
 Description=One
 Documentation=man:one(1)
+Restart=always
 
 [Service]
 ExecStart=/usr/local/bin/solution-01
-Restart=always
 TimeoutStopSec=10s
 
 [Install]
--- a/solutions/01-plain/src/main.rs
+++ b/solutions/01-plain/src/main.rs
@@ -1,3 +1,2 @@
 fn main() {
-    one();
     two();
@@ -20,3 +19,3 @@
     three();
-    four();
+    five();
 }
";

/// A repository with a crate, a folder that is not one, and measurements.
fn repository() -> TempDir {
    let repository = tempfile::tempdir().expect("a temporary folder");
    let write = |path: &str, content: &str| {
        let file = repository.path().join(path);
        fs::create_dir_all(file.parent().expect("it has one")).expect("a folder");
        fs::write(file, content).expect("a file");
    };
    write("book/measured/good.json", EVENTS);
    write("book/measured/damaged.json", "{\"at_us\":0}\n");
    write(
        "book/measured/good.md",
        "<!-- measured with Linux 7.2, systemd 262-1, QEMU 10.0 -->\n| a |\n|---|\n",
    );
    write("book/measured/bare.md", "| a |\n|---|\n");
    write("book/measured/good.txt", "```\nNOT YET <1>\n");
    write("book/measured/mistakes/01-below.json", EVENTS);
    write("book/measured/mistakes/01-below.txt", "NOT YET\n");
    write("mistakes/README.md", "");
    write("mistakes/01-plain/wrong.patch", PATCH);
    write(
        "mistakes/01-plain/damaged.patch",
        "Why.\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-x\n",
    );
    write("mistakes/01-plain/none.patch", "Why.\n");
    write("book/src/picture.png", "");
    write("crates/one/Cargo.toml", "");
    write("crates/one/src/main.rs", CODE);
    write("crates/notes/main.rs", CODE);
    write("units/a.service", "[Unit]\n");
    write("units/empty.service", "\n");
    write("secret.rs", CODE);
    repository
}

fn site(repository: &Path) -> Site {
    Site {
        book: repository.join("book"),
        pages: "src".into(),
    }
}

/// The result for these pages: their contents, or the problems.
fn preprocessed(pages: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let repository = repository();
    let owned: Vec<(String, String)> = pages
        .iter()
        .map(|(path, content)| (path.to_string(), content.to_string()))
        .collect();
    let mut book = Book::of(&owned);
    match preprocess(&site(repository.path()), &mut book) {
        Ok(()) => {
            let contents = book.chapters().into_iter();
            Ok(contents.map(|it| it.content.to_owned()).collect())
        }
        Err(problems) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            let place = repository.path().to_string_lossy().into_owned();
            Err(lines.join("\n").replace(&place, "/repository"))
        }
    }
}

fn problems(page: &str) -> String {
    preprocessed(&[("a.md", page), ("deeper/b.md", "# B\n")]).expect_err("it is full of mistakes")
}

fn assert_text(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn directives() {
    let page = "\
{{#timeline}}
{{#timeline missing}}
{{#timeline ../../secret}}
{{#timeline mistakes}}
{{#timeline mistakes/}}
{{#output mistakes/02-missing}}
{{#timeline damaged}}
{{#timeline good colour=\"red\"}}
{{#timeline good title=unquoted}}
{{#timeline good units=\"\"}}
{{#timeline good units=\"a.service c.service\"}}
See {{#timeline good}}
- list
  {{#output good}}
{{#output missing}}
{{#measured-with missing}}
{{#measured-with bare}}
{{#outptu good}}
{{#include ../../crates/one/src/main.rs:all

    {{#timeline good}}
";
    assert_text("directives", &problems(page));
}

#[test]
fn mistakes() {
    let page = "\
{{#mistake}}
{{#mistake 01}}
{{#mistake 01 wrong units}}
{{#mistake 07 wrong}}
{{#mistake 01-plain wrong}}
{{#mistake 01 missing}}
{{#mistake 01 ../01-plain/wrong}}
{{#mistake 01 damaged}}
{{#mistake 01 none}}
See {{#mistake 01 wrong}}
";
    assert_text("mistakes", &problems(page));
}

#[test]
fn a_mistake_is_its_wrong_lines() {
    let page = "Before.\n{{#mistake 01 wrong}}\nAfter.\n";
    let contents = preprocessed(&[("a.md", page)]);
    assert_text("mistake", &contents.expect("nothing is wrong").concat());
}

#[test]
fn what_is_measured_may_lie_in_a_folder() {
    let page = "{{#timeline mistakes/01-below}}\n{{#output mistakes/01-below}}\n";
    let contents = preprocessed(&[("a.md", page)]).expect("nothing is wrong");
    let content = contents.concat();
    assert!(content.contains("\"timeline-mistakes-01-below-1-title\""));
    assert!(content.contains("```text\nNOT YET\n```"));
}

#[test]
fn includes() {
    let page = "\
{{#include ../../crates/one/src/missing.rs}}
{{#include ../../crates/one/src/main.rs:missing}}
{{#include ../../crates/one/src/main.rs:nothing}}
{{#include ../../crates/one/src/main.rs:open}}
{{#include ../../crates/one/src/main.rs:8}}
{{#include ../../crates/one/src/main.rs:3:2}}
{{#include ../../crates/one/src/main.rs:3:99}}
{{#include ../../crates/one/src/main.rs:3:x}}
{{#include ../../crates/notes/main.rs:all}}
{{#include ../../units/a.service:all}}
{{#include ../../units/empty.service}}
{{#include ../../secret.rs}}
{{#include ../../../secret.rs}}
{{ #include ../../units}}
{{#rustdoc_include ../../units/no.service}} and {{#include ../../units/none.service}}
";
    assert_text("includes", &problems(page));
}

#[test]
fn links() {
    let page = "\
# A heading, `code` and a [B](deeper/b.md#no-such)
[gone](gone.md) [html](deeper/b.html) [up](../b.md) [root](/deeper/b.md)
[here](#there) ![picture](missing.png) <http://example.org> [ftp](ftp://example.org)
[text][undefined] [folder](deeper)

<a href=\"gone.html\">gone</a>
";
    assert_text("links", &problems(page));
}

#[test]
fn code_and_output_are_not_typed_in() {
    let page = "\
```rust
fn main() {}
```

```ini,ignore
{{#include ../../units/a.service}}
Restart=always
```

```text
PASSED
```

```diff
-Restart=no
+Restart=always
```
";
    assert_text("fences", &problems(page));
}

#[test]
fn correct_units_get_no_findings() {
    let first = "\
# A heading, `code` and a [B](deeper/b.md), [beside it](./deeper/b.md#b-b_1)

[two](#two) [again](#two-1) [own](#own) [b](deeper/b.md#b-b_1) ![picture](picture.png) [out](https://example.org#x)
[label] and [Install] and \\{{#include what.you:want}} and {{ not ours }} and [by label][label]

[label]: deeper/../a.md

## Two
## Two
## Three {#own}

```rust
{{#include ../../crates/one/src/main.rs:all}}
{{#include ../../crates/one/src/main.rs:2}}
{{#include ../../crates/one/src/main.rs:2:}}
{{#include ../../crates/one/src/main.rs::3}}
{{#include ../../crates/one/src/main.rs:2:3}}
```

    [no](link.md) to be typed
";
    let second =
        "# B *b*_1\n[up](../a.md) [itself](./b.md) {{#include ../../../units/a.service}}\n";
    let pages = [("a.md", first), ("deeper/b.md", second)];
    let contents = preprocessed(&pages);
    assert_eq!(contents, Ok(vec![first.to_owned(), second.to_owned()]));
}

#[test]
fn a_timeline_is_a_picture_and_the_same_in_words() {
    let page = "\
Before.
{{#timeline good title=\"One & <two>\" units=\"a.service\"}}
{{#timeline good}}
After.
";
    let contents = preprocessed(&[("a.md", page)]).expect("nothing is wrong");
    let [content] = &contents[..] else {
        panic!("one page")
    };
    let figures: Vec<&str> = content.split("<figure").skip(1).collect();
    assert_eq!(figures.len(), 2);
    for figure in &figures {
        // Markdown would start again at a blank line.
        let (html, _) = figure.split_once("</details>").expect("it ends");
        assert!(!html.contains("\n\n"));
        assert!(html.contains("role=\"img\"") && html.contains("<desc "));
    }
    assert!(
        figures[0].contains("timeline-good-1-title")
            && figures[1].contains("timeline-good-2-title")
    );
    assert!(!figures[0].contains("b.service") && figures[1].contains("b.service"));
    // The crate that draws the picture tests it.
    let mut text = String::new();
    let mut is_drawing = false;
    for line in content.split_inclusive('\n') {
        is_drawing |= line.starts_with("<svg ");
        if !is_drawing {
            text.push_str(line);
        }
        is_drawing &= !line.starts_with("</svg>");
    }
    assert_text("timeline", &text);
}

#[test]
fn an_output_is_a_block_of_text() {
    let contents = preprocessed(&[("a.md", "Before.\n{{#output good}}\nAfter.\n")]);
    assert_text("output", &contents.expect("nothing is wrong").concat());
}

#[test]
fn the_versions_of_a_measurement_are_a_sentence() {
    let contents = preprocessed(&[("a.md", "Before.\n{{#measured-with good}}\nAfter.\n")]);
    assert_eq!(
        contents.expect("nothing is wrong").concat(),
        "Before.\n\nMeasured with Linux 7.2, systemd 262-1, QEMU 10.0.\n\nAfter.\n"
    );
}

//! The files in `book/measured`: what the lab measured for the guide.
//!
//! Each says what it was measured with, and each is measured again by `cargo maintain guide`, or by `cargo maintain verify`. It holds if what is
//! measured now differs in nothing but what [`systemd_timeline::compare`] allows: an update of Debian's must not make a file stale
//! in which systemd did the same. What holds is not written again, so that a file's header stays true.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::Value;
use systemd_timeline::compare::{Tolerance, compare, texts};
use systemd_timeline::protocol::{Event, EventKind};
use systemd_timeline::{MeasuredWith, Timeline, describe};

/// Where the files are, below the workspace.
pub const FOLDER: &str = "book/measured";

/// How the first line of a text begins that says what it was measured with.
const MEASURED_WITH: &str = "# measured with ";

/// The same in Markdown, where a page does not show it.
const MARKDOWN: (&str, &str) = ("<!-- measured with ", " -->");

/// The name of the same in a JSON document.
const FIELD: &str = "measured_with";

/// How much a number in a JSON document may differ: all of them are times in whole seconds, and neighbours may be the same
/// time, rounded.
const SECONDS: f64 = 1.0;

/// What was measured for one file.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Its path below [`FOLDER`].
    name: String,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Timeline(Timeline),
    Text(String, MeasuredWith),
    Document {
        document: Value,
        compared: fn(&Value) -> Value,
        with: MeasuredWith,
    },
}

impl Measured {
    /// A timeline, for a picture: as [`systemd_timeline::Picture::essence`] returns it. `name` has the extension `.json`, and may lie
    /// in a folder.
    pub fn timeline(name: &str, essence: Timeline) -> Measured {
        Measured::new(name, Content::Timeline(essence))
    }

    /// A text (`.txt`), or a table or list in Markdown (`.md`).
    pub fn text(name: &str, text: &str, with: &MeasuredWith) -> Measured {
        Measured::new(name, Content::Text(text.to_owned(), with.clone()))
    }

    /// A JSON object for a page's script. `compared` makes of it what is compared, in which all numbers are times in whole
    /// seconds.
    pub fn document(
        name: &str,
        document: Value,
        compared: fn(&Value) -> Value,
        with: &MeasuredWith,
    ) -> Measured {
        let with = with.clone();
        let content = Content::Document {
            document,
            compared,
            with,
        };
        Measured::new(name, content)
    }

    fn new(name: &str, content: Content) -> Measured {
        Measured {
            name: name.to_owned(),
            content,
        }
    }

    /// Its path below [`FOLDER`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is wrong with the file, for a person; `None` if it holds.
    ///
    /// `root` is the workspace's folder.
    pub fn complaint(&self, root: &Path) -> Option<String> {
        let path = format!("{FOLDER}/{}", self.name);
        let kept = match fs::read_to_string(self.path(root)) {
            Ok(kept) => kept,
            Err(error) => return Some(format!("{path} cannot be read ({error})")),
        };
        let then = measured_with(&kept);
        if then.is_none() {
            return Some(format!("{path} does not say what it was measured with"));
        }
        let difference = self.difference(&kept)?;
        let now = self.measured_with().map(|with| with.to_string());
        let why = match (then, now) {
            (Some(then), Some(now)) if then != now => {
                format!(
                    "\nThe guest is a different one: it was measured with {then}; this is {now}."
                )
            }
            _ => String::new(),
        };
        Some(format!(
            "{path} (-) is not what the lab measures now (+):\n{difference}{why}"
        ))
    }

    /// Writes the file, unless it holds.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&self, root: &Path) -> io::Result<()> {
        if self.complaint(root).is_none() {
            return Ok(());
        }
        let path = self.path(root);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, self.to_text())
    }

    fn measured_with(&self) -> Option<MeasuredWith> {
        match &self.content {
            Content::Timeline(timeline) => timeline.measured_with(),
            Content::Text(_, with) | Content::Document { with, .. } => Some(with.clone()),
        }
    }

    fn path(&self, root: &Path) -> PathBuf {
        root.join(FOLDER).join(&self.name)
    }

    fn is_markdown(&self) -> bool {
        self.name.ends_with(".md")
    }

    /// The file as it is written.
    fn to_text(&self) -> String {
        match &self.content {
            Content::Timeline(timeline) => timeline.to_json_lines(),
            Content::Text(text, with) if self.is_markdown() => {
                let (begin, end) = MARKDOWN;
                format!("{begin}{with}{end}\n{text}")
            }
            Content::Text(text, with) => format!("{MEASURED_WITH}{with}\n{text}"),
            Content::Document { document, with, .. } => document_text(document, with),
        }
    }

    fn difference(&self, kept: &str) -> Option<String> {
        match &self.content {
            Content::Timeline(timeline) => match parse(kept) {
                Ok(kept) => {
                    let (kept, now) = (moments(&kept), moments(timeline));
                    compare(&kept, &now, Tolerance::SAME_SERVICE)
                        .map(|difference| difference.hunks())
                }
                Err(message) => Some(message),
            },
            Content::Text(text, _) => texts(without_header(kept), text),
            Content::Document {
                document,
                compared,
                with,
            } => {
                let mut kept: Value = serde_json::from_str(kept).unwrap_or_default();
                if let Some(fields) = kept.as_object_mut() {
                    fields.remove(FIELD);
                }
                (!is_alike(&compared(&kept), &compared(document))).then(|| {
                    let without = |text: &str| {
                        let lines = text.lines().filter(|line| !line.contains(FIELD));
                        lines.collect::<Vec<_>>().join("\n")
                    };
                    let kept = document_text(&kept, with);
                    let now = document_text(document, with);
                    texts(&without(&kept), &without(&now)).unwrap_or_default()
                })
            }
        }
    }
}

/// A text without the line that says what it was measured with.
pub fn without_header(text: &str) -> &str {
    let is_header = |line: &str| line.starts_with(MEASURED_WITH) || line.starts_with(MARKDOWN.0);
    match text.split_once('\n') {
        Some((first, rest)) if is_header(first) => rest,
        _ => text,
    }
}

/// What a file was measured with, if it says so: `Linux 6.12.1, systemd 257.13-1, QEMU 7.2.22`.
pub fn measured_with(text: &str) -> Option<String> {
    let first = text.lines().next()?;
    let (begin, end) = MARKDOWN;
    let in_markdown = first
        .strip_prefix(begin)
        .and_then(|rest| rest.strip_suffix(end));
    if let Some(with) = first.strip_prefix(MEASURED_WITH).or(in_markdown) {
        return Some(with.to_owned());
    }
    if let Ok(timeline) = parse(text) {
        return timeline.measured_with().map(|with| with.to_string());
    }
    let document: Value = serde_json::from_str(text).ok()?;
    document.get(FIELD)?.as_str().map(str::to_owned)
}

/// A timeline from its file: an event a line.
///
/// # Errors
///
/// Names the first line that is not an event.
pub fn parse(text: &str) -> Result<Timeline, String> {
    let events = text.lines().enumerate().map(|(index, line)| {
        serde_json::from_str(line).map_err(|error| {
            format!(
                "line {} is not an event ({error}); measure it again, as CONTRIBUTING.md says",
                index + 1
            )
        })
    });
    Ok(Timeline::new(events.collect::<Result<Vec<Event>, _>>()?))
}

/// All that a picture shows: every event whole, but for what it was measured with.
fn moments(timeline: &Timeline) -> Vec<systemd_timeline::compare::Moment> {
    timeline.moments(|event| match &event.kind {
        EventKind::Hello { .. } => None,
        // systemd words it in two ways, depending on whether the sender is gone already.
        EventKind::NotificationRefused { .. } => describe(&event.kind),
        kind => serde_json::to_string(kind).ok(),
    })
}

/// Its fields one a line, so that a person sees what changed.
fn document_text(document: &Value, with: &MeasuredWith) -> String {
    let mut lines = vec![format!("{:?}: {:?}", FIELD, with.to_string())];
    for (name, value) in document.as_object().into_iter().flatten() {
        let value = match value {
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(Value::to_string).collect();
                format!("[\n{}\n]", items.join(",\n"))
            }
            Value::Object(fields) => {
                let fields = fields.iter();
                let fields: Vec<String> = fields
                    .map(|(name, value)| format!("{name:?}: {value}"))
                    .collect();
                format!("{{\n{}\n}}", fields.join(",\n"))
            }
            other => other.to_string(),
        };
        lines.push(format!("{name:?}: {value}"));
    }
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

fn is_alike(kept: &Value, now: &Value) -> bool {
    match (kept, now) {
        (Value::Number(one), Value::Number(other)) => one
            .as_f64()
            .zip(other.as_f64())
            .is_some_and(|(one, other)| (one - other).abs() <= SECONDS),
        (Value::String(one), Value::String(other)) => texts(one, other).is_none(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| is_alike(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, value)| other.get(name).is_some_and(|it| is_alike(value, it)))
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(kernel: &str) -> MeasuredWith {
        MeasuredWith {
            kernel: kernel.to_owned(),
            systemd: "257.13".to_owned(),
            qemu: Some("7.2.22".to_owned()),
        }
    }

    fn timeline(kernel: &str, restart_us: u64) -> Timeline {
        parse(&format!(
            r#"{{"at_us":0,"source":"agent","event":"hello","protocol":1,"kernel":"{kernel}","systemd":"257.13","qemu":"7.2.22"}}
{{"at_us":0,"source":"agent","event":"scenario-began","name":"t"}}
{{"at_us":{restart_us},"unit":"a.service","source":"agent","event":"restart-scheduled","counter":1}}"#
        ))
        .expect("these are events")
    }

    /// Each kind of file: as it was, as it may come out in another guest, and as it may not.
    fn cases() -> [(&'static str, [Content; 3]); 4] {
        let text = |seconds: u32, kernel| {
            Content::Text(format!("comes back after {seconds} s\n"), with(kernel))
        };
        let document = |seconds: u32, kernel| Content::Document {
            document: json!({ "rows": [[seconds, "restart"]] }),
            compared: Value::clone,
            with: with(kernel),
        };
        [
            ("a.txt", [text(5, "1"), text(6, "2"), text(7, "2")]),
            ("a.md", [text(5, "1"), text(6, "2"), text(7, "2")]),
            (
                "a.json",
                [
                    Content::Timeline(timeline("1", 5_250_000)),
                    Content::Timeline(timeline("2", 5_500_000)),
                    Content::Timeline(timeline("2", 6_250_000)),
                ],
            ),
            (
                "b.json",
                [document(5, "1"), document(6, "2"), document(7, "2")],
            ),
        ]
    }

    #[test]
    fn a_file_holds_in_another_guest_until_something_else_happens() {
        let root = tempfile::tempdir().expect("there is room");
        for (name, [first, alike, other]) in cases() {
            let measured = |content| Measured::new(name, content);
            let first = measured(first);
            assert!(
                first.complaint(root.path()).is_some(),
                "{name} is not there yet"
            );
            first.write(root.path()).expect("it can be written");
            assert_eq!(first.complaint(root.path()), None, "{name}");

            let alike = measured(alike);
            assert_eq!(alike.complaint(root.path()), None, "{name}");
            alike.write(root.path()).expect("it can be written");
            let kept = fs::read_to_string(alike.path(root.path())).expect("it is there");
            assert!(
                kept.contains("Linux 1,") || kept.contains(r#""kernel":"1""#),
                "{kept}"
            );

            let complaint = measured(other)
                .complaint(root.path())
                .expect("it is another one");
            let why = "it was measured with Linux 1, systemd 257.13, QEMU 7.2.22; this is Linux 2,";
            assert!(complaint.contains(why), "{complaint}");
        }
    }

    #[test]
    fn a_file_must_say_what_it_was_measured_with() {
        let root = tempfile::tempdir().expect("there is room");
        let measured = Measured::text("a.txt", "a\n", &with("1"));
        measured.write(root.path()).expect("it can be written");
        assert_eq!(measured.complaint(root.path()), None);
        fs::write(measured.path(root.path()), "a\n").expect("it can be written");
        let complaint = measured
            .complaint(root.path())
            .expect("the first line is missing");
        assert!(complaint.ends_with("does not say what it was measured with"));
    }

    #[test]
    fn a_page_shows_no_header() {
        assert_eq!(without_header("# measured with x\na\n"), "a\n");
        assert_eq!(without_header("<!-- measured with x -->\na\n"), "a\n");
        assert_eq!(without_header("# a\nb\n"), "# a\nb\n");
    }
}

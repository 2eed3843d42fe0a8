//! A timeline as a picture: one standalone SVG that can also be embedded in a page of a book.
//!
//! Time runs downward. The events of a service are words, and words need width: side by side they collide after a few
//! letters; below each other, each has its own line, even on a phone. The times are on the left, then a lane with the
//! states of each unit, then the words.
//!
//! Times look as in [`clock`](crate::clock_time), like those of the text. The same timeline gives the same bytes.

mod answers;
mod essence;
mod fold;
mod layout;
mod rows;
mod svg;
mod words;

pub use essence::settled;

use std::collections::BTreeMap;
use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use crate::timeline::Timeline;
use layout::Layout;
use rows::Rows;

/// How many bytes of the hash an identifier uses: enough for the pictures of one page.
const ID_BYTES: usize = 5;

/// Chooses units and renders them.
#[derive(Debug, Clone)]
pub struct Picture {
    units: Vec<String>,
    title: Option<String>,
    id: Option<String>,
    logs: bool,
    /// What is shown for steps of the scenario, by label.
    steps: BTreeMap<String, String>,
}

impl Picture {
    /// A picture of these units, each in a lane of its own, and of the scenario's requests.
    pub fn of(units: &[&str]) -> Picture {
        Picture {
            units: units.iter().map(|unit| unit.to_string()).collect(),
            title: None,
            id: None,
            logs: false,
            steps: BTreeMap::new(),
        }
    }

    /// A picture of all units that the timeline mentions, in the order in which they appear. Slices are left out,
    /// because systemd creates them on its own.
    pub fn everything(timeline: &Timeline) -> Picture {
        let mut units: Vec<&str> = Vec::new();
        for event in timeline.events() {
            if let Some(unit) = event.unit.as_deref()
                && rows::is_shown(&event.kind)
                && !unit.ends_with(".slice")
                && !units.contains(&unit)
            {
                units.push(unit);
            }
        }
        Picture::of(&units)
    }

    /// Sets the picture's title, which is shown above it and read by a screen reader.
    #[must_use]
    pub fn title(self, title: &str) -> Picture {
        Picture {
            title: Some(title.to_owned()),
            ..self
        }
    }

    /// Sets the beginning of the identifiers in the picture. Needed only if the same picture appears twice on one
    /// page: by default, identifiers are derived from what is shown.
    #[must_use]
    pub fn id(self, id: &str) -> Picture {
        Picture {
            id: Some(id.to_owned()),
            ..self
        }
    }

    /// Also shows the lines that the units logged.
    #[must_use]
    pub fn logs(self) -> Picture {
        Picture { logs: true, ..self }
    }

    /// Shows when these steps of the scenario began: their labels, and the words for them.
    #[must_use]
    pub fn steps(self, steps: BTreeMap<String, String>) -> Picture {
        Picture { steps, ..self }
    }

    /// The picture as SVG. It has no blank lines, so that Markdown treats it as one block.
    pub fn render(&self, timeline: &Timeline) -> String {
        svg::document(&[self.drawn(timeline)])
    }

    /// The same in words, a line for each row of the picture: for people who cannot see it, or who prefer to read.
    pub fn lines(&self, timeline: &Timeline) -> Vec<String> {
        words::lines(&self.rows(timeline))
    }

    /// The part of the timeline that this picture shows: events of its units with their stamps, without PIDs and journal
    /// fields. Its picture is the same. It can be stored, and [compared](crate::compare) with the essence of another run.
    pub fn essence(&self, timeline: &Timeline) -> Timeline {
        essence::of(timeline, &self.units, self.logs)
    }

    fn rows(&self, timeline: &Timeline) -> Rows {
        let timeline = essence::settled(timeline);
        fold::folded(Rows::of(&timeline, &self.units, self.logs, &self.steps))
    }

    fn drawn(&self, timeline: &Timeline) -> Drawn {
        let rows = self.rows(timeline);
        let title = match &self.title {
            Some(title) => title.clone(),
            None => format!("Timeline of {}", self.units.join(", ")),
        };
        let description = words::of(&rows);
        let layout = Layout::of(&rows, self.title.as_deref());
        let id = match &self.id {
            Some(id) => id.clone(),
            None => derived_id(&title, &description),
        };
        Drawn {
            body: svg::body(&rows, &layout),
            height: layout.height,
            title,
            description,
            id,
        }
    }
}

/// Several pictures in one SVG, below each other.
pub fn column(pictures: &[(Picture, &Timeline)]) -> String {
    let drawn: Vec<Drawn> = pictures
        .iter()
        .map(|(picture, timeline)| picture.drawn(timeline))
        .collect();
    svg::document(&drawn)
}

/// A picture on its own, not yet in a document.
struct Drawn {
    body: String,
    height: u32,
    title: String,
    description: String,
    id: String,
}

fn derived_id(title: &str, description: &str) -> String {
    let mut hasher = SipHasher24::new();
    hasher.write(title.as_bytes());
    hasher.write(&[0]);
    hasher.write(description.as_bytes());
    let letters: String = hasher
        .finish()
        .to_be_bytes()
        .iter()
        .take(ID_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("timeline-{letters}")
}

#[cfg(test)]
mod tests;

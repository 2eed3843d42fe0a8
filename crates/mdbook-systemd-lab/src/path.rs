//! The picture on the first page: the life of a service, which dies, hangs and comes back, and the stages as a path beside it.
//!
//! Time runs downward, as in the timelines, so that the picture fits a phone. Each state has its own shape as well as its own colour; words and
//! lines have the colour of the page's text, so that it can be read in a dark theme and on paper.

use std::fmt::Write as _;

use crate::minutes;
use crate::site::Site;

const WIDTH: u32 = 360;
/// Where the service's life runs, and where the words begin.
const LIFE: u32 = 40;
const WORDS: u32 = 84;

/// Both can be told from a light and from a dark background.
const UP: &str = "#2e9e6b";
const DOWN: &str = "#d9534f";

/// How the line goes on after a state has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up,
    /// The process is gone.
    Down,
    /// The process is there, and is not ready yet.
    Starting,
    /// The process is there, and does nothing.
    Hangs,
}

/// A stage: its page, its name, its topic, and how the service's life goes on there: state by state, with heights.
struct Stage {
    page: &'static str,
    name: &'static str,
    about: &'static str,
    life: &'static [(State, u32)],
}

const STAGES: [Stage; 6] = [
    Stage {
        page: "01-plain",
        name: "01 plain",
        about: "it starts, runs, and stops as it should",
        life: &[(State::Up, 70)],
    },
    Stage {
        page: "02-restart",
        name: "02 restart",
        about: "it dies; should it come back?",
        life: &[(State::Down, 30), (State::Up, 46)],
    },
    Stage {
        page: "03-restart-sec",
        name: "03 restart-sec",
        about: "it dies again and again: how soon?",
        life: &[
            (State::Down, 26),
            (State::Up, 8),
            (State::Down, 26),
            (State::Up, 8),
            (State::Down, 34),
        ],
    },
    Stage {
        page: "04-notify",
        name: "04 notify",
        about: "it says when it is ready",
        life: &[(State::Starting, 30), (State::Up, 46)],
    },
    Stage {
        page: "05-watchdog",
        name: "05 watchdog",
        about: "it hangs, and somebody notices",
        life: &[(State::Hangs, 38), (State::Down, 24), (State::Up, 34)],
    },
    Stage {
        page: "06-game-day",
        name: "06 game day",
        about: "all of it in one day, and promises to keep",
        life: &[
            (State::Down, 24),
            (State::Up, 12),
            (State::Hangs, 26),
            (State::Down, 24),
            (State::Up, 34),
        ],
    },
];

/// The picture, without a blank line, at which Markdown would begin again.
pub(crate) fn picture(site: &Site) -> Result<String, String> {
    let mut body = String::new();
    let mut y = 20;
    for stage in &STAGES {
        let minutes = minutes::whole(site, stage.page)?;
        let station = y;
        for (state, height) in stage.life {
            body.push_str(&line(*state, y, *height));
            y += height;
        }
        let _ = write!(
            body,
            "<circle cx=\"{LIFE}\" cy=\"{station}\" r=\"6\" fill=\"currentColor\"/>\n\
             <text x=\"{WORDS}\" y=\"{}\" font-weight=\"bold\">{}</text>\n\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{minutes} min</text>\n\
             <text x=\"{WORDS}\" y=\"{}\" font-size=\"13\">{}</text>\n",
            station + 5,
            stage.name,
            WIDTH - 4,
            station + 5,
            station + 25,
            stage.about
        );
    }
    let height = y + 12;
    let words = in_words(site)?;
    Ok(format!(
        "<figure style=\"margin-inline: 0\">\n\
         <svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"path-title path-words\" style=\"display: block; width: 100%; \
         max-width: 30rem; break-inside: avoid\" font-family=\"sans-serif\" font-size=\"15\" fill=\"currentColor\" stroke-linecap=\"round\">\n\
         <title id=\"path-title\">The life of a service, and the six stages</title>\n\
         <desc id=\"path-words\">{words}</desc>\n\
         {body}</svg>\n\
         <figcaption>The life of a service, from top to bottom. Solid: it serves; gap with a cross: it is dead; dashed: it is starting; zigzag: it hangs.\
         </figcaption>\n</figure>"
    ))
}

/// The same as one sentence for each stage.
pub(crate) fn in_words(site: &Site) -> Result<String, String> {
    let sentences: Result<Vec<String>, String> = STAGES
        .iter()
        .map(|stage| {
            let minutes = minutes::whole(site, stage.page)?;
            Ok(format!(
                "{}, {minutes} minutes: {}.",
                stage.name, stage.about
            ))
        })
        .collect();
    Ok(sentences?.join(" "))
}

fn line(state: State, y: u32, height: u32) -> String {
    let end = y + height;
    match state {
        State::Up => format!(
            "<path d=\"M{LIFE} {y}V{end}\" stroke=\"{UP}\" stroke-width=\"8\" fill=\"none\"/>\n"
        ),
        State::Starting => format!(
            "<path d=\"M{LIFE} {}V{end}\" stroke=\"{UP}\" stroke-width=\"4\" stroke-dasharray=\"1 8\" fill=\"none\"/>\n",
            y + 10
        ),
        State::Down => {
            let (middle, arm) = (y + height / 2, 5);
            format!(
                "<path d=\"M{} {}l{} {}m0 -{}l-{} {}\" stroke=\"{DOWN}\" stroke-width=\"3\" fill=\"none\"/>\n",
                LIFE - arm,
                middle - arm,
                2 * arm,
                2 * arm,
                2 * arm,
                2 * arm,
                2 * arm
            )
        }
        State::Hangs => {
            let steps = height / 6;
            let mut path = format!("M{LIFE} {y}");
            for step in 0..steps {
                path.push_str(if step % 2 == 0 {
                    "l7 3l-7 3"
                } else {
                    "l-7 3l7 3"
                });
            }
            format!("<path d=\"{path}\" stroke=\"{DOWN}\" stroke-width=\"4\" fill=\"none\"/>\n")
        }
    }
}

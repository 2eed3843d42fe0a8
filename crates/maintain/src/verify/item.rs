//! The items that are verified: one line for each.

use std::fmt;

use super::stage::{Material, MistakeFile};

/// One thing to verify.
pub(super) enum Item<'a> {
    Format,
    Clippy,
    /// An exercise must be complete.
    Exercise(&'a Material),
    Starter(&'a Material),
    Solution(&'a Material),
    Variant(&'a Material, &'a str),
    Mistake(&'a Material, &'a MistakeFile),
    /// A check that takes minutes, by the name of its test.
    Soak(&'a Material, &'a str),
    StrayFiles,
}

impl Item<'_> {
    /// Whether it needs the lab.
    pub(super) fn is_checked(&self) -> bool {
        !matches!(
            self,
            Item::Format | Item::Clippy | Item::Exercise(_) | Item::StrayFiles
        )
    }

    /// The packages to build for it.
    pub(super) fn packages(&self) -> Vec<String> {
        match self {
            Item::Starter(stage) => vec![stage.package()],
            Item::Solution(stage) | Item::Mistake(stage, _) | Item::Soak(stage, _) => {
                vec![stage.solution()]
            }
            Item::Variant(stage, _) => vec![stage.solution(), stage.variants()],
            Item::Format | Item::Clippy | Item::Exercise(_) | Item::StrayFiles => vec![],
        }
    }
}

impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Format => f.write_str("format"),
            Item::Clippy => f.write_str("clippy"),
            Item::Exercise(stage) => write!(f, "exercise {}", stage.number),
            Item::Starter(stage) => write!(f, "starter {}", stage.number),
            Item::Solution(stage) => write!(f, "solution {}", stage.number),
            Item::Variant(stage, name) => write!(f, "variant {} {name}", stage.number),
            Item::Mistake(stage, mistake) => {
                write!(f, "mistake {} {}", stage.number, mistake.name)
            }
            Item::Soak(stage, _) => write!(f, "soak {}", stage.number),
            Item::StrayFiles => f.write_str("no stray files"),
        }
    }
}

//! Inserts what the lab measured into the guide, and finds what is broken: missing code, broken links.
//!
//! If an anchor or a file is missing, mdBook leaves it out with a passing remark, and succeeds. Here, each of these is a
//! [`Problem`], with its file and line, and there is no book until it is solved.
//!
//! Three steps for each page: directives in double braces (`directive`), included files (`include`), targets of
//! links (`link`). `measured` turns a timeline into a picture, `mistake` takes wrong lines out of a patch.

#![forbid(unsafe_code)]

mod command;
mod directive;
mod fence;
mod guide;
mod include;
mod link;
mod measured;
mod minutes;
mod mistake;
mod page;
mod path;
pub mod protocol;
mod site;

pub use command::command;
pub use guide::{in_words, preprocess};
pub use site::{Problem, Site};

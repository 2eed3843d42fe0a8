//! What happened to systemd's units, and why: events as a [`Timeline`], and everything derived from one.
//!
//! ```
//! use systemd_timeline::protocol::event::Source;
//! use systemd_timeline::protocol::{Event, EventKind};
//! use systemd_timeline::{Timeline, View};
//!
//! let active = Event {
//!     at_us: 1_500_000,
//!     unit: Some("hello.service".to_owned()),
//!     source: Source::Agent,
//!     kind: EventKind::StateChanged { from: "start".to_owned(), to: "running".to_owned() },
//! };
//! let timeline = Timeline::new(vec![active]);
//! assert!(View::everything(&["hello.service"]).render(&timeline).contains("running"));
//! ```
//!
//! | Module | What it makes of a timeline |
//! |---|---|
//! | [`View`], [`fold`] | text, with repetitions counted |
//! | [`picture`] | an SVG, and its essence to keep |
//! | [`compare`] | what differs from another run, within a tolerance |
//! | [`diagnosis`] | the sentence that says which setting decides, for a check |
//! | [`findings`] | what the author of the units should know, as data |
//! | [`jobs`] | what queued a job that nobody asked for |
//! | [`full_log`] | whether journald may have dropped lines without a word |
//! | [`clock`], [`span`], [`names`] | times, time spans, and the names of signals and exit statuses |
//! | [`unit_file`] | what unit files say |
//!
//! No I/O: no machine, no files, no host clock. The library `systemd-lab` makes timelines; the guide's preprocessor needs
//! only this crate.

pub mod clock;
pub mod compare;
pub mod diagnosis;
pub mod findings;
pub mod fold;
pub mod full_log;
pub mod jobs;
pub mod names;
pub mod picture;
mod shell_word;
pub mod span;
mod timeline;
pub mod unit_file;
mod unit_texts;
pub mod view;
mod visible;

pub use clock::{clock_time, nearest_second};
pub use picture::Picture;
pub use shell_word::shell_word;
pub use systemd_lab_protocol as protocol;
pub use timeline::{MeasuredWith, Timeline};
pub use unit_texts::UnitTexts;
pub use view::{View, describe};
pub use visible::{visible, visible_json, visible_lines};

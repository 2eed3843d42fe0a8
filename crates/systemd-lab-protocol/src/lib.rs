//! The types that the lab's host and its guest agent share.
//!
//! - [`scenario`]: what is to happen, as data. The whole scenario enters the guest before the VM
//!   resumes.
//! - [`event`]: what happened. Nothing else comes out.
//! - [`job`]: the layout of a scenario and its files in the memory that host and guest share.
//! - [`seal`]: what tells events from anything else that comes out of the guest.
//! - [`sight`]: what the lab needs in the guest to see what systemd does.
//! - [`shell`]: when a person takes over, and on what kind of terminal.
//! - [`journal`]: from a journal entry's fields to an [`event::EventKind`].
//!
//! This crate does no I/O and knows nothing of QEMU or of any exercise, so that everything in it
//! can be tested without a VM.

pub mod event;
pub mod job;
pub mod journal;
mod preparation;
pub mod scenario;
pub mod seal;
pub mod shell;
pub mod sight;
mod version;

pub use event::{Event, EventKind};
pub use job::{Blob, Job, JobError};
pub use scenario::{Condition, Scenario, Step};
pub use shell::{Handover, Terminal};
pub use version::PROTOCOL_VERSION;

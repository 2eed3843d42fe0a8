//! The lab's commands, written once: `systemd-lab` has all of them, `cargo workshop` has those that attendees need.
//!
//! This crate knows the lab but not the exercises. The library `systemd-lab` does the work; this crate has the options and the words.

#![forbid(unsafe_code)]

mod command;
mod counted;
pub mod doctor;
mod exit;
pub mod explore;
pub mod image;
pub mod matrix;
pub mod output;
mod program;
pub mod run;
pub mod shell;
pub mod shortened;
pub mod style;
pub mod sweep;
mod table;
pub mod terminal;
mod trials;

pub use command::{carry_out, in_words};
pub use exit::{EXIT_STATUS, ExitStatus, WrongUsage};
pub use program::program;

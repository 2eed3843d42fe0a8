//! The stages of the workshop on the disk: which exercises there are, what belongs to each, how their starters are made, and how cargo
//! builds them.
//!
//! `cargo workshop` and `cargo maintain` share this crate. It runs nothing in the lab, and prints nothing.

#![forbid(unsafe_code)]

pub mod cargo;
pub mod check;
pub mod exercises;
pub mod files;
pub mod outcome;
pub mod starter;
pub mod work;

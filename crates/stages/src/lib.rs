//! The stages of the workshop, as they are on the disk: what exercises there are and what belongs to each, what makes their starters, and
//! how cargo builds them.
//!
//! `cargo workshop` and `cargo maintain` share this. It runs nothing in the lab, and says nothing to anybody.

#![forbid(unsafe_code)]

pub mod cargo;
pub mod check;
pub mod exercises;
pub mod files;
pub mod outcome;
pub mod starter;
pub mod work;

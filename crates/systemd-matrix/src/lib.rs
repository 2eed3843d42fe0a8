//! Measures what systemd does with settings: one unit for each cell of a table, run in the lab.
//!
//! [`mod@measure`] asks systemd. The answer is a [`Matrix`] of [`Table`]s, which can be written as Markdown or JSON, and
//! compared with a different systemd's ([`Comparison`]) and with the table in systemd's manual ([`Manual`]).
//!
//! [`trial`] runs many small scenarios in few guests, for these tables and for everything else that tries many things.
//!
//! This crate knows systemd and the lab, but not the exercises. If a unit does not end as its row claims, the whole
//! measurement fails: a cell never answers a different question.

mod cause;
mod compare;
mod comparison;
mod error;
mod group;
mod manual;
mod markdown;
mod measure;
mod observed;

#[cfg(test)]
mod samples;
mod short;
mod table;
mod tables;
pub mod trial;

pub use cause::{Cause, SETTINGS};
pub use compare::{Change, compare};
pub use comparison::Comparison;
pub use error::MatrixError;
pub use manual::{Difference, Known, Manual};
pub use measure::{measure, restarts};
pub use table::{Cell, Matrix, Row, Table, TableId};

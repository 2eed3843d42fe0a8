//! Measures what systemd does with settings: one unit for each cell of a table, run in the lab.
//!
//! [`measure`] asks systemd. What it answers is a [`Matrix`] of [`Table`]s, which can be written as Markdown or JSON,
//! compared with that of another systemd ([`Comparison`]) and with the table in systemd's manual ([`Manual`]).
//!
//! [`trial`] runs many small scenarios in few guests, for these tables and for all else that tries many things.
//!
//! Knows systemd and the lab; knows no exercise. A unit must have ended as its row claims, or the whole measurement fails:
//! no cell is ever the answer to another question.

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

//! What stands behind the guide's page "Try it": the choices, what the lab measured for them, and how it is written down.
//!
//! `book/measured` holds the result. A test measures again and compares; nothing here computes what systemd would do.

pub mod choices;
pub mod measure;
mod outcome;
pub mod policies;
pub mod slack;
pub mod write;

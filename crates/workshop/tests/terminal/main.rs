//! What people see in a terminal, tested in real ones of several sizes.

#[path = "../fixture/mod.rs"]
mod fixture;

mod check;
mod list;
mod screens;
mod session;
mod shell;
mod watch;

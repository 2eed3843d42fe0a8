//! What only works in a terminal, in a real one: `watch` and `shell`.

#[path = "../fixture/mod.rs"]
mod fixture;

mod check;
mod session;
mod shell;
mod watch;

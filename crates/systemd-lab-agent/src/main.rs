//! Runs scenarios inside the lab's guest.
fn main() {}

//! The version of what host and guest say to each other.

/// The version of everything in this crate. The host refuses an agent that reports a different one.
pub const PROTOCOL_VERSION: u32 = 6;

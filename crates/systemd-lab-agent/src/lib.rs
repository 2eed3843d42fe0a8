//! The program inside the lab's guest: it runs one scenario and reports what happened.
//!
//! ```text
//! boot ── systemd ── prepare ── snapshot ── read the job ── runner: step by step ── end
//!                                          │ asks: systemd, http, command, files
//!                                          │ sees: journal, sockets, processes ─► recorder ─► outbox ─► host
//!                                          └ waits: conditions, pace
//!                                          stopped at a chosen instant: handover ─► a shell
//! ```
//!
//! It is a library so that its parts can be tested on any host; `main.rs` joins them. It asks nothing
//! of the host while a scenario runs, and does not judge what the events mean.

pub mod alarm;
pub mod boot;
pub mod checkpoint;
pub mod command;
pub mod commands;
pub mod conditions;
pub mod cpu_clock;
pub mod dbus;
pub mod endpoint;
pub mod files;
pub mod guest;
pub mod handover;
pub mod http;
pub mod journal;
pub mod levels;
pub mod load;
pub mod memory;
pub mod outbox;
pub mod pace;
pub mod preparations;
pub mod prepare;
pub mod probes;
pub mod processes;
pub mod recorder;
pub mod requests;
pub mod runner;
pub mod schedule;
pub mod sockets;
pub mod systemd;
pub mod termination;
pub mod trace;

/// Makes the program exit at once: the rehearsal runs it as a service, see [`prepare`].
pub const REHEARSE: &str = "--rehearse";

//! Shows people the lab's progress while it sets itself up: a spinner for each step, on standard error, and
//! nothing if that is not a terminal.

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressBarIter, ProgressStyle};

/// Often enough to look alive, rarely enough to cost nothing.
const TICK: Duration = Duration::from_millis(100);

/// A step in progress. It ends when it is dropped; a failed step leaves no line behind.
pub(crate) struct Step {
    bar: ProgressBar,
    done: bool,
}

impl Step {
    pub(crate) fn begin(text: impl Into<String>) -> Step {
        let bar = ProgressBar::new_spinner().with_message(text.into());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Step { bar, done: false }
    }

    /// The same for a step that writes this many bytes: it shows how many of them are done.
    pub(crate) fn of_bytes(text: impl Into<String>, bytes: u64) -> Step {
        let step = Step::begin(text);
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {msg}: {percent} % {elapsed:.dim}")
        {
            step.bar.set_style(style);
        }
        step.bar.set_length(bytes);
        step
    }

    /// Counts what is written.
    pub(crate) fn counting<W: Write>(&self, to: W) -> ProgressBarIter<W> {
        self.bar.wrap_write(to)
    }

    /// Ends the step successfully, and leaves a line that says so.
    pub(crate) fn finish(mut self) {
        self.done = true;
        if let Ok(style) = ProgressStyle::with_template("✓ {msg} {elapsed:.dim}") {
            self.bar.set_style(style);
        }
        self.bar.finish();
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.done {
            self.bar.finish_and_clear();
        }
    }
}

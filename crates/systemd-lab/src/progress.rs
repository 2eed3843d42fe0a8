//! What a person sees while the lab sets itself up: a spinner for each step, on standard error, and nothing at
//! all where that is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Often enough to look alive, seldom enough to cost nothing.
const TICK: Duration = Duration::from_millis(100);

/// A step that is under way. Finished when it is dropped; a step that fails leaves no line behind.
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

    /// Ends the step well and leaves a line that says so.
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

//! Progress of long work, on standard error where that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar with a count and a rate.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar for `total` things.
    pub fn new(what: &str, total: u64) -> Progress {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
        // A template that does not parse leaves the default look.
        if let Ok(style) =
            ProgressStyle::with_template("{msg:<12} [{bar:32}] {human_pos:>12} of {human_len} {per_sec:>16}")
        {
            bar.set_style(style.progress_chars("█▉ "));
        }
        bar.set_message(what.to_owned());
        Progress(bar)
    }

    /// How many there are in all, where that becomes known later.
    pub fn set_total(&self, total: u64) {
        self.0.set_length(total);
    }

    /// How many are done.
    pub fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// Takes the bar away.
    pub fn done(&self) {
        self.0.finish_and_clear();
    }
}

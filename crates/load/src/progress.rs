//! The progress bar of a run.

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar of `length` steps. It is drawn on a terminal only.
pub fn progress(length: u64, message: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(message);
    // The template is a constant; if it did not parse, the default style would be shown.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} {msg} ({eta} left)") {
        bar.set_style(style);
    }
    bar
}

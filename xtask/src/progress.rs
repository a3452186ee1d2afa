//! One line that shows what is going on.

use std::cell::RefCell;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use staymesh_localmesh::Progress;

use crate::tools::interrupted;

/// A line with a running clock on a terminal; elsewhere, such as in a CI log, a new line for each thing said.
pub(crate) struct Line {
    bar: Option<ProgressBar>,
    title: String,
    started: Instant,
}

impl Line {
    /// Starts the line.
    pub(crate) fn new(title: &str) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner().with_prefix(title.to_owned());
            // The template is a constant; were it wrong, the plain spinner would do.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {wide_msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, title: title.to_owned(), started: Instant::now() }
    }

    /// Says what is being done now.
    pub(crate) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => eprintln!("  {}: {text}", self.title),
        }
    }

    /// Ends the line with its outcome.
    pub(crate) fn done(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("  {}: {text} ({})", self.title, seconds(self.started.elapsed()));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The start of a mesh, one [`Line`] after the other; Ctrl-C ends it.
#[derive(Default)]
pub(crate) struct Lines {
    current: RefCell<Option<Line>>,
}

impl Progress for Lines {
    fn begin(&self, step: &str) {
        self.current.replace(Some(Line::new(step)));
    }

    fn say(&self, what: &str) {
        if let Some(line) = &*self.current.borrow() {
            line.say(what);
        }
    }

    fn done(&self, outcome: &str) {
        if let Some(line) = self.current.take() {
            line.done(outcome);
        }
    }

    fn check(&self) -> Result<()> {
        if interrupted() {
            bail!("interrupted; everything that was started is stopped");
        }
        Ok(())
    }
}

/// A duration as people say it: "0.4 s", "3 min 12 s".
pub(crate) fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0..=59 => format!("{:.1} s", duration.as_secs_f32()),
        longer => format!("{} min {} s", longer / 60, longer % 60),
    }
}

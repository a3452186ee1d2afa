//! A numbered list of steps with their times and outcomes.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::progress::seconds;
use crate::tools::interrupted;

enum Outcome {
    Passed,
    Failed(String),
    Skipped(&'static str),
}

struct Step {
    title: &'static str,
    took: Duration,
    outcome: Outcome,
}

/// Runs steps one after the other and keeps going after a failure, so that one run shows every failure.
pub(crate) struct Steps {
    expected: usize,
    finished: Vec<Step>,
    started: Instant,
}

impl Steps {
    /// Starts a list of `expected` steps.
    pub(crate) fn new(expected: usize) -> Self {
        Self { expected, finished: Vec::new(), started: Instant::now() }
    }

    /// Runs one step. Yields its value if it passed; an interrupt ends the whole list.
    pub(crate) fn run<T>(&mut self, title: &'static str, step: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
        eprintln!("\n[{}/{}] {title}", self.finished.len() + 1, self.expected);
        let started = Instant::now();
        let result = step();
        if interrupted() {
            bail!("interrupted; everything that was started is stopped");
        }
        let (outcome, value) = match result {
            Ok(value) => (Outcome::Passed, Some(value)),
            Err(error) => {
                eprintln!("{error:#}");
                (Outcome::Failed(format!("{error:#}")), None)
            }
        };
        self.finished.push(Step { title, took: started.elapsed(), outcome });
        Ok(value)
    }

    /// Records a step that is left out, and why.
    pub(crate) fn skip(&mut self, title: &'static str, why: &'static str) {
        self.finished.push(Step { title, took: Duration::ZERO, outcome: Outcome::Skipped(why) });
    }

    /// Prints the summary. Fails if a step failed.
    pub(crate) fn finish(self) -> ExitCode {
        eprintln!();
        for (number, step) in self.finished.iter().enumerate() {
            let said = match &step.outcome {
                Outcome::Passed => "ok".to_owned(),
                Outcome::Failed(why) => format!("FAILED: {}", why.lines().next().unwrap_or_default()),
                Outcome::Skipped(why) => format!("skipped: {why}"),
            };
            eprintln!("{:>3}. {:<24} {:>12}  {said}", number + 1, step.title, seconds(step.took));
        }
        let failed = self.finished.iter().filter(|step| matches!(step.outcome, Outcome::Failed(_))).count();
        let took = seconds(self.started.elapsed());
        if failed == 0 {
            eprintln!("everything passed in {took}");
            return ExitCode::SUCCESS;
        }
        eprintln!("{failed} of {} steps failed in {took}", self.finished.len());
        ExitCode::FAILURE
    }
}

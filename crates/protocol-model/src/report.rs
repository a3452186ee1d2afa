//! Explores a model and reports what was found.

use std::{
    num::NonZeroUsize,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use crate::protocol::{Protocol, Step};

/// What an exploration found.
#[derive(Debug)]
pub struct Report {
    /// Different states.
    pub states: usize,
    /// Steps of the longest path to a state on which no state is repeated.
    pub depth: usize,
    /// How long it took.
    pub duration: Duration,
    /// Properties that do not hold, each with the steps to a state in which it is violated.
    pub violated: Vec<(&'static str, Vec<Step>)>,
    /// Examples that were not found.
    pub missing: Vec<&'static str>,
}

impl Report {
    /// Whether every property holds and every example was found.
    pub fn holds(&self) -> bool {
        self.violated.is_empty() && self.missing.is_empty()
    }
}

/// Explores every state, or stops at the first violation of a property.
pub fn explore(protocol: Protocol) -> Report {
    let begin = Instant::now();
    let threads = available_parallelism().map_or(1, NonZeroUsize::get);
    let checker = protocol.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let mut found = checker.discoveries();
    let (mut violated, mut missing) = (Vec::new(), Vec::new());
    for property in checker.model().properties() {
        match (property.expectation, found.remove(property.name)) {
            (Expectation::Sometimes, None) => missing.push(property.name),
            (Expectation::Always | Expectation::Eventually, Some(path)) => {
                violated.push((property.name, path.into_actions()));
            }
            _ => {}
        }
    }
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    Report { states, depth, duration: begin.elapsed(), violated, missing }
}

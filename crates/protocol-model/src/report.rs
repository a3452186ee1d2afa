//! Explores a model and reports what was found.

use std::{
    fmt::Debug,
    hash::Hash,
    num::NonZeroUsize,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use stateright::{Checker, Expectation, HasDiscoveries, Model};

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
    pub violated: Vec<(&'static str, Vec<String>)>,
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
pub fn explore<M>(model: M) -> Report
where
    M: Model<State: Clone + Debug + Hash + PartialEq + Send + Sync, Action: Clone + Debug + PartialEq + Send + Sync>
        + Send
        + Sync
        + 'static,
    M::State: 'static,
{
    let begin = Instant::now();
    let threads = available_parallelism().map_or(1, NonZeroUsize::get);
    let checker = model.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let mut found = checker.discoveries();
    let (mut violated, mut missing) = (Vec::new(), Vec::new());
    for property in checker.model().properties() {
        match (property.expectation, found.remove(property.name)) {
            (Expectation::Sometimes, None) => missing.push(property.name),
            (Expectation::Always | Expectation::Eventually, Some(path)) => {
                violated.push((property.name, path.into_actions().iter().map(|step| format!("{step:?}")).collect()));
            }
            _ => {}
        }
    }
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    Report { states, depth, duration: begin.elapsed(), violated, missing }
}

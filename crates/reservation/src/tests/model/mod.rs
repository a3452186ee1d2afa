//! Model-based tests of the booking engine: for random operations, sequential and concurrent, responses and rows equal
//! those of a simple model of maps and integers (linearizability for the concurrent ones).
//!
//! - [`sequential_operations_match_the_model`]: every response and every row is predicted.
//! - [`concurrent_operations_have_an_order_that_matches_the_model`]: a few operations at a time run concurrently on two
//!   replicas; there must be an order in which the model gives the same responses and rows.
//!
//! `PROPTEST_CASES` makes it run for longer:
//! `PROPTEST_CASES=2000 cargo test -p staymesh-reservation tests::model`.

mod case;
mod real;
mod reference;
mod rows;

use std::{collections::BTreeSet, future::Future};

use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestCaseResult, TestRunner},
};
use tokio::runtime::Runtime;

use crate::check;
use case::{Case, Op, Timed};
use real::Real;
use reference::{Answer, Model};
use rows::Rows;

/// Cases of each property when `PROPTEST_CASES` does not say: a few seconds.
const CASES: u32 = 40;
/// Concurrent operations: few enough to try all their orders.
const CONCURRENT: usize = 5;

fn run<T: std::fmt::Debug, F: Future<Output = TestCaseResult>>(
    strategy: &impl Strategy<Value = T>,
    play: impl Fn(Real, T) -> F,
) {
    let runtime = Runtime::new().expect("a runtime");
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { CASES };
    // A case is replayed on a real database, so it is shrunk with patience but not for ever.
    let config = Config { cases, max_shrink_iters: 2_000, failure_persistence: None, ..Config::default() };
    let real = runtime.block_on(Real::new());
    let outcome = TestRunner::new(config).run(strategy, |case| runtime.block_on(play(real.clone(), case)));
    runtime.block_on(real.close());
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn sequential_operations_match_the_model() {
    run(&case::one_by_one(), |mut real, case| async move {
        let mut model = Model::new(&case);
        real.begin(&case).await;
        for timed in case.timed() {
            if matches!(timed.op, Op::Sweep { .. }) {
                real.settle().await;
            }
            let (expected, answered) = match &timed.op {
                // One batch or two, as it comes: the order of arrival is kept.
                Op::Together(creates) => {
                    let creates = Timed::batch(timed.now, creates);
                    let answered = real.together(&case, &creates).await;
                    let expected = creates.iter().map(|create| model.play(&case, create, &BTreeSet::new()));
                    // Competing holds are read after the whole batch.
                    (
                        expected.map(Answer::among_others).collect(),
                        answered.into_iter().map(Answer::among_others).collect(),
                    )
                }
                _ => (vec![model.play(&case, &timed, &BTreeSet::new())], vec![real.play(&case, &timed, 0).await]),
            };
            prop_assert_eq!(&expected, &answered, "expected and got, of {:?}", timed);
        }
        prop_assert_eq!(model.rows(), real.rows().await);
        require_clean(&real).await
    });
}

#[test]
fn concurrent_operations_have_an_order_that_matches_the_model() {
    run(&case::rounds(CONCURRENT), |mut real, case| async move {
        let mut model = Model::new(&case);
        real.begin(&case).await;
        for round in case.rounds_of(CONCURRENT) {
            let answers: Vec<_> = real.at_once(&case, &round).await.into_iter().map(Answer::among_others).collect();
            let rows = real.rows().await;
            let Some(next) = explain(&model, &case, &round, &answers, &rows) else {
                let observed: Vec<_> = round.iter().zip(&answers).collect();
                return Err(TestCaseError::fail(format!(
                    "no order explains\n{observed:#?}\nfrom\n{:#?}\nto\n{rows:#?}",
                    model.rows()
                )));
            };
            model = next;
        }
        require_clean(&real).await
    });
}

/// The model after some order of these operations that gives these answers and these rows.
fn explain(model: &Model, case: &Case, round: &[Timed], answers: &[Answer], rows: &Rows) -> Option<Model> {
    // A sweep skips rows that a concurrent transaction has locked; the next sweep releases them.
    let skipped = round.iter().filter_map(|timed| timed.op.slot()).filter(|slot| rows.is_pending(*slot)).collect();
    orders_of(round.len()).into_iter().find_map(|order| {
        let mut model = model.clone();
        let same = order.iter().all(|at| model.play(case, &round[*at], &skipped).among_others() == answers[*at]);
        (same && model.rows() == *rows).then_some(model)
    })
}

/// Every order of so many things.
fn orders_of(count: usize) -> Vec<Vec<usize>> {
    (0..count).fold(vec![vec![]], |orders, next| {
        orders
            .iter()
            .flat_map(|order| {
                (0..=order.len()).map(move |at| {
                    let mut longer = order.clone();
                    longer.insert(at, next);
                    longer
                })
            })
            .collect()
    })
}

async fn require_clean(real: &Real) -> TestCaseResult {
    let report = check::run(real.pool(), &check::Options::default(), |_| ()).await.expect("a report");
    prop_assert!(report.is_clean(), "{:?}", report.listed);
    Ok(())
}

//! A model-based test of bookings of several rooms and their changes: after each of random commands, the answer, the rooms
//! reserved in each night, the lines of every booking, its pending change and its revisions equal those of a simple model.
//!
//! The commands book up to three rooms, pay, change a room with a charge, a refund or neither, pay the difference or give it
//! up, cancel rooms and bookings, check guests in and out, close nights, block rooms, run both expiry jobs, and let the clock
//! jump. A case that fails is shrunk. `PROPTEST_CASES=2000 cargo test -p staymesh-reservation tests::changes` runs for longer.

mod case;
mod real;
mod reference;

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::runtime::Runtime;

use crate::check;
use real::Real;
use reference::Model;

/// Cases when `PROPTEST_CASES` does not say: a few seconds.
const CASES: u32 = 12;

#[test]
fn commands_on_bookings_of_several_rooms_match_the_model() {
    let runtime = Runtime::new().expect("a runtime");
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { CASES };
    let config = Config { cases, max_shrink_iters: 500, failure_persistence: None, ..Config::default() };
    let real = runtime.block_on(Real::new());
    let outcome = TestRunner::new(config).run(&case::commands(), |commands| {
        runtime.block_on(async {
            let (mut model, mut real) = (Model::default(), real.clone());
            real.begin().await;
            for (at, command) in commands.iter().enumerate() {
                let expected = model.carry_out(command);
                let answered = real.carry_out(command).await;
                prop_assert_eq!(expected, answered, "expected and got, of command {} of {:?}", at, commands);
                prop_assert_eq!(model.view(), real.view().await, "after command {} of {:?}", at, commands);
            }
            let report = check::run(real.pool(), &check::Options::default(), |_| ()).await.expect("a report");
            prop_assert!(report.is_clean(), "{:?}", report.listed);
            Ok(())
        })
    });
    runtime.block_on(real.close());
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

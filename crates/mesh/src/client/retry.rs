//! Retries of calls that may be repeated. Tonic's bodies cannot be cloned, so a retry makes the whole call again.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;
use tonic::{Code, Status};
use tower::retry::budget::{Budget, TpsBudget};

/// How many retries a channel may make: a fifth of its calls and two a second more. When everything fails, retries must
/// not make it worse.
#[derive(Clone)]
pub struct RetryBudget(Arc<TpsBudget>);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(Arc::new(TpsBudget::new(Duration::from_secs(10), 2, 0.2)))
    }
}

/// A failure that took longer is not repeated: it has used up time that its caller needs for an answer.
const SOON: Duration = Duration::from_secs(1);

/// Makes a call that may be repeated, at most three times, while the budget lasts. Only "unavailable" is repeated, and
/// only when it came soon: it says that nobody worked on the call, or that nothing is known, and both are safe for a
/// call that may be repeated.
///
/// The call is a closure that gives a future, not an async closure: those cannot be required to be `Send`.
///
/// # Errors
/// The status of the last attempt.
pub async fn retry<T, Call>(budget: &RetryBudget, mut call: impl FnMut() -> Call) -> Result<T, Status>
where
    Call: Future<Output = Result<T, Status>>,
{
    budget.0.deposit();
    let mut delays =
        ExponentialBuilder::default().with_min_delay(Duration::from_millis(20)).with_max_times(2).with_jitter().build();
    loop {
        let started = Instant::now();
        let status = match call().await {
            Ok(value) => return Ok(value),
            Err(status) if status.code() != Code::Unavailable || started.elapsed() > SOON => return Err(status),
            Err(status) => status,
        };
        let Some(delay) = delays.next() else {
            return Err(status);
        };
        if !budget.0.withdraw() {
            return Err(status);
        }
        tokio::time::sleep(delay).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn repeats_what_is_unavailable_three_times_and_nothing_else() {
        let budget = RetryBudget::default();
        let mut calls = 0;
        let result: Result<(), _> = retry(&budget, || {
            calls += 1;
            std::future::ready(Err(Status::unavailable("away")))
        })
        .await;
        assert!(result.is_err());
        assert_eq!(calls, 3);

        let mut calls = 0;
        let _: Result<(), _> = retry(&budget, || {
            calls += 1;
            std::future::ready(Err(Status::failed_precondition("no")))
        })
        .await;
        assert_eq!(calls, 1);
    }

    #[tokio::test]
    async fn a_failure_that_took_long_is_not_repeated() {
        let mut calls = 0;
        let result: Result<(), _> = retry(&RetryBudget::default(), || {
            calls += 1;
            async {
                tokio::time::sleep(SOON + Duration::from_millis(1)).await;
                Err(Status::unavailable("away"))
            }
        })
        .await;
        assert!(result.is_err());
        assert_eq!(calls, 1);
    }

    #[tokio::test]
    async fn the_budget_bounds_the_retries() {
        let budget = RetryBudget::default();
        let mut calls = 0;
        for _ in 0..100 {
            let _: Result<(), _> = retry(&budget, || {
                calls += 1;
                std::future::ready(Err(Status::unavailable("away")))
            })
            .await;
        }
        assert!((101..=150).contains(&calls), "{calls} calls for 100");
    }
}

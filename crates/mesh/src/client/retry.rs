//! Retries of idempotent calls, with exponential backoff, jitter and a retry budget.
//!
//! The budget is a token bucket that calls fill and retries drain, as in
//! [Finagle](https://twitter.github.io/finagle/guide/Clients.html#retries) (implementation: `tower::retry::budget`). It
//! bounds the extra load when everything fails. Tonic's bodies cannot be cloned, so a retry makes the whole call again.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;
use tonic::{Code, Status};
use tower::retry::budget::{Budget, TpsBudget};

/// The retry budget of a channel: 20 % of its calls within 10 s, plus two retries a second.
#[derive(Clone)]
pub struct RetryBudget(Arc<TpsBudget>);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(Arc::new(TpsBudget::new(Duration::from_secs(10), 2, 0.2)))
    }
}

/// A failure that took longer than this is not retried: it has used up time that the caller needs.
const RETRY_WITHIN: Duration = Duration::from_secs(1);

/// Makes an idempotent call: up to three attempts, 20 ms and 40 ms apart plus jitter, while the budget lasts.
///
/// Only `UNAVAILABLE` within one second is retried: the call did not reach the service or its outcome is unknown, and both
/// are safe to repeat for an idempotent call.
///
/// `call` is a closure that returns a future instead of an async closure, which cannot be required to be `Send`.
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
            Err(status) if status.code() != Code::Unavailable || started.elapsed() > RETRY_WITHIN => {
                return Err(status);
            }
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
    async fn retry_makes_three_attempts_if_unavailable_and_one_otherwise() {
        let budget = RetryBudget::default();
        let mut calls = 0;
        let result: Result<(), _> = retry(&budget, || {
            calls += 1;
            std::future::ready(Err(Status::unavailable("down")))
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
    async fn slow_failure_is_not_retried() {
        let mut calls = 0;
        let result: Result<(), _> = retry(&RetryBudget::default(), || {
            calls += 1;
            async {
                tokio::time::sleep(RETRY_WITHIN + Duration::from_millis(1)).await;
                Err(Status::unavailable("down"))
            }
        })
        .await;
        assert!(result.is_err());
        assert_eq!(calls, 1);
    }

    #[tokio::test]
    async fn retries_are_bounded_by_the_budget() {
        let budget = RetryBudget::default();
        let mut calls = 0;
        for _ in 0..100 {
            let _: Result<(), _> = retry(&budget, || {
                calls += 1;
                std::future::ready(Err(Status::unavailable("down")))
            })
            .await;
        }
        assert!((101..=150).contains(&calls), "{calls} calls for 100");
    }
}

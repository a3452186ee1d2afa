//! A circuit breaker: after a run of failures, calls fail at once for a while instead of each waiting for its deadline.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Instant;
use tonic::{Code, Status};
use tower::Service;

/// Failures in a row that open the breaker.
const FAILURES: u32 = 10;
/// How long it stays open before one call may try.
const OPEN_FOR: Duration = Duration::from_secs(1);

/// Counts failures of the service below and refuses calls while it is down.
#[derive(Clone)]
pub struct Breaker<S> {
    inner: S,
    name: &'static str,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

impl State {
    /// Whether a call may be made now. While open, one call in every `OPEN_FOR` may try.
    fn admit(&mut self, now: Instant) -> bool {
        match self.open_until {
            Some(until) if now < until => false,
            Some(_) => {
                self.open_until = Some(now + OPEN_FOR);
                true
            }
            None => true,
        }
    }

    fn succeeded(&mut self) {
        *self = Self::default();
    }

    fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES {
            self.open_until = Some(now + OPEN_FOR);
        }
    }
}

impl<S> Breaker<S> {
    /// A closed breaker around `inner`; `name` is for messages.
    pub fn new(name: &'static str, inner: S) -> Self {
        Self { inner, name, state: Arc::default() }
    }
}

impl<S, Request, Body> Service<Request> for Breaker<S>
where
    S: Service<Request, Response = http::Response<Body>>,
    S::Error: Into<tower::BoxError>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = tower::BoxError;
    type Future = BreakerFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let admitted = lock(&self.state).admit(Instant::now());
        let call = admitted.then(|| Box::pin(self.inner.call(request)));
        BreakerFuture { call, name: self.name, state: self.state.clone() }
    }
}

/// The answer of a call that the breaker let through, or its refusal.
pub struct BreakerFuture<F> {
    call: Option<Pin<Box<F>>>,
    name: &'static str,
    state: Arc<Mutex<State>>,
}

impl<F, Body, E> Future for BreakerFuture<F>
where
    F: Future<Output = Result<http::Response<Body>, E>>,
    E: Into<tower::BoxError>,
{
    type Output = Result<http::Response<Body>, tower::BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(call) = self.call.as_mut() else {
            let message = format!("the {} service has been failing; not called", self.name);
            return Poll::Ready(Err(Status::unavailable(message).into()));
        };
        let result = std::task::ready!(call.as_mut().poll(cx)).map_err(Into::into);
        let down = match &result {
            Ok(response) => Status::from_header_map(response.headers()).is_some_and(|status| is_down(status.code())),
            Err(error) => error.downcast_ref::<Status>().is_none_or(|status| is_down(status.code())),
        };
        let mut state = lock(&self.state);
        if down {
            state.failed(Instant::now());
        } else {
            state.succeeded();
        }
        drop(state);
        Poll::Ready(result)
    }
}

/// Answers about the request say that the service is up; these do not.
fn is_down(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled)
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_after_a_run_of_failures_and_lets_one_try_after_a_while() {
        let mut state = State::default();
        let now = Instant::now();
        for _ in 0..FAILURES {
            assert!(state.admit(now));
            state.failed(now);
        }
        assert!(!state.admit(now));
        let later = now + OPEN_FOR;
        assert!(state.admit(later), "one may try");
        assert!(!state.admit(later), "but only one");
        state.succeeded();
        assert!(state.admit(later));
    }

    #[test]
    fn a_success_in_between_keeps_it_closed() {
        let mut state = State::default();
        for _ in 0..3 * FAILURES {
            state.failed(Instant::now());
            state.succeeded();
        }
        assert!(state.admit(Instant::now()));
    }
}

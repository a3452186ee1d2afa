//! A circuit breaker ([pattern](https://martinfowler.com/bliki/CircuitBreaker.html)) with a deadline per call.
//!
//! - **Closed**: calls go through. After 10 consecutive failures the breaker opens.
//! - **Open**: calls fail immediately with `UNAVAILABLE`. After one second the breaker is half-open.
//! - **Half-open**: one call probes the service. Success closes the breaker, failure or no answer opens it again.
//!
//! A call that ran into its caller's nearer deadline is no failure of the service, and does not count.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::time::{Instant, timeout};
use tonic::{Code, Status, TimeoutExpired};
use tower::{Service, ServiceExt};

use crate::context::RequestContext;

/// Consecutive failures that open the breaker.
const FAILURE_THRESHOLD: u32 = 10;
/// How long the breaker stays open before a probe; also the interval between probes without an answer.
const OPEN_FOR: Duration = Duration::from_secs(1);

/// Applies a deadline to each call of the inner service, counts consecutive failures, and rejects calls while open.
#[derive(Clone)]
pub struct Breaker<S> {
    inner: S,
    name: &'static str,
    call_timeout: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Calls go through; so many consecutive ones have failed.
    Closed { failures: u32 },
    /// Calls are rejected until then.
    Open { until: Instant },
    /// One call probes the service. If it yields no verdict, the next probe may start then.
    HalfOpen { next_probe: Instant },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl State {
    /// Whether a call may be made now. Makes an open breaker half-open when its time is over.
    fn admit(&mut self, now: Instant) -> bool {
        match *self {
            Self::Closed { .. } => true,
            Self::Open { until: at } | Self::HalfOpen { next_probe: at } if now < at => false,
            Self::Open { .. } | Self::HalfOpen { .. } => {
                *self = Self::HalfOpen { next_probe: now + OPEN_FOR };
                true
            }
        }
    }

    fn on_success(&mut self) {
        *self = Self::default();
    }

    fn on_failure(&mut self, now: Instant) {
        *self = match *self {
            Self::Closed { failures } if failures + 1 < FAILURE_THRESHOLD => Self::Closed { failures: failures + 1 },
            _ => Self::Open { until: now + OPEN_FOR },
        };
    }
}

impl<S> Breaker<S> {
    /// A closed breaker around `inner`. `name` is that of the service, for messages; `call_timeout` limits each call.
    pub fn new(name: &'static str, call_timeout: Duration, inner: S) -> Self {
        Self { inner, name, call_timeout, state: Arc::default() }
    }
}

impl<S, Request, Body> Service<Request> for Breaker<S>
where
    S: Service<Request, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Error: Into<tower::BoxError>,
    S::Future: Send + 'static,
    Request: Send + 'static,
    Body: 'static,
{
    type Response = http::Response<Body>;
    type Error = tower::BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    /// Always ready. The inner service becomes ready within the deadline of the call, because it may never do so.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let limit = TimeLimit::of_current_request(self.call_timeout);
        let name = self.name;
        // Before the breaker: an expired deadline says nothing about the service.
        if limit.time.is_zero() {
            return rejected(Status::deadline_exceeded(format!("no time is left to call the {name} service")));
        }
        if !lock(&self.state).admit(Instant::now()) {
            return rejected(Status::unavailable(format!("the {name} service has been failing; not called")));
        }
        let (mut inner, state) = (self.inner.clone(), self.state.clone());
        Box::pin(async move {
            let answer = async { inner.ready().await.map_err(Into::into)?.call(request).await.map_err(Into::into) };
            let result = timeout(limit.time, answer).await.unwrap_or_else(|_| Err(limit.exceeded_by(name).into()));
            match verdict(&result, limit.full) {
                Verdict::Up => lock(&state).on_success(),
                Verdict::Down => lock(&state).on_failure(Instant::now()),
                Verdict::Unknown => {}
            }
            result
        })
    }
}

fn rejected<T>(status: Status) -> BoxFuture<'static, Result<T, tower::BoxError>>
where
    T: 'static,
{
    Box::pin(async { Err(status.into()) })
}

/// The deadline of a call. Enforced here, because a channel without a connection enforces none.
#[derive(Clone, Copy)]
struct TimeLimit {
    time: Duration,
    /// Whether this is the full `call_timeout`, not the remaining time of the current request.
    full: bool,
}

impl TimeLimit {
    fn of_current_request(call_timeout: Duration) -> Self {
        let time = RequestContext::current().map_or(call_timeout, |context| context.remaining().min(call_timeout));
        Self { time, full: time == call_timeout }
    }

    fn exceeded_by(self, name: &str) -> Status {
        let message = format!("the {name} service did not answer within {} ms", self.time.as_millis());
        if self.full { Status::unavailable(message) } else { Status::deadline_exceeded(message) }
    }
}

/// What the outcome of a call says about the service.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Up,
    Down,
    Unknown,
}

/// An error about the request shows that the service is up. A timeout shows that it is down only if the call had the full
/// time: otherwise callers with short deadlines would open the breaker for all others.
fn verdict<Body>(result: &Result<http::Response<Body>, tower::BoxError>, full_time: bool) -> Verdict {
    let code = match result {
        Ok(response) => Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code()),
        Err(error) => code_of(error.as_ref()),
    };
    match code {
        Code::Unavailable => Verdict::Down,
        Code::DeadlineExceeded | Code::Cancelled if full_time => Verdict::Down,
        Code::DeadlineExceeded | Code::Cancelled => Verdict::Unknown,
        _ => Verdict::Up,
    }
}

/// The gRPC code of an error; `UNAVAILABLE` for an error without one, such as a refused connection.
fn code_of(error: &(dyn Error + 'static)) -> Code {
    let mut causes = std::iter::successors(Some(error), |error| (*error).source());
    let code = causes.find_map(|cause| {
        let late = cause.is::<TimeoutExpired>().then_some(Code::DeadlineExceeded);
        cause.downcast_ref::<Status>().map(Status::code).or(late)
    });
    code.unwrap_or(Code::Unavailable)
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaker_opens_after_consecutive_failures_and_admits_one_probe_when_half_open() {
        let mut state = State::default();
        let now = Instant::now();
        for _ in 0..FAILURE_THRESHOLD {
            assert!(state.admit(now));
            state.on_failure(now);
        }
        assert!(!state.admit(now));
        let later = now + OPEN_FOR;
        assert!(state.admit(later), "a probe is admitted");
        assert!(!state.admit(later), "only one probe is admitted");
        state.on_success();
        assert!(state.admit(later));
    }

    #[test]
    fn success_resets_the_failure_count() {
        let mut state = State::default();
        for _ in 0..3 * FAILURE_THRESHOLD {
            state.on_failure(Instant::now());
            state.on_success();
        }
        assert!(state.admit(Instant::now()));
    }

    #[derive(Clone)]
    struct NeverReady;

    impl Service<()> for NeverReady {
        type Response = http::Response<()>;
        type Error = tower::BoxError;
        type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Pending
        }

        fn call(&mut self, (): ()) -> Self::Future {
            unreachable!("called although it is not ready")
        }
    }

    async fn call(breaker: &mut Breaker<NeverReady>) -> Status {
        let error = timeout(Duration::from_secs(10), breaker.call(())).await.unwrap().unwrap_err();
        *error.downcast().unwrap()
    }

    #[tokio::test]
    async fn channel_that_never_gets_ready_times_out_and_opens_the_breaker() {
        let mut breaker = Breaker::new("hotel", Duration::from_millis(5), NeverReady);
        for _ in 0..FAILURE_THRESHOLD {
            let status = call(&mut breaker).await;
            assert_eq!(status.code(), Code::Unavailable);
            assert!(status.message().contains("did not answer"), "{status:?}");
        }
        assert!(call(&mut breaker).await.message().contains("not called"));
    }

    #[tokio::test]
    async fn short_caller_deadlines_do_not_open_the_breaker() {
        let mut breaker = Breaker::new("hotel", Duration::from_mins(1), NeverReady);
        for time in [Duration::ZERO, Duration::from_millis(1)].repeat(2 * FAILURE_THRESHOLD as usize) {
            let context = RequestContext { request_id: Arc::from(""), deadline: Instant::now() + time };
            let status = context.scope(call(&mut breaker)).await;
            assert_eq!(status.code(), Code::DeadlineExceeded);
        }
        assert!(lock(&breaker.state).admit(Instant::now()));
    }

    #[test]
    fn timeout_counts_as_failure_only_with_the_full_time() {
        let answered = |code| Ok(Status::new(code, "").into_http::<()>());
        for (code, with_full_time, with_less) in [
            (Code::Unavailable, Verdict::Down, Verdict::Down),
            (Code::DeadlineExceeded, Verdict::Down, Verdict::Unknown),
            (Code::Cancelled, Verdict::Down, Verdict::Unknown),
            (Code::NotFound, Verdict::Up, Verdict::Up),
        ] {
            assert_eq!(verdict(&answered(code), true), with_full_time, "{code:?}");
            assert_eq!(verdict(&answered(code), false), with_less, "{code:?}");
        }
        assert_eq!(verdict(&Ok(http::Response::new(())), false), Verdict::Up);
        assert_eq!(verdict::<()>(&Err(TimeoutExpired(()).into()), false), Verdict::Unknown);
        assert_eq!(verdict::<()>(&Err(TimeoutExpired(()).into()), true), Verdict::Down);
        assert_eq!(verdict::<()>(&Err("connection refused".into()), false), Verdict::Down);
    }
}

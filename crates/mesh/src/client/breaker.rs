//! A circuit breaker: after a run of failures, calls fail at once for a while instead of each using up its time.

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

/// Failures in a row that open the breaker.
const FAILURES: u32 = 10;
/// How long it stays open before one call may try.
const OPEN_FOR: Duration = Duration::from_secs(1);

/// Ends calls of the service below when their time is over, counts its failures, and refuses calls while it is down.
#[derive(Clone)]
pub struct Breaker<S> {
    inner: S,
    name: &'static str,
    call_timeout: Duration,
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
    /// A closed breaker around `inner`; `name` is for messages. A call takes `call_timeout` at most.
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

    /// Always: a channel gets ready within the time of the call, for it may never get ready.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let allowance = Allowance::of_this_request(self.call_timeout);
        let name = self.name;
        // Before the breaker: that the caller is late says nothing about the service.
        if allowance.time.is_zero() {
            return refused(Status::deadline_exceeded(format!("no time is left to call the {name} service")));
        }
        if !lock(&self.state).admit(Instant::now()) {
            return refused(Status::unavailable(format!("the {name} service has been failing; not called")));
        }
        let (mut inner, state) = (self.inner.clone(), self.state.clone());
        Box::pin(async move {
            let answer = async { inner.ready().await.map_err(Into::into)?.call(request).await.map_err(Into::into) };
            let result =
                timeout(allowance.time, answer).await.unwrap_or_else(|_| Err(allowance.used_up_by(name).into()));
            match verdict(&result, allowance.full) {
                Verdict::Up => lock(&state).succeeded(),
                Verdict::Down => lock(&state).failed(Instant::now()),
                Verdict::Unknown => {}
            }
            result
        })
    }
}

fn refused<T>(status: Status) -> BoxFuture<'static, Result<T, tower::BoxError>>
where
    T: 'static,
{
    Box::pin(async { Err(status.into()) })
}

/// The time that a call may take. Kept here, for the channel below keeps no time while it has no connection.
#[derive(Clone, Copy)]
struct Allowance {
    time: Duration,
    /// Whether that is all a call may ever have, and not what the caller has left.
    full: bool,
}

impl Allowance {
    fn of_this_request(call_timeout: Duration) -> Self {
        let time = RequestContext::current().map_or(call_timeout, |context| context.remaining().min(call_timeout));
        Self { time, full: time == call_timeout }
    }

    fn used_up_by(self, name: &str) -> Status {
        let message = format!("the {name} service did not answer within {} ms", self.time.as_millis());
        if self.full { Status::unavailable(message) } else { Status::deadline_exceeded(message) }
    }
}

/// What an answer says about the service.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Up,
    Down,
    Unknown,
}

/// An answer about the request says that the service is up. Lateness says that it is down only if it had all the time
/// that a call may take: otherwise impatient callers would take the service away from everybody.
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

/// Of an error without a status, as a connection that cannot be made, nothing is known but that there was no answer.
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
    async fn a_channel_that_never_gets_ready_fails_in_time_and_opens_the_breaker() {
        let mut breaker = Breaker::new("hotel", Duration::from_millis(5), NeverReady);
        for _ in 0..FAILURES {
            let status = call(&mut breaker).await;
            assert_eq!(status.code(), Code::Unavailable);
            assert!(status.message().contains("did not answer"), "{status:?}");
        }
        assert!(call(&mut breaker).await.message().contains("not called"));
    }

    #[tokio::test]
    async fn callers_in_a_hurry_do_not_open_the_breaker() {
        let mut breaker = Breaker::new("hotel", Duration::from_mins(1), NeverReady);
        for time in [Duration::ZERO, Duration::from_millis(1)].repeat(2 * FAILURES as usize) {
            let context = RequestContext { request_id: Arc::from(""), deadline: Instant::now() + time };
            let status = context.scope(call(&mut breaker)).await;
            assert_eq!(status.code(), Code::DeadlineExceeded);
        }
        assert!(lock(&breaker.state).admit(Instant::now()));
    }

    #[test]
    fn lateness_counts_when_all_the_time_was_given() {
        let answered = |code| Ok(Status::new(code, "").into_http::<()>());
        for (code, in_full_time, in_less) in [
            (Code::Unavailable, Verdict::Down, Verdict::Down),
            (Code::DeadlineExceeded, Verdict::Down, Verdict::Unknown),
            (Code::Cancelled, Verdict::Down, Verdict::Unknown),
            (Code::NotFound, Verdict::Up, Verdict::Up),
        ] {
            assert_eq!(verdict(&answered(code), true), in_full_time, "{code:?}");
            assert_eq!(verdict(&answered(code), false), in_less, "{code:?}");
        }
        assert_eq!(verdict(&Ok(http::Response::new(())), false), Verdict::Up);
        assert_eq!(verdict::<()>(&Err(TimeoutExpired(()).into()), false), Verdict::Unknown);
        assert_eq!(verdict::<()>(&Err(TimeoutExpired(()).into()), true), Verdict::Down);
        assert_eq!(verdict::<()>(&Err("connection refused".into()), false), Verdict::Down);
    }
}

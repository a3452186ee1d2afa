//! Crash points: named places in the code at which a test can kill the process, to prove that the work survives it.
//!
//! They exist only in builds with debug assertions. A release build contains no trace of them: [`Step::around`] returns
//! the future it was given.

/// Crash point. Kills the process if `STAYMESH_FAULT == name`. Debug builds only.
///
/// The process dies by SIGKILL: immediately, without writing, sending or closing anything.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    use std::sync::LazyLock;

    use rustix::process::{Signal, getpid, kill_process};

    static WANTED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("STAYMESH_FAULT").ok());
    if WANTED.as_deref() == Some(name) {
        eprintln!("{{\"level\":\"WARN\",\"message\":\"killed at crash point {name} (STAYMESH_FAULT)\"}}");
        // The signal ends the process before this call returns.
        let _ = kill_process(getpid(), Signal::KILL);
    }
}

/// Crash point. Compiled to nothing in release builds.
#[cfg(not(debug_assertions))]
#[inline]
pub fn point(_: &str) {}

/// A named step of a multi-step operation, with one crash point before it (`NAME.before`) and one after it
/// (`NAME.after`).
///
/// ```
/// use staymesh_mesh::fault::Step;
///
/// const ORDER_SAVED: Step = Step("payment.order-saved");
///
/// async fn save(transaction: impl Future<Output = Result<(), std::io::Error>>) -> Result<(), std::io::Error> {
///     ORDER_SAVED.around(transaction).await
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step(pub &'static str);

impl Step {
    /// The names of the crash points: before the step, after the step.
    pub fn points(self) -> [String; 2] {
        [format!("{}.before", self.0), format!("{}.after", self.0)]
    }

    /// Runs `step` between its two crash points and returns its output, whether it succeeded or failed.
    ///
    /// Crash point. Kills the process if `STAYMESH_FAULT` is one of [`Self::points`]. Debug builds only: a release build
    /// returns `step` itself.
    #[cfg(debug_assertions)]
    pub async fn around<F: Future>(self, step: F) -> F::Output {
        let [before, after] = self.points();
        point(&before);
        let output = step.await;
        point(&after);
        output
    }

    /// Returns `step`: release builds have no crash points.
    #[cfg(not(debug_assertions))]
    #[inline]
    pub fn around<F: Future>(self, step: F) -> F {
        step
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::Step;

    const NAME_OF_TEST: &str = "fault::tests::process_dies_at_the_named_crash_point_only";

    /// Runs this test again in a process of its own that passes `point` and both points of a step, with `STAYMESH_FAULT`
    /// set to `fault`. Returns the signal that killed it.
    fn signal_of_run(point: &str, fault: &str) -> Option<i32> {
        let mut run = Command::new(std::env::current_exe().expect("a path"));
        run.args(["--exact", NAME_OF_TEST, "--nocapture"]);
        run.env("STAYMESH_FAULT", fault).env("PASS_POINT", point);
        run.output().expect("runs").status.signal()
    }

    #[tokio::test]
    async fn process_dies_at_the_named_crash_point_only() {
        if let Ok(point) = std::env::var("PASS_POINT") {
            super::point(&point);
            assert_eq!(Step("step").around(async { 7 }).await, 7);
            return;
        }
        assert_eq!(signal_of_run("here", "here"), Some(9));
        assert_eq!(signal_of_run("there", "here"), None);
        for point in Step("step").points() {
            assert_eq!(signal_of_run("there", &point), Some(9), "{point}");
        }
        assert_eq!(signal_of_run("there", "step"), None);
    }

    #[tokio::test]
    async fn around_passes_an_error_on() {
        assert_eq!(Step("step").around(async { Err::<(), _>("failed") }).await, Err("failed"));
    }
}

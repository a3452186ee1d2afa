//! Deaths on purpose, between two steps that must survive them. Only in builds with debug assertions, as tests use them:
//! in a release build there is nothing of it.

/// A place at which tests have the process die as by SIGKILL: at once, with nothing written, sent or closed. It does when
/// `STAYMESH_FAULT` is this name.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    use std::sync::LazyLock;

    use rustix::process::{Signal, getpid, kill_process};

    static WANTED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("STAYMESH_FAULT").ok());
    if WANTED.as_deref() == Some(name) {
        eprintln!("{{\"level\":\"WARN\",\"message\":\"dying at {name}, as STAYMESH_FAULT asks\"}}");
        // The signal ends the process before this returns.
        let _ = kill_process(getpid(), Signal::KILL);
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
#[inline]
pub fn point(_: &str) {}

/// A step of work, by its name. Right before it and right after it are points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step(pub &'static str);

impl Step {
    /// The names of its two points.
    pub fn points(self) -> [String; 2] {
        [format!("{}.before", self.0), format!("{}.after", self.0)]
    }

    /// The [`point`] right before it.
    #[inline]
    pub fn before(self) {
        #[cfg(debug_assertions)]
        point(&self.points()[0]);
    }

    /// The [`point`] right after it.
    #[inline]
    pub fn after(self) {
        #[cfg(debug_assertions)]
        point(&self.points()[1]);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    /// Runs this test binary again as a process that comes to `point`, and yields the signal it died of.
    fn come_to(point: &str, asked: &str) -> Option<i32> {
        let mut again = Command::new(std::env::current_exe().expect("a path"));
        again.args(["--exact", "fault::tests::a_process_dies_where_it_is_asked_to", "--nocapture"]);
        again.env("STAYMESH_FAULT", asked).env("COME_TO", point);
        again.output().expect("runs").status.signal()
    }

    #[test]
    fn a_process_dies_where_it_is_asked_to() {
        if let Ok(point) = std::env::var("COME_TO") {
            super::point(&point);
            super::Step("step").before();
            super::Step("step").after();
            return;
        }
        assert_eq!(come_to("here", "here"), Some(9));
        assert_eq!(come_to("there", "here"), None);
        for point in super::Step("step").points() {
            assert_eq!(come_to("there", &point), Some(9), "{point}");
        }
        assert_eq!(come_to("there", "step"), None);
    }
}

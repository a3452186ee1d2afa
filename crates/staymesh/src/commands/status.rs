//! Exit statuses of the commands, for schedulers: whether to run a command again, or to call a person.

use std::{fmt, process::ExitCode};

/// Status of a command that is complete and whose result needs a person. A repetition finds the same.
const FINDINGS: u8 = 3;

/// A complete run that found something which only a person can settle: open cases, violated invariants, payments that the
/// database refuses. Displays what was found.
#[derive(Debug)]
pub(crate) struct Findings(pub(crate) String);

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Findings {}

/// The exit status of a command:
///
/// | Status | Meaning | Run it again? |
/// |---|---|---|
/// | 0 | done | |
/// | 1 | it failed or is incomplete | yes: commands are idempotent |
/// | 2 | wrong arguments or settings (given by the argument parser) | no |
/// | 3 | complete, with [`Findings`] | no |
pub(crate) fn of(outcome: &anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Findings>() => ExitCode::from(FINDINGS),
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn findings_have_a_status_of_their_own_and_failures_have_not() {
        let findings = Err(Findings("3 cases are not resolved".to_owned()).into());
        assert_eq!(of(&findings), ExitCode::from(3));
        assert_eq!(of(&Err(anyhow!("no connection"))), ExitCode::FAILURE);
        assert_eq!(of(&Ok(())), ExitCode::SUCCESS);
    }
}

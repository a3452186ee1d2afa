//! The identity of a run, from which all its request ids and partner ids are derived.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::recording::{Recording, Window};

/// SHA-256 of the recording, its window and the name of the run. The same run has the same request ids in every attempt, so
/// that attempts are idempotent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run([u8; 32]);

impl Run {
    pub(super) fn new(recording: &Recording, window: Window, name: &str) -> Self {
        let bound = |date: Option<jiff::civil::Date>| date.map_or_else(String::new, |date| date.to_string());
        Self(hash(&recording.digest, &[&bound(window.from), &bound(window.until), name]))
    }

    /// The `request_id` for the creation of `what`.
    pub(super) fn request_id(&self, what: &[&str]) -> String {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash(&self.0, what)[..16]);
        Uuid::new_v8(bytes).to_string()
    }

    /// The prefix of its partner ids.
    pub(super) fn partners(&self) -> String {
        let mut id = [0; 8];
        id.copy_from_slice(&self.0[..8]);
        format!("replay-{:016x}-", u64::from_be_bytes(id))
    }

    /// The prefix of the partner ids of a new attempt.
    pub(super) fn partners_of_an_attempt(&self) -> String {
        format!("{}{}-", self.partners(), &Uuid::new_v4().simple().to_string()[..12])
    }
}

fn hash(base: &[u8; 32], parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(base);
    for part in parts {
        // The length prefix distinguishes ("ab", "c") from ("a", "bc").
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use jiff::civil::date;

    use super::*;

    #[test]
    fn run_id_is_deterministic_and_depends_on_every_input() {
        let recording = |byte| Recording { digest: [byte; 32], rows: Vec::new(), left_out: BTreeMap::new() };
        let window = Window { from: Some(date(2016, 1, 1)), until: None };
        let other = Window { from: None, until: Some(date(2016, 1, 1)) };
        let runs = [
            Run::new(&recording(1), Window::default(), "1"),
            Run::new(&recording(2), Window::default(), "1"),
            Run::new(&recording(1), Window::default(), "2"),
            Run::new(&recording(1), window, "1"),
            Run::new(&recording(1), other, "1"),
        ];
        assert_eq!(runs.iter().map(Run::partners).collect::<HashSet<_>>().len(), runs.len());
        let ids: HashSet<_> =
            runs.iter().flat_map(|run| [run.request_id(&["a", "bc"]), run.request_id(&["ab", "c"])]).collect();
        assert_eq!(ids.len(), 2 * runs.len());
        assert_eq!(Run::new(&recording(1), window, "1"), runs[3]);
    }
}

//! What names a run, and with it everything that it makes in the mesh.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::recording::{Recording, Window};

/// A run: the recording, the part of it that is played, and the operator's name for it. The same run makes the same
/// things, whenever and from wherever it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run([u8; 32]);

impl Run {
    pub(super) fn new(recording: &Recording, window: Window, name: &str) -> Self {
        let bound = |date: Option<jiff::civil::Date>| date.map_or_else(String::new, |date| date.to_string());
        Self(hash(&recording.digest, &[&bound(window.from), &bound(window.until), name]))
    }

    /// The `request_id` with which something is made.
    pub(super) fn request_id(&self, what: &[&str]) -> String {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash(&self.0, what)[..16]);
        Uuid::new_v8(bytes).to_string()
    }

    /// What the ids of its partners begin with.
    pub(super) fn partners(&self) -> String {
        let id = u64::from_be_bytes(self.0.first_chunk().copied().unwrap_or_default());
        format!("replay-{id:016x}-")
    }

    /// What the ids of the partners of one attempt at it begin with.
    pub(super) fn partners_of_an_attempt(&self) -> String {
        format!("{}{}-", self.partners(), &Uuid::new_v4().simple().to_string()[..12])
    }
}

fn hash(base: &[u8; 32], parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(base);
    for part in parts {
        // The length keeps ("ab", "c") apart from ("a", "bc").
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
    fn whatever_differs_makes_another_run_and_the_same_makes_the_same() {
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

//! The refusal of a change by the credit of the partner who collects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use staymesh_mesh::{Problem, Reason};

/// `PARTNER_CREDIT_EXCEEDED` as the payment service said it, kept so that a repeat of the request gets the same answer. Its
/// JSON form is in `reservation_change.refusal`; it must not change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CreditRefusal {
    message: String,
    metadata: BTreeMap<String, String>,
}

impl CreditRefusal {
    /// What a problem says.
    pub(crate) fn new(problem: &Problem) -> Self {
        let metadata = problem.metadata().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Self { message: problem.message().to_owned(), metadata }
    }
}

impl From<CreditRefusal> for Problem {
    fn from(refusal: CreditRefusal) -> Self {
        let problem = Self::new(Reason::PartnerCreditExceeded, refusal.message);
        refusal.metadata.into_iter().fold(problem, |problem, (key, value)| problem.with(&key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_is_the_same_problem_after_it_was_stored() {
        let problem = Problem::new(Reason::PartnerCreditExceeded, "pay first").with("limit", "300.00");
        let stored = serde_json::to_string(&CreditRefusal::new(&problem)).expect("JSON");
        assert_eq!(stored, r#"{"message":"pay first","metadata":{"limit":"300.00"}}"#);
        let read = Problem::from(serde_json::from_str::<CreditRefusal>(&stored).expect("a refusal"));
        assert_eq!(read.reason(), Reason::PartnerCreditExceeded);
        assert_eq!(read.message(), "pay first");
        assert_eq!(read.metadata().collect::<Vec<_>>(), [("limit", "300.00")]);
    }
}

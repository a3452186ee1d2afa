//! Table `create_request`: the first answer to each create that carried a `request_id`.

use staymesh_store::idempotency::FirstAnswers;

/// First answers, keyed by the caller's token subject and the request id. An answer is an encoded response message of
/// the contract.
pub(crate) const FIRST_ANSWERS: FirstAnswers = FirstAnswers::new("create_request");

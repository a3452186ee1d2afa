//! Calls between services: deadline, trace and request id propagation, service identity, circuit breaker, client-side load
//! balancing and retries with a budget.

mod breaker;
mod channel;
mod outgoing;
mod resolve;
mod retry;
mod tokens;

pub use breaker::Breaker;
pub use channel::{ClientError, Mesh, MeshChannel};
pub use outgoing::Outgoing;
pub use retry::{RetryBudget, retry};
pub use tokens::ServiceTokens;

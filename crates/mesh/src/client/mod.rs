//! How one service calls another: deadline, trace, request id, service identity, circuit breaker, balancing and retries.

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

//! The server and the client stack against each other, over real connections.

mod calls;
mod held;
mod keys;
mod redis;
mod revocation;
mod server;
mod shutdown;
mod support;
mod tls;

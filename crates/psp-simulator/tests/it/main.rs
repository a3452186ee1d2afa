//! The simulator over real HTTP: as a merchant, as a guest, and as the receiver of its webhooks.

#[cfg(test)]
mod http;

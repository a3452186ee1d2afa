//! The adapter against responses of every kind, and against the real simulator over HTTP.

mod adapter;
mod return_url;
mod settlement;

//! The commands of the binary, one file per command.

pub(crate) mod check;
mod dead_letters;
pub(crate) mod edge;
pub(crate) mod identity;
pub(crate) mod job;
pub(crate) mod migrate;
pub(crate) mod payout;
mod post_missing;
pub(crate) mod reconcile;
pub(crate) mod serve;
pub(crate) mod status;

use std::time::Duration;

use staymesh_store::StoreConfig;

/// Raises the statement and connection timeouts for commands that read whole tables: the defaults are for requests.
fn patient(mut store: StoreConfig) -> StoreConfig {
    store.database_statement_timeout = store.database_statement_timeout.max(Duration::from_mins(15));
    store.database_acquire_timeout = store.database_acquire_timeout.max(Duration::from_secs(30));
    store
}

//! Ends holds that nobody has paid in time (R14). Every replica does it; a hold ends once, because its row is locked
//! while it is looked at and changed.

use std::time::Duration;

use jiff::Timestamp;
use staymesh_store::{bounded, outbox::Wake};
use tokio_util::sync::CancellationToken;

use crate::store::Store;

/// How long a hold may outlive its time when nothing is wrong.
const EVERY: Duration = Duration::from_secs(1);
/// Holds ended in one transaction: few enough that nobody waits long for their rows.
const BATCH: i64 = 500;

/// How long that may take when the database hangs.
const LIMIT: Duration = Duration::from_secs(15);

/// Ends holds until `stop`. Outages of the database are waited out.
pub async fn run(store: Store, wake: Wake, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let ended = match bounded(LIMIT, store.end_holds(Timestamp::now(), BATCH)).await {
            Ok(ended) => ended,
            Err(error) => {
                tracing::warn!(error.cause = %error, "cannot end holds");
                0
            }
        };
        if ended > 0 {
            tracing::info!(holds = ended, "holds have expired");
            wake.wake();
        }
        // A full batch means that there are more: no rest.
        if i64::try_from(ended) != Ok(BATCH) {
            stop.run_until_cancelled(tokio::time::sleep(EVERY)).await;
        }
    }
}

//! Ends holds that nobody has paid in time (R14). Every replica does it; a hold ends once, because its row is locked
//! and looked at again before anything is changed.

use std::time::Duration;

use jiff::Timestamp;
use staymesh_store::outbox::Wake;
use tokio_util::sync::CancellationToken;

use crate::{lifecycle::Command, store::Store};

/// How long a hold may outlive its time when nothing is wrong.
const EVERY: Duration = Duration::from_secs(1);
/// Holds ended in one go.
const BATCH: i64 = 500;

/// Ends holds until `stop`. Outages of the database are waited out.
pub(crate) async fn run(store: Store, wake: Wake, stop: CancellationToken) {
    loop {
        let full = sweep(&store, &wake, &stop).await;
        // A full batch means that there are more: no rest.
        if !full && stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() || stop.is_cancelled() {
            return;
        }
    }
}

async fn sweep(store: &Store, wake: &Wake, stop: &CancellationToken) -> bool {
    let now = Timestamp::now();
    let ids = match store.expired_holds(now, BATCH).await {
        Ok(ids) => ids,
        Err(error) => {
            tracing::warn!(error.cause = %error, "cannot look for expired holds");
            return false;
        }
    };
    let mut ended = 0;
    for id in &ids {
        if stop.is_cancelled() {
            break;
        }
        match store.apply(*id, &Command::Expire, now, |_| Ok(())).await {
            Ok(applied) => {
                ended += 1;
                if applied.wake {
                    wake.wake();
                }
            }
            Err(error) => tracing::warn!(reservation_id = %id, error.cause = %error, "cannot end a hold"),
        }
    }
    if ended > 0 {
        tracing::info!(holds = ended, "holds have expired");
    }
    // Only when all went well, or a hold that cannot be ended would keep us spinning.
    ended == ids.len() && i64::try_from(ids.len()) == Ok(BATCH)
}

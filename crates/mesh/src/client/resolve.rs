//! DNS resolution for load balancing: keeps the endpoints of a channel equal to the addresses of a name.

use std::{collections::HashSet, net::SocketAddr, time::Duration};

use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Endpoint, channel::Change};

/// Interval between look-ups.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(5);

/// Looks the name up periodically until `stop` and sends the differences. A failed look-up keeps the endpoints.
pub(super) async fn follow(
    host: String,
    port: u16,
    endpoint: impl Fn(SocketAddr) -> Option<Endpoint> + Send + 'static,
    changes: Sender<Change<SocketAddr, Endpoint>>,
    stop: CancellationToken,
) {
    let mut known = HashSet::new();
    loop {
        match tokio::net::lookup_host((host.as_str(), port)).await {
            Ok(found) => {
                let found: HashSet<_> = found.collect();
                for change in difference(&known, &found, &endpoint) {
                    if changes.send(change).await.is_err() {
                        return;
                    }
                }
                known = found;
            }
            Err(error) => tracing::warn!(host, %error, "DNS look-up failed, keeping the known addresses"),
        }
        if stop.run_until_cancelled(tokio::time::sleep(LOOKUP_INTERVAL)).await.is_none() {
            return;
        }
    }
}

fn difference(
    known: &HashSet<SocketAddr>,
    found: &HashSet<SocketAddr>,
    endpoint: &impl Fn(SocketAddr) -> Option<Endpoint>,
) -> Vec<Change<SocketAddr, Endpoint>> {
    let gone = known.difference(found).map(|address| Change::Remove(*address));
    let new = found.difference(known).filter_map(|address| Some(Change::Insert(*address, endpoint(*address)?)));
    // Insertions first, so that the channel always has an endpoint.
    new.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_inserts_before_it_removes() {
        let address = |n: u16| SocketAddr::from(([127, 0, 0, 1], n));
        let known = HashSet::from([address(1), address(2)]);
        let found = HashSet::from([address(2), address(3)]);
        let endpoint = |a: SocketAddr| Endpoint::from_shared(format!("http://{a}")).ok();
        let changes = difference(&known, &found, &endpoint);
        assert!(matches!(changes[0], Change::Insert(a, _) if a == address(3)));
        assert!(matches!(changes[1], Change::Remove(a) if a == address(1)));
        assert_eq!(changes.len(), 2);
    }
}

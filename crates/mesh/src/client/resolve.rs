//! Keeps a balanced channel's endpoints equal to what the name server says.

use std::{collections::HashSet, net::SocketAddr, time::Duration};

use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Endpoint, channel::Change};

/// How often the name is looked up.
const EVERY: Duration = Duration::from_secs(5);

/// Looks a name up again and again until `stop`; a failed look-up changes nothing.
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
            Err(error) => tracing::warn!(host, %error, "name not found"),
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
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
    // New ones first, so that there is always somebody to call.
    new.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_addresses_come_before_old_ones_go() {
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

//! Many booking requests, prepared on every core before a measurement begins.

use anyhow::{Context, Result};
use staymesh_load::{
    Caller,
    booking::{self, BookingRequest},
};
use staymesh_reservation::{OfferKeys, offer_token::OfferSigner};

use crate::world::{Load, World};

/// Prepares `count` booking requests under `load`; callers are assigned round-robin.
pub(crate) fn prepare(
    world: World,
    load: Load,
    count: usize,
    callers: &[Caller],
    keys: &OfferKeys,
) -> Result<Vec<BookingRequest>> {
    let workers = std::thread::available_parallelism()?.get();
    std::thread::scope(|scope| {
        let shares: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    let signer = OfferSigner::new(keys);
                    (worker..count)
                        .step_by(workers)
                        .map(|number| {
                            let stay_request = world.stay_request(load)?;
                            booking::prepare(stay_request, number % callers.len(), callers, &signer)
                        })
                        .collect::<Result<Vec<_>>>()
                })
            })
            .collect();
        let mut requests = Vec::with_capacity(count);
        for share in shares {
            requests.extend(share.join().ok().context("a worker panicked")??);
        }
        Ok(requests)
    })
}

//! The limit of rooms that an account may hold unpaid. Counted in rooms, because one reservation may take 50.
//!
//! A per-account lease, so that nearly no booking reads the database for it: Each replica leases limit/8 rooms per
//! account locally, then re-reads the database and leases 1/4 of the remainder. Bound: n x limit, with n replicas.
//!
//! A replica counts what it has admitted and not yet answered (in flight), so by itself it never exceeds the limit,
//! however many requests arrive at once. What it does not see is what other replicas have admitted since its last read.
//! In practice an account exceeds the limit by limit/8 per further replica; only requests that reach several replicas
//! within the same milliseconds get near the bound. Any excess ends as every hold does. Most guests book once, within
//! the first lease. Nothing here locks what other accounts wait for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use staymesh_mesh::{Problem, auth::Role};
use uuid::Uuid;

use crate::{
    calendar::DateOutOfRange,
    error::ReservationError,
    model::{NewReservation, PaymentMode},
    offer_token::OFFER_LIFE,
    store::Store,
};

/// Most accounts with a lease; the database is read for each booking of any other.
const MAX_ACCOUNTS: usize = 50_000;
/// Shortest time between two searches for idle accounts, when there are that many.
const EVICT_INTERVAL: Duration = Duration::from_secs(1);
/// Allowed difference between the clocks of replicas.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(1);

/// Limits the rooms that an account holds unpaid.
pub struct UnpaidRoomLimit {
    guest: u32,
    partner: u32,
    hold: Duration,
    accounts: Mutex<Accounts>,
}

struct Accounts {
    by_owner: HashMap<String, Arc<Account>>,
    max: usize,
    last_eviction: Instant,
}

/// The lease of an account.
struct Account {
    /// Rooms of the lease that are left. Locked while the database is read, so that requests of one account are decided
    /// one after another.
    lease: tokio::sync::Mutex<i64>,
    in_flight: Mutex<InFlight>,
}

/// Admitted bookings without a result yet.
struct InFlight {
    /// By reservation id: its rooms, and the number of requests for it.
    bookings: HashMap<Uuid, (i64, usize)>,
    last_admission: Instant,
}

/// Keeps an admitted booking in flight; dropped with its result.
pub(super) struct InFlightGuard(Option<(Arc<Account>, Uuid)>);

impl UnpaidRoomLimit {
    /// The most rooms that a guest and a partner's client may hold unpaid, 0 for no limit, and how long a hold lasts.
    pub fn new(guest: u32, partner: u32, hold: Duration) -> Self {
        let accounts = Accounts { by_owner: HashMap::new(), max: MAX_ACCOUNTS, last_eviction: Instant::now() };
        Self { guest, partner, hold, accounts: Mutex::new(accounts) }
    }

    /// No limit for any account.
    pub fn unlimited() -> Self {
        Self::new(0, 0, Duration::ZERO)
    }

    /// Admits a booking within the limit. Another request for the same reservation is admitted without counting twice.
    ///
    /// # Errors
    /// [`ReservationError::TooManyUnpaidRooms`] with the time of a useful retry, and when the database fails.
    pub(super) async fn admit(
        &self,
        store: &Store,
        role: Role,
        order: &NewReservation,
        now: Timestamp,
    ) -> Result<InFlightGuard, ReservationError> {
        let limit = i64::from(if role == Role::Partner { self.partner } else { self.guest });
        if limit == 0 || order.payment_mode == PaymentMode::PartnerCollects {
            return Ok(InFlightGuard(None));
        }
        let (id, rooms) = (order.id.as_uuid(), i64::from(order.rooms.get()));
        let account = self.account(&order.owner, limit);
        let mut lease = account.lease.lock().await;
        if account.is_in_flight(id) {
            return Ok(account.clone().admit(id, rooms));
        }
        if *lease < rooms {
            let left = self.left(store, &account, order, limit, now).await?;
            *lease = rooms + (left - rooms) / 4;
        }
        *lease -= rooms;
        Ok(account.clone().admit(id, rooms))
    }

    /// Reads from the database how many rooms the account may still take; an error when they are too few for `order`.
    async fn left(
        &self,
        store: &Store,
        account: &Account,
        order: &NewReservation,
        limit: i64,
        now: Timestamp,
    ) -> Result<i64, ReservationError> {
        let (in_flight, rooms_in_flight) = account.in_flight();
        let wanted = i64::from(order.rooms.get());
        let spare = limit - rooms_in_flight - wanted;
        let unpaid = store.unpaid_holds(&order.owner, self.oldest_id(now)?, now, &in_flight, spare).await?;
        let left = limit - rooms_in_flight - unpaid.rooms;
        if wanted <= left {
            return Ok(left);
        }
        // A booking in flight may be held for a whole hold.
        let retry_time = unpaid.retry_time.or((wanted <= limit).then(|| now + self.hold));
        Err(ReservationError::TooManyUnpaidRooms { limit, held: unpaid.rooms + rooms_in_flight, wanted, retry_time })
    }

    /// The earliest time at which the id of a reservation with an unexpired hold can have been generated: ids are
    /// generated with the offer, which may be booked at the end of its life.
    fn oldest_id(&self, now: Timestamp) -> Result<Timestamp, ReservationError> {
        let hold = SignedDuration::try_from(self.hold).map_err(|error| Problem::internal(&error))?;
        let age = hold.checked_add(OFFER_LIFE).and_then(|age| age.checked_add(CLOCK_SKEW)).ok_or(DateOutOfRange)?;
        // A hold longer than the time since 1970 reaches all ids.
        Ok(now.checked_sub(age).map_err(|_| DateOutOfRange)?.max(Timestamp::UNIX_EPOCH))
    }

    fn account(&self, owner: &str, limit: i64) -> Arc<Account> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.by_owner.get(owner).filter(|account| account.is_active(self.hold)) {
            return account.clone();
        }
        accounts.by_owner.remove(owner);
        accounts.evict_idle(self.hold);
        if accounts.by_owner.len() >= accounts.max {
            return Arc::new(Account::new(0));
        }
        let account = Arc::new(Account::new(limit / 8));
        accounts.by_owner.insert(owner.to_owned(), account.clone());
        account
    }
}

impl Accounts {
    fn evict_idle(&mut self, hold: Duration) {
        if self.by_owner.len() >= self.max && self.last_eviction.elapsed() >= EVICT_INTERVAL {
            self.by_owner.retain(|_, account| account.is_active(hold));
            self.last_eviction = Instant::now();
        }
    }
}

impl Account {
    fn new(lease: i64) -> Self {
        let in_flight = InFlight { bookings: HashMap::new(), last_admission: Instant::now() };
        Self { lease: tokio::sync::Mutex::new(lease), in_flight: Mutex::new(in_flight) }
    }

    fn lock(&self) -> MutexGuard<'_, InFlight> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an admitted booking may still be held, or is in flight.
    fn is_active(self: &Arc<Self>, hold: Duration) -> bool {
        Arc::strong_count(self) > 1 || self.lock().last_admission.elapsed() < hold
    }

    fn is_in_flight(&self, id: Uuid) -> bool {
        self.lock().bookings.contains_key(&id)
    }

    /// The ids in flight, and their rooms together.
    fn in_flight(&self) -> (Vec<Uuid>, i64) {
        let in_flight = self.lock();
        (in_flight.bookings.keys().copied().collect(), in_flight.bookings.values().map(|(rooms, _)| rooms).sum())
    }

    fn admit(self: Arc<Self>, id: Uuid, rooms: i64) -> InFlightGuard {
        let mut in_flight = self.lock();
        in_flight.bookings.entry(id).or_insert((rooms, 0)).1 += 1;
        in_flight.last_admission = Instant::now();
        drop(in_flight);
        InFlightGuard(Some((self, id)))
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        let Some((account, id)) = self.0.take() else { return };
        let bookings = &mut account.lock().bookings;
        if let Some((_, requests)) = bookings.get_mut(&id) {
            *requests -= 1;
            if *requests == 0 {
                bookings.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests;

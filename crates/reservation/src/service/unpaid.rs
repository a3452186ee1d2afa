//! How many rooms an account may hold that nobody has paid for.
//!
//! Rooms and not bookings are counted: a booking may take 50. Who holds as many as the limit pays, cancels, or waits
//! until a hold ends.
//!
//! The count is taken before a booking goes to the writer, and takes no lock that others wait for. To look into the
//! database for each booking would cost about as much as the booking, so a process looks when it has to: an account may
//! take an eighth of the limit unseen, and after a look a quarter of what was left then. Nearly all guests make one
//! booking and are never looked up. What a process has let through is known to it until it is answered, so it lets nobody
//! beyond the limit, however many requests come at once. What it does not know is what other replicas have let through
//! since it looked, and what there was before it started. With n replicas an account gets beyond the limit by an eighth
//! of it for each of the others, by a quarter of what was left at worst, and by more only when its requests come to several
//! of them in the same milliseconds: never to more than n times the limit. It ends as every hold does.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use staymesh_mesh::auth::Role;
use uuid::Uuid;

use crate::{
    error::ReservationError,
    model::{NewReservation, PaymentMode},
    offer_token::OFFER_LIFE,
    store::Store,
};

/// Accounts that a process remembers; those beyond them are looked up with each booking.
const MOST_ACCOUNTS: usize = 50_000;
/// How often those that have booked nothing for long are looked for, when there are so many.
const FORGET_EVERY: Duration = Duration::from_secs(1);
/// Clocks of replicas may differ by so much.
const CLOCKS: SignedDuration = SignedDuration::from_mins(1);

/// Lets an account hold so many rooms without having paid for them.
pub struct UnpaidRooms {
    guest: u32,
    partner: u32,
    hold: Duration,
    accounts: Mutex<Accounts>,
}

struct Accounts {
    by_owner: HashMap<String, Arc<Account>>,
    most: usize,
    forgotten_at: Instant,
}

/// What a process knows of an account.
struct Account {
    /// Rooms that it may still take before the database is asked. Locked while it is asked, so that the requests of an
    /// account are decided one after another.
    credit: tokio::sync::Mutex<i64>,
    let_through: Mutex<Passed>,
}

/// What was let through.
struct Passed {
    /// And is not answered yet: the rooms of each booking, and how many requests want it.
    on_the_way: HashMap<Uuid, (i64, usize)>,
    last: Instant,
}

/// A booking that was let through; to be kept until it is answered.
pub(super) struct LetThrough(Option<(Arc<Account>, Uuid)>);

/// What an account holds unpaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unpaid {
    /// How many rooms.
    pub(crate) rooms: i64,
    /// When so many of its holds have ended that it may hold what it asked for, if nobody pays or cancels before.
    pub(crate) enough_free_at: Option<Timestamp>,
}

impl UnpaidRooms {
    /// A guest may hold so many rooms, and a partner so many, of which each hold lasts so long. Zero is no limit.
    pub fn new(guest: u32, partner: u32, hold: Duration) -> Self {
        let accounts = Accounts { by_owner: HashMap::new(), most: MOST_ACCOUNTS, forgotten_at: Instant::now() };
        Self { guest, partner, hold, accounts: Mutex::new(accounts) }
    }

    /// Whoever may book may hold whatever there is.
    pub fn unlimited() -> Self {
        Self::new(0, 0, Duration::ZERO)
    }

    /// Lets a booking through, or tells when it is worth trying again.
    ///
    /// # Errors
    /// [`ReservationError::TooManyUnpaidRooms`], and when the database fails.
    pub(super) async fn admit(
        &self,
        store: &Store,
        role: Role,
        order: &NewReservation,
        now: Timestamp,
    ) -> Result<LetThrough, ReservationError> {
        let limit = i64::from(if role == Role::Partner { self.partner } else { self.guest });
        if limit == 0 || order.payment_mode == PaymentMode::PartnerCollects {
            return Ok(LetThrough(None));
        }
        let (id, rooms) = (order.id.as_uuid(), i64::from(order.rooms.get()));
        let account = self.account(&order.owner, limit);
        let mut credit = account.credit.lock().await;
        if account.is_on_the_way(id) {
            return Ok(account.clone().let_through(id, rooms));
        }
        if *credit < rooms {
            let left = self.left(store, &account, order, limit, now).await?;
            *credit = rooms + (left - rooms) / 4;
        }
        *credit -= rooms;
        Ok(account.clone().let_through(id, rooms))
    }

    /// Asks the database how many rooms an account may still take, and refuses when they are too few.
    async fn left(
        &self,
        store: &Store,
        account: &Account,
        order: &NewReservation,
        limit: i64,
        now: Timestamp,
    ) -> Result<i64, ReservationError> {
        let (on_the_way, rooms_on_the_way) = account.on_the_way();
        let wanted = i64::from(order.rooms.get());
        let spare = limit - rooms_on_the_way - wanted;
        // Ids tell when they were made: when the offer was, and an offer lives for some time before it is booked.
        let hold = SignedDuration::try_from(self.hold).unwrap_or(SignedDuration::MAX);
        let oldest = now.checked_sub(hold.saturating_add(OFFER_LIFE).saturating_add(CLOCKS));
        let oldest = oldest.unwrap_or(Timestamp::UNIX_EPOCH);
        let unpaid = store.unpaid(&order.owner, oldest, now, &on_the_way, spare).await?;
        let left = limit - rooms_on_the_way - unpaid.rooms;
        if wanted <= left {
            return Ok(left);
        }
        // What is on the way may be held for a whole hold.
        let enough_free_at = unpaid.enough_free_at.or((wanted <= limit).then(|| now + self.hold));
        Err(ReservationError::TooManyUnpaidRooms {
            limit,
            held: unpaid.rooms + rooms_on_the_way,
            wanted,
            enough_free_at,
        })
    }

    fn account(&self, owner: &str, limit: i64) -> Arc<Account> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.by_owner.get(owner).filter(|account| account.matters(self.hold)) {
            return account.clone();
        }
        accounts.by_owner.remove(owner);
        accounts.make_room(self.hold);
        if accounts.by_owner.len() >= accounts.most {
            return Arc::new(Account::new(0));
        }
        let account = Arc::new(Account::new(limit / 8));
        accounts.by_owner.insert(owner.to_owned(), account.clone());
        account
    }
}

impl Accounts {
    fn make_room(&mut self, hold: Duration) {
        if self.by_owner.len() >= self.most && self.forgotten_at.elapsed() >= FORGET_EVERY {
            self.by_owner.retain(|_, account| account.matters(hold));
            self.forgotten_at = Instant::now();
        }
    }
}

impl Account {
    fn new(credit: i64) -> Self {
        let passed = Passed { on_the_way: HashMap::new(), last: Instant::now() };
        Self { credit: tokio::sync::Mutex::new(credit), let_through: Mutex::new(passed) }
    }

    fn passed(&self) -> MutexGuard<'_, Passed> {
        self.let_through.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something that was let through may still be held, or is not answered yet.
    fn matters(self: &Arc<Self>, hold: Duration) -> bool {
        Arc::strong_count(self) > 1 || self.passed().last.elapsed() < hold
    }

    fn is_on_the_way(&self, id: Uuid) -> bool {
        self.passed().on_the_way.contains_key(&id)
    }

    /// The bookings that are on the way, and their rooms.
    fn on_the_way(&self) -> (Vec<Uuid>, i64) {
        let passed = self.passed();
        (passed.on_the_way.keys().copied().collect(), passed.on_the_way.values().map(|(rooms, _)| rooms).sum())
    }

    fn let_through(self: Arc<Self>, id: Uuid, rooms: i64) -> LetThrough {
        let mut passed = self.passed();
        passed.on_the_way.entry(id).or_insert((rooms, 0)).1 += 1;
        passed.last = Instant::now();
        drop(passed);
        LetThrough(Some((self, id)))
    }
}

impl Drop for LetThrough {
    fn drop(&mut self) {
        let Some((account, id)) = self.0.take() else { return };
        let on_the_way = &mut account.passed().on_the_way;
        if let Some((_, requests)) = on_the_way.get_mut(&id) {
            *requests -= 1;
            if *requests == 0 {
                on_the_way.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests;

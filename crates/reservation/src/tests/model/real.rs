//! The same operations on the real store and writers.

use std::{collections::BTreeSet, sync::Arc};

use futures::future::join_all;
use jiff::Timestamp;
use sqlx::PgPool;
use staymesh_domain::{DateRange, HotelId, Money, PaymentId, ReservationId, RoomTypeId, StayDates};

use super::{
    case::{Case, HOLD, NIGHTS, Op, PLACES, SLOTS, Setting, TOTAL, Timed, Variant, date, hotel, start},
    reference::Answer,
    rows::{self, Rows, payment_id},
};
use crate::{
    calendar::today,
    error::ReservationError,
    expiry::release_expired,
    lifecycle::Command,
    model::{NewReservation, PaymentMode},
    quote::tests::quote_for,
    store::{HoldCursor, InventoryChange},
    testing::{World, hotel_id, lines, order_of},
    writer::{ChangeOrder, Created, Writer},
};

/// A database with two replicas of the writer. Cheap to clone.
#[derive(Clone)]
pub(super) struct Real {
    world: Arc<World>,
    replicas: [Writer; 2],
    /// By slot.
    ids: Vec<ReservationId>,
}

impl Real {
    pub(super) async fn new() -> Self {
        let world = World::new().await;
        let writer = || {
            let (writer, lanes) = Writer::new(&world.store, 2);
            for lane in lanes {
                tokio::spawn(lane);
            }
            writer
        };
        let replicas = [writer(), writer()];
        Self { world: Arc::new(world), replicas, ids: vec![] }
    }

    pub(super) async fn close(self) {
        self.world.pool().close().await;
    }

    pub(super) fn pool(&self) -> &PgPool {
        self.world.pool()
    }

    /// Deletes the previous case and puts this one's inventory on sale.
    pub(super) async fn begin(&mut self, case: &Case) {
        self.world
            .tamper(
                "delete from reservation_transition; delete from reservation_room; delete from reservation_revision;
                 delete from reservation; delete from outbox;
                 delete from room_type_inventory",
            )
            .await;
        self.ids = (0..SLOTS).map(|slot| ReservationId::generate(hotel_id(hotel(slot)), start())).collect();
        for (place, nights) in case.inventory.iter().enumerate() {
            for (night, rooms) in nights.iter().enumerate() {
                let Some((total, percent)) = *rooms else { continue };
                let setting = Setting { place, first: night, nights: 1, total, percent };
                let answer = self.set(std::slice::from_ref(&setting)).await;
                assert_eq!(answer, Answer::Set { nights: 1 });
            }
        }
    }

    pub(super) async fn rows(&self) -> Rows {
        rows::read(self.pool(), &self.ids).await.expect("rows")
    }

    /// Waits until no transaction is open. A refusal is answered before its transaction is rolled back, and a sweep skips
    /// rows that are still locked.
    pub(super) async fn settle(&self) {
        let open = "select count(*) from pg_stat_activity
             where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
                 and xact_start is not null";
        while self.world.count(open).await > 0 {
            tokio::task::yield_now().await;
        }
    }

    /// Runs all concurrently, alternating between the replicas.
    pub(super) async fn at_once(&self, case: &Case, round: &[Timed]) -> Vec<Answer> {
        self.settle().await;
        join_all(round.iter().enumerate().map(|(at, timed)| self.play(case, timed, at % 2))).await
    }

    /// Creations that arrive at one replica in this order.
    pub(super) async fn together(&self, case: &Case, creates: &[Timed]) -> Vec<Answer> {
        join_all(creates.iter().map(|timed| self.play(case, timed, 0))).await
    }

    pub(super) async fn play(&self, case: &Case, timed: &Timed, replica: usize) -> Answer {
        let now = timed.now;
        match &timed.op {
            Op::Create(slot, variant) => {
                let order = self.order(case, *slot, *variant, now);
                let booked = |new, booking: crate::Reservation| Answer::Booked { new, booking: (&booking).into() };
                match self.replicas[replica].book(order).await {
                    Ok(Created::New(booking)) => booked(true, booking),
                    Ok(Created::Repeat(booking)) => booked(false, booking),
                    Err(error) => refused(error),
                }
            }
            Op::Cancel(slot) => self.change(replica, *slot, Command::Cancel, now).await,
            Op::NoShow(slot) => self.change(replica, *slot, Command::MarkNoShow, now).await,
            Op::Confirm { slot, payment, amount } => {
                let command = Command::ConfirmPayment { payment_id: payment_of(*payment), amount: euros(*amount) };
                self.change(replica, *slot, command, now).await
            }
            Op::Reject(slot) => self.change(replica, *slot, Command::RejectPayment, now).await,
            Op::Refund { slot, payment, amount } => {
                let command = Command::ConfirmRefund { payment_id: payment_of(*payment), amount: euros(*amount) };
                self.change(replica, *slot, command, now).await
            }
            Op::Sweep { limit } => {
                let limit = i64::try_from(*limit).expect("few");
                let swept = release_expired(&self.world.store, now, HoldCursor::START, limit, &BTreeSet::new()).await;
                swept.map_or_else(refused, |swept| match swept.stuck.as_slice() {
                    [] => Answer::Swept(swept.expired),
                    stuck => Answer::Failed(format!("{stuck:?}")),
                })
            }
            Op::Set(settings) => self.set(settings).await,
            Op::Retire { hotel, room_type } => {
                let room_type = room_type.map(room_type_id);
                let done = self.world.store.retire(hotel_id(*hotel), room_type, today(now)).await;
                done.map_or_else(refused, |()| Answer::Retired)
            }
            Op::Together(_) | Op::Wait(_) | Op::Arrive(..) => Answer::Failed("no operation of its own".into()),
        }
    }

    async fn change(&self, replica: usize, slot: usize, command: Command, now: Timestamp) -> Answer {
        let order = ChangeOrder { id: self.ids[slot], command, now, trace_parent: None, origin: None, day_ends: None };
        match self.replicas[replica].change(order).await {
            Ok(applied) => {
                Answer::Applied { booking: (&applied.reservation).into(), refund_required: applied.refund_required }
            }
            Err(error) => refused(error),
        }
    }

    async fn set(&self, settings: &[Setting]) -> Answer {
        let hotel: HotelId = hotel_id(PLACES[settings[0].place].0);
        let changes: Vec<_> = settings.iter().map(change).collect();
        let done = self.world.store.set_inventory(hotel, &changes).await;
        done.map_or_else(refused, |set| Answer::Set { nights: set.nights })
    }

    fn order(&self, case: &Case, slot: usize, variant: Variant, now: Timestamp) -> NewReservation {
        let request = case.request(slot, variant);
        let nights = request.nights();
        let content = u8::from(variant == Variant::Other);
        let stay = StayDates::new(date(nights.start), date(nights.end)).expect("a stay");
        let room_type_id = room_type_id(PLACES[request.place(slot)].1);
        NewReservation {
            id: self.ids[slot],
            owner: if variant == Variant::Stranger { "a stranger" } else { "me" }.into(),
            payment_mode: if request.partner_collects { PaymentMode::PartnerCollects } else { PaymentMode::GuestPays },
            content_hash: [content; 32],
            hold_expire_time: (!request.partner_collects).then(|| now + HOLD),
            ..order_of(lines(room_type_id, stay, request.rooms, &quote_for(stay, TOTAL, 30)), now)
        }
    }
}

fn change(setting: &Setting) -> InventoryChange {
    let nights = setting.nights();
    InventoryChange {
        room_type_id: room_type_id(PLACES[setting.place].1),
        nights: DateRange::new(date(nights.start), date(nights.end)).expect("a range"),
        total_inventory: setting.total,
        overbooking_percent: Some(setting.percent),
        for_future_nights: false,
        etag: String::new(),
    }
}

fn refused(error: ReservationError) -> Answer {
    use ReservationError as E;
    match error {
        E::SoldOut { stay_date: Some(stay_date), hold_expire_time, .. } => Answer::SoldOut {
            night: (0..NIGHTS).find(|night| date(*night) == stay_date).expect("one of ours"),
            competing_hold_ends: hold_expire_time,
        },
        E::NotOnSale => Answer::NotOnSale,
        E::IdReused => Answer::IdReused,
        E::NotFound => Answer::NotFound,
        E::StayHasBegun => Answer::StayHasBegun,
        E::NotEligibleForNoShow { status, reason } => Answer::NotEligibleForNoShow { status, reason },
        E::NoShowOutOfTime { from, until } => Answer::NoShowOutOfTime { from, until },
        E::IllegalTransition { from, to } => Answer::Illegal { from, to },
        E::AmountMismatch => Answer::AmountMismatch,
        E::BelowReserved(_) => Answer::BelowReserved,
        E::HasFutureReservations => Answer::HasFutureReservations,
        error => Answer::Failed(format!("{error:?}")),
    }
}

fn room_type_id(id: i32) -> RoomTypeId {
    RoomTypeId::try_from(id).expect("an id")
}

fn payment_of(payment: u8) -> PaymentId {
    PaymentId::from(payment_id(payment))
}

fn euros(minor: i64) -> Money {
    Money::from_minor(minor, "EUR".parse().expect("a currency")).expect("an amount")
}

//! The same commands on the real store and writer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use sqlx::PgPool;
use staymesh_domain::{DateRange, Money, PaymentId, ReservationId, RoomId};
use uuid::Uuid;

use super::case::{Answer, Command, HOLD, HOTEL, NIGHTS, ROOMS, Room, View, date, room_type, room_view, start};
use crate::{
    error::ReservationError,
    expiry::{drop_expired, release_expired},
    lifecycle,
    model::{NewReservation, Reservation},
    room_status::RoomStatus,
    rooms_change::{PlacedRoom, RoomsChange},
    store::{HoldCursor, InventoryChange, NewOutOfOrder, OutOfOrderKind, StopSellChange},
    testing::{World, hotel_id, order_of},
    writer::{RevisionCommand, RevisionOrder, RevisionOutcome, apply, book_each, revise},
};

/// A database. Cheap to clone.
#[derive(Clone)]
pub(super) struct Real {
    world: Arc<World>,
    now: Timestamp,
    ids: BTreeMap<usize, ReservationId>,
    blocks: i32,
}

impl Real {
    pub(super) async fn new() -> Self {
        Self { world: Arc::new(World::new().await), now: start(), ids: BTreeMap::new(), blocks: 0 }
    }

    pub(super) async fn close(self) {
        self.world.pool().close().await;
    }

    pub(super) fn pool(&self) -> &PgPool {
        self.world.pool()
    }

    /// Deletes the previous case and puts the nights on sale.
    pub(super) async fn begin(&mut self) {
        self.world
            .tamper(
                "delete from reservation_transition; delete from room_status_change; delete from reservation_change;
                 delete from reservation_room; delete from reservation_revision; delete from reservation;
                 delete from outbox; delete from out_of_order; delete from room_type_inventory",
            )
            .await;
        let changes: Vec<_> = [1, 2]
            .into_iter()
            .map(|id| InventoryChange {
                room_type_id: room_type(id),
                nights: DateRange::new(date(0), date(NIGHTS)).expect("a range"),
                total_inventory: ROOMS,
                overbooking_percent: Some(0),
                for_future_nights: false,
                etag: String::new(),
            })
            .collect();
        self.world.store.set_inventory(hotel_id(HOTEL), &changes).await.expect("inventory");
    }

    pub(super) async fn view(&self) -> View {
        let mut view = View::default();
        let stay = staymesh_domain::StayDates::new(date(0), date(NIGHTS)).expect("a stay");
        let nights = self.world.store.nights_left(hotel_id(HOTEL), stay, &[room_type(1), room_type(2)]).await;
        for night in nights.expect("nights") {
            let key = (night.room_type_id.get(), (night.stay_date - date(0)).get_days());
            view.reserved.insert(key, night.total_reserved);
        }
        view.reserved.retain(|_, rooms| *rooms != 0);
        for (slot, id) in &self.ids {
            let Some(booking) = self.world.store.get(*id).await.expect("reads") else { continue };
            let revisions = self.world.store.revisions(*id, 0, 100).await.expect("revisions");
            let held = booking.status.holds_rooms();
            let rooms = booking.placed().iter().map(|room| room_view(room, held)).collect();
            let latest = revisions.last().expect("a revision");
            let agreed = |line: &crate::room_line::RoomLine| (line.room_type_id, line.stay, line.quote.total);
            let of_revision: Vec<_> = latest.lines.iter().map(agreed).collect();
            assert_eq!(of_revision, booking.lines.iter().map(agreed).collect::<Vec<_>>(), "the revision has its lines");
            let pending = booking.pending.as_ref().map(|pending| pending.revision);
            let (status, retained) = (booking.status.as_str().to_owned(), booking.retained.minor());
            view.bookings.insert(*slot, (status, booking.revision, revisions.len(), pending, retained, rooms));
        }
        view
    }

    pub(super) async fn carry_out(&mut self, command: &Command) -> Answer {
        self.now += SignedDuration::from_secs(1);
        let done = match command {
            Command::Book(slot, rooms) => self.book(*slot, rooms).await,
            Command::Pay(slot) => self.pay(*slot).await,
            Command::Change { slot, position, room, more, outdated } => {
                self.change(*slot, *position, *room, *more, *outdated).await
            }
            Command::PayChange { slot, revision, payment, minor } => {
                let payment = Some((payment_of(*payment), euros(*minor)));
                self.revise(*slot, RevisionCommand::Confirm { revision: *revision, payment }).await
            }
            Command::GiveUp(slot, revision) => self.revise(*slot, RevisionCommand::Drop { revision: *revision }).await,
            Command::CancelRooms(slot, positions) => {
                let positions = positions.iter().copied().collect();
                let command = RevisionCommand::CancelRooms { positions, content_hash: [2; 32], expected_refund: None };
                self.revise(*slot, command).await
            }
            Command::Cancel(slot) => self.apply(*slot, lifecycle::Command::Cancel).await,
            Command::CheckIn(slot, position) => {
                self.step(*slot, *position, RoomStatus::Live, RoomStatus::InHouse).await
            }
            Command::CheckOut(slot, position) => {
                self.step(*slot, *position, RoomStatus::InHouse, RoomStatus::Completed).await
            }
            Command::StopSell(room, closed) => self.stop_sell(*room, *closed).await,
            Command::OutOfOrder(room) => self.out_of_order(*room).await,
            Command::ExpireHolds => {
                let swept = release_expired(&self.world.store, self.now, HoldCursor::START, 10, &BTreeSet::new()).await;
                swept.map(|swept| Answer::Ended(swept.expired))
            }
            Command::ExpireChanges => drop_expired(&self.world.store, self.now, 10).await.map(Answer::Ended),
            Command::Wait(time) => {
                self.now += *time;
                Ok(Answer::Done)
            }
        };
        done.unwrap_or_else(Answer::from)
    }

    fn id(&self, slot: usize) -> Result<ReservationId, ReservationError> {
        self.ids.get(&slot).copied().ok_or(ReservationError::NotFound)
    }

    async fn booking(&self, slot: usize) -> Result<Reservation, ReservationError> {
        self.world.store.get(self.id(slot)?).await?.ok_or(ReservationError::NotFound)
    }

    async fn book(&mut self, slot: usize, rooms: &[Room]) -> Result<Answer, ReservationError> {
        if self.booking(slot).await.is_ok() {
            return Ok(Answer::Done);
        }
        let id = ReservationId::generate(hotel_id(HOTEL), self.now);
        let lines = rooms.iter().map(|room| room.line(0)).collect();
        let order = NewReservation { id, hold_expire_time: Some(self.now + HOLD), ..order_of(lines, self.now) };
        self.ids.insert(slot, id);
        let booked = book_each(&self.world.store, &[order]).await?.pop().expect("an outcome");
        booked.map(|_| Answer::Done)
    }

    async fn pay(&self, slot: usize) -> Result<Answer, ReservationError> {
        let amount = self.booking(slot).await?.first_total;
        self.apply(slot, lifecycle::Command::ConfirmPayment { payment_id: payment_of(9), amount }).await
    }

    async fn apply(&self, slot: usize, command: lifecycle::Command) -> Result<Answer, ReservationError> {
        let applied = apply(&self.world.store, self.booking(slot).await?.id, &command, self.now).await?;
        Ok(if applied.refund_required { Answer::RefundRequired } else { Answer::Done })
    }

    async fn revise(&self, slot: usize, command: RevisionCommand) -> Result<Answer, ReservationError> {
        let (id, now, actor) = (self.booking(slot).await?.id, self.now, "me".to_owned());
        let order = RevisionOrder { id, command, now, actor, trace_parent: None, origin: None };
        let revised = revise(&self.world.store, &order).await?;
        Ok(match revised.outcome {
            RevisionOutcome::RefundPayment => Answer::RefundRequired,
            RevisionOutcome::Changed | RevisionOutcome::Nothing | RevisionOutcome::CancelsAll => Answer::Done,
        })
    }

    async fn change(
        &self,
        slot: usize,
        position: i32,
        room: Room,
        more: i64,
        outdated: bool,
    ) -> Result<Answer, ReservationError> {
        let booking = self.booking(slot).await?;
        let rooms = booking.placed();
        let Some(before) = rooms.iter().find(|room| room.position == position) else { return Ok(Answer::Done) };
        let line = room.line(before.line.quote.total.minor() - room.line(0).quote.total.minor() + more);
        let kept = booking.positions.iter().copied().filter(|kept| *kept != position).collect();
        let change = RoomsChange::new(&rooms, kept, vec![PlacedRoom { position, line }], euros(0))?;
        let command = RevisionCommand::Apply {
            change,
            base: booking.revision - i32::from(outdated),
            request_id: Uuid::new_v4(),
            content_hash: [1; 32],
            expire_time: self.now + HOLD,
            limits: Box::default(),
        };
        self.revise(slot, command).await
    }

    async fn step(
        &self,
        slot: usize,
        position: i32,
        from: RoomStatus,
        to: RoomStatus,
    ) -> Result<Answer, ReservationError> {
        let booking = self.booking(slot).await?;
        let paid = booking.status == crate::Status::Paid;
        let is_there = booking.placed_lines().any(|(of, line)| of == position && line.status == from);
        if paid && is_there {
            let mut transaction = self.world.store.begin().await?;
            transaction.set_room_status(&booking, &[position], to, date(0), "staff").await?;
            transaction.commit().await?;
        }
        Ok(Answer::Done)
    }

    async fn stop_sell(&self, room: Room, closed: bool) -> Result<Answer, ReservationError> {
        let change = StopSellChange {
            room_types: [room_type(room.kind)].into(),
            nights: DateRange::new(date(room.nights().start), date(room.nights().end)).expect("a range"),
            stop_sell: closed,
            etags: BTreeMap::new(),
        };
        self.world.store.set_stop_sell(hotel_id(HOTEL), &change).await.map(|_| Answer::Done)
    }

    async fn out_of_order(&mut self, room: Room) -> Result<Answer, ReservationError> {
        self.blocks += 1;
        let new = NewOutOfOrder {
            id: Uuid::new_v4(),
            room_id: RoomId::try_from(self.blocks).expect("an id"),
            nights: DateRange::new(date(room.nights().start), date(room.nights().end)).expect("a range"),
            kind: OutOfOrderKind::OutOfOrder,
            reason: "a repair".to_owned(),
            force: false,
        };
        let blocked = self.world.store.create_out_of_order(hotel_id(HOTEL), &new, room_type(room.kind)).await;
        blocked.map(|_| Answer::Done)
    }
}

fn payment_of(payment: u8) -> PaymentId {
    PaymentId::from(Uuid::from_u128(u128::from(payment) + 1))
}

fn euros(minor: i64) -> Money {
    Money::from_minor(minor, "EUR".parse().expect("a currency")).expect("an amount")
}

//! Creates reservations: one statement that takes the rooms, inserts the reservations with their lines, and enqueues the events
//! of partner sales, all or nothing. The lines are the first revision until the first change, see migration 0072.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::{PgExecutor, Postgres, query::QueryAs};
use staymesh_domain::ReservationId;
use staymesh_store::{Cause, ResultExt, StoreError};
use uuid::Uuid;

use super::{
    Store, Transaction,
    hold_limits::{added, added_to_nights, is_refusal, share},
    lines::{LineColumns, reservation_columns},
    nights::{Columns, limit_of_sale},
    prices::WrittenPrices,
    rows::{ReservationRow, by_id},
};
use crate::{
    error::ReservationError,
    events::{SOLD_BY_PARTNER, SoldByPartner},
    model::{NewReservation, Reservation},
    night::{Night, day_of},
    room_line::{STANDARD_PLAN, guest_count, room_count},
};

/// The creation time of each reservation, by id.
pub(crate) type CreateTimes = BTreeMap<Uuid, Timestamp>;

/// The reservation that each owner has with a client reference.
pub(crate) type ClientReferences = BTreeMap<(String, String), ReservationId>;

/// The CHECK that keeps a night within its overbooking limit. It has the final decision on every booking.
pub(super) const NOT_OVERBOOKED: &str = "room_type_inventory_not_overbooked";
/// Raised when a night of a booking was never put on sale, is closed, or has too few rooms up to its limit of sale.
const ON_SALE: &str = "room_type_inventory_on_sale";
/// The reservation exists.
const ID_IS_UNIQUE: &str = "reservation_pkey";
/// The owner has a reservation with this client reference.
const REFERENCE_IS_UNIQUE: &str = "reservation_client_reference_idx";

impl Store {
    /// Creates all of the reservations in one statement with its own commit, or none. `None`: a night is sold out, closed or
    /// not on sale, too much would be held unpaid, or a reservation or one with its client reference exists.
    ///
    /// # Errors
    /// When the database fails; then it is unknown whether they were created.
    pub(crate) async fn create_all(&self, orders: &[&NewReservation]) -> Result<Option<CreateTimes>, ReservationError> {
        match create(&self.pool, orders, &Taking { nights: orders, limited: orders }).await {
            Ok(times) => Ok(Some(times)),
            Err(error) if is_refusal(&error) => Ok(None),
            Err(error) => match error.constraint() {
                Some(NOT_OVERBOOKED | ON_SALE | ID_IS_UNIQUE | REFERENCE_IS_UNIQUE) => Ok(None),
                _ => Err(error.into()),
            },
        }
    }
}

impl Transaction {
    /// Creates all of the reservations, which must have distinct ids and be within the limits of unpaid holds, as read
    /// under locks that are held. `None`: one of them, or one with its client reference, exists, and the transaction must be
    /// rolled back.
    ///
    /// # Errors
    /// [`ReservationError::SoldOut`], and when the database fails.
    pub(crate) async fn create_all(
        &mut self,
        orders: &[&NewReservation],
    ) -> Result<Option<CreateTimes>, ReservationError> {
        self.create(orders, &Taking { nights: orders, limited: &[] }).await
    }

    /// Creates a reservation of rooms that are reserved already, for the group block that it takes them from, which is locked.
    /// It must be within the limits of unpaid holds, as read under locks that are held. `None` as in [`Self::create_all`].
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn create_reserved(
        &mut self,
        order: &NewReservation,
    ) -> Result<Option<CreateTimes>, ReservationError> {
        self.create(&[order], &Taking { nights: &[], limited: &[] }).await
    }

    async fn create(
        &mut self,
        orders: &[&NewReservation],
        taking: &Taking<'_>,
    ) -> Result<Option<CreateTimes>, ReservationError> {
        match create(&mut *self.0, orders, taking).await {
            Err(error) if matches!(error.constraint(), Some(ID_IS_UNIQUE | REFERENCE_IS_UNIQUE)) => Ok(None),
            created => created
                .on_constraint(NOT_OVERBOOKED, |_| ReservationError::SoldOut {
                    room: None,
                    stay_date: None,
                    rooms_left: None,
                    hold_expire_time: None,
                })
                .map(Some),
        }
    }

    /// Those of the reservations that exist, by id, without locking them.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn existing(
        &mut self,
        orders: &[NewReservation],
    ) -> Result<BTreeMap<Uuid, Reservation>, ReservationError> {
        let rows: Vec<ReservationRow> = sqlx::query_as(concat!(
            "select ",
            reservation_columns!(),
            " from unnest($1::uuid[]) id
             join reservation r on r.hotel_id = reservation_hotel_id(id) and r.reservation_id = id"
        ))
        .bind(orders.iter().map(|order| order.id.as_uuid()).collect::<Vec<_>>())
        .fetch_all(&mut *self.0)
        .await?;
        Ok(by_id(rows)?)
    }

    /// The reservations that the owners of new ones have with their client references. Costs no statement without a reference.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn client_references(
        &mut self,
        orders: &[&NewReservation],
    ) -> Result<ClientReferences, ReservationError> {
        let pairs = orders.iter().filter_map(|order| Some((&*order.owner, order.client_reference.as_deref()?)));
        let (owners, references): (Vec<&str>, Vec<&str>) = pairs.unzip();
        if owners.is_empty() {
            return Ok(ClientReferences::new());
        }
        let rows: Vec<(String, String, Uuid)> = sqlx::query_as(
            "select r.owner, r.client_reference, r.reservation_id
             from unnest($1::text[], $2::text[]) w (owner, client_reference)
             join reservation r on r.owner = w.owner and r.client_reference = w.client_reference",
        )
        .bind(owners)
        .bind(references)
        .fetch_all(&mut *self.0)
        .await?;
        let known = |(owner, reference, id)| {
            let id = ReservationId::try_from(id).map_err(|_| unexpected("a reservation id does not fit"))?;
            Ok(((owner, reference), id))
        };
        rows.into_iter().map(known).collect()
    }
}

/// What a statement takes beside the reservations that it creates.
struct Taking<'a> {
    /// Those whose rooms it reserves; the rooms of the others are reserved already.
    nights: &'a [&'a NewReservation],
    /// Those that it counts in the limits of unpaid holds.
    limited: &'a [&'a NewReservation],
}

/// Creates all of the reservations, which must have distinct ids and client references, or none. Yields the creation time of
/// each.
///
/// # Errors
/// The constraint that refuses: [`NOT_OVERBOOKED`], [`ON_SALE`], [`ID_IS_UNIQUE`], [`REFERENCE_IS_UNIQUE`], or a limit of
/// unpaid holds.
async fn create(
    database: impl PgExecutor<'_>,
    orders: &[&NewReservation],
    taking: &Taking<'_>,
) -> Result<CreateTimes, StoreError> {
    if orders.is_empty() {
        return Ok(CreateTimes::new());
    }
    let sales = Sales::of(orders)?;
    let prices = orders.iter().map(|order| WrittenPrices::of(order)).collect::<Result<Vec<_>, _>>();
    let prices = prices.map_err(|error| unexpected(&format!("a price cannot be serialized: {error}")))?;
    let bound = |text| -> Result<Statement<'_>, StoreError> {
        let statement = bind_nights(bind_bookings(sqlx::query_as(text), orders, &prices)?, taking.nights)?;
        Ok(bind_lines(bind_limits(statement, orders, taking.limited), orders, &prices))
    };
    let statement = if sales.ids.is_empty() { bound(CREATE)? } else { sales.bind(bound(CREATE_AND_ENQUEUE)?) };
    let rows: Vec<(Uuid, jiff_sqlx::Timestamp)> = statement.fetch_all(database).await?;
    Ok(rows.into_iter().map(|(id, created)| (id, created.to_jiff())).collect())
}

type Statement<'a> = QueryAs<'a, Postgres, (Uuid, jiff_sqlx::Timestamp), sqlx::postgres::PgArguments>;

/// Binds the reservations as one array per column. Times are bound as microseconds since 1970, which are exact.
fn bind_bookings<'a>(
    statement: Statement<'a>,
    orders: &[&'a NewReservation],
    prices: &'a [WrittenPrices],
) -> Result<Statement<'a>, StoreError> {
    let room_type = |order: &&NewReservation| Some(order.lines.first()?.room_type_id.get());
    let room_types: Option<Vec<_>> = orders.iter().map(room_type).collect();
    let room_types = room_types.ok_or_else(|| unexpected("a reservation has no rooms"))?;
    let ints = |of: &dyn Fn(&NewReservation) -> i32| orders.iter().map(|order| of(order)).collect::<Vec<_>>();
    let texts = |of: fn(&NewReservation) -> &str| orders.iter().map(|order| of(order)).collect::<Vec<_>>();
    Ok(statement
        .bind(orders.iter().map(|order| order.id.as_uuid()).collect::<Vec<_>>())
        .bind(texts(|order| &order.owner))
        .bind(room_types)
        .bind(ints(&|order| day_of(order.stay.check_in())))
        .bind(ints(&|order| day_of(order.stay.check_out())))
        .bind(ints(&|order| room_count(&order.lines)))
        .bind(ints(&|order| guest_count(&order.lines)))
        .bind(texts(|order| &order.guest.full_name))
        .bind(texts(|order| &order.guest.email))
        .bind(texts(|order| order.payment_mode.as_str()))
        .bind(texts(|order| order.quote.currency().code()))
        .bind(orders.iter().map(|order| order.quote.total.minor()).collect::<Vec<_>>())
        .bind(prices.iter().map(WrittenPrices::for_release_before).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| order.content_hash.as_slice()).collect::<Vec<_>>())
        .bind(orders.iter().map(|order| order.hold_expire_time.map(Timestamp::as_microsecond)).collect::<Vec<_>>()))
}

/// Binds the lines as one array per column, and the client reference of each reservation.
fn bind_lines<'a>(
    statement: Statement<'a>,
    orders: &[&'a NewReservation],
    prices: &'a [WrittenPrices],
) -> Statement<'a> {
    let lines = LineColumns::of(orders, prices);
    statement
        .bind(lines.reservations)
        .bind(lines.positions)
        .bind(lines.room_types)
        .bind(lines.check_ins)
        .bind(lines.check_outs)
        .bind(lines.adults)
        .bind(lines.child_ages)
        .bind(lines.totals)
        .bind(lines.prices)
        .bind(STANDARD_PLAN)
        .bind(orders.iter().map(|order| order.client_reference.as_deref()).collect::<Vec<_>>())
        .bind(lines.guests)
}

/// Binds the rooms taken in each night, as one array per column in key order.
fn bind_nights<'a>(statement: Statement<'a>, orders: &[&NewReservation]) -> Result<Statement<'a>, StoreError> {
    let mut rooms: BTreeMap<Night, i32> = BTreeMap::new();
    for order in orders {
        for (night, more) in order.nights() {
            *rooms.entry(night).or_default() += more;
        }
    }
    let taken: Vec<i32> = rooms.values().copied().collect();
    let nights: Columns = rooms.into_keys().collect();
    let (first, last) = nights.span();
    // So many nights must be on sale.
    let count = i64::try_from(taken.len()).map_err(|_| unexpected("too many nights in one statement"))?;
    Ok(statement
        .bind(nights.hotels)
        .bind(nights.room_types)
        .bind(nights.days)
        .bind(taken)
        .bind(first)
        .bind(last)
        .bind(count))
}

/// Binds the source of each reservation, and what those in `limited` add to the unpaid holds of nights and holders, as
/// one array per column in key order.
fn bind_limits<'a>(
    statement: Statement<'a>,
    orders: &[&'a NewReservation],
    limited: &[&'a NewReservation],
) -> Statement<'a> {
    let nights = added_to_nights(limited);
    let rooms: Vec<i32> = nights.values().copied().collect();
    let nights: Columns = nights.into_keys().collect();
    let (mut holders, mut room_nights, mut limits) = (vec![], vec![], vec![]);
    for (holder, (added, limit)) in added(limited) {
        holders.push(holder);
        room_nights.push(added);
        limits.push(limit);
    }
    // The smallest share. Bookings that are refused by it are decided one by one. Without a share no night is bound.
    let share = limited.iter().filter_map(|order| share(order)).min().unwrap_or_default();
    let source = |order: &&'a NewReservation| {
        let source = order.hold_expire_time.and(order.limits.source.as_ref());
        source.map(|(source, _)| source.as_str())
    };
    statement
        .bind(orders.iter().map(source).collect::<Vec<_>>())
        .bind(holders)
        .bind(room_nights)
        .bind(limits)
        .bind(nights.hotels)
        .bind(nights.room_types)
        .bind(nights.days)
        .bind(rooms)
        .bind(share)
}

/// The events of those reservations that partners who collect have sold, as one array per column.
#[derive(Default)]
struct Sales {
    ids: Vec<Uuid>,
    payloads: Vec<serde_json::Value>,
    trace_parents: Vec<Option<String>>,
}

impl Sales {
    fn of(orders: &[&NewReservation]) -> Result<Self, StoreError> {
        let mut sales = Self::default();
        for order in orders {
            let failed = || unexpected("the event of a partner sale cannot be serialized");
            if let Some(sale) = SoldByPartner::of(order).map_err(|_| failed())? {
                sales.ids.push(order.id.as_uuid());
                sales.payloads.push(serde_json::to_value(&sale).map_err(|_| failed())?);
                sales.trace_parents.push(order.trace_parent.clone());
            }
        }
        Ok(sales)
    }

    fn bind(self, statement: Statement<'_>) -> Statement<'_> {
        statement.bind(SOLD_BY_PARTNER).bind(self.ids).bind(self.payloads).bind(self.trace_parents)
    }
}

fn unexpected(summary: &str) -> StoreError {
    StoreError::Unexpected(Cause { sqlstate: None, summary: summary.to_owned() })
}

/// The statement. Nights are locked in key order and before anything is written, so that a refusal costs little. Whether
/// each sells the rooms is decided by the row as it is locked; the CHECK has the last word.
/// Limits of unpaid holds are decided when the nights are locked and before anything is inserted.
/// Reservations are inserted in id order: concurrent inserts of the same ids wait for each other and must not deadlock.
/// Their lines follow when all of them are inserted.
///
/// `$events` is a further CTE, which may read `booked`.
macro_rules! create_statement {
    ($events:literal) => {
        concat!(
            "with night as materialized (
    select i.hotel_id, i.room_type_id, i.stay_date, t.rooms,
        not i.stop_sell and i.total_reserved + t.rooms <= ",
            limit_of_sale!(),
            " as sells
    from unnest($16::integer[], $17::integer[], $18::integer[], $19::integer[]) t (hotel_id, room_type_id, day, rooms)
    join room_type_inventory i on i.hotel_id = t.hotel_id and i.room_type_id = t.room_type_id
        and i.stay_date = date '1970-01-01' + t.day
        and i.stay_date between date '1970-01-01' + $20 and date '1970-01-01' + $21
    order by i.hotel_id, i.room_type_id, i.stay_date
    for no key update of i
), taken as (
    update room_type_inventory i set total_reserved = i.total_reserved + night.rooms, version = i.version + 1
    from night
    where i.hotel_id = night.hotel_id and i.room_type_id = night.room_type_id and i.stay_date = night.stay_date
        and i.stay_date between date '1970-01-01' + $20 and date '1970-01-01' + $21 and night.sells
    returning 1
), booked as (
    insert into reservation (hotel_id, reservation_id, owner, room_type_id, check_in, check_out, rooms, guests,
        guest_name, guest_email, payment_mode, status, currency, total_minor, price, content_hash, hold_expire_time,
        paid_at, source, revision, client_reference)
    select reservation_hotel_id(id), id, owner, room_type_id, date '1970-01-01' + check_in,
        date '1970-01-01' + check_out, rooms, guests, guest_name, guest_email, payment_mode,
        case when hold is null then 'paid' else 'pending_payment' end, currency, total_minor, price, content_hash,
        timestamptz 'epoch' + hold * interval '1 microsecond', case when hold is null then now() end,
        source, 1, client_reference
    from unnest($1::uuid[], $2::text[], $3::integer[], $4::integer[], $5::integer[], $6::integer[], $7::integer[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::jsonb[], $14::bytea[], $15::bigint[], $23::text[], $42::text[])
        o (id, owner, room_type_id, check_in, check_out, rooms, guests, guest_name, guest_email, payment_mode, currency,
            total_minor, price, content_hash, hold, source, client_reference)
    where (select admit_reservations($22, (select count(*) from taken), $24, $25, $26, $27, $28, $29, $30, $31))
    order by id
    returning reservation_id, create_time
), room as (
    insert into reservation_room (hotel_id, reservation_id, room_position, room_type_id, rate_plan, check_in, check_out,
        adults, child_ages, total_minor, price, status, revision, guest)
    select reservation_hotel_id(id), id, room_position, room_type_id, $41, date '1970-01-01' + check_in,
        date '1970-01-01' + check_out, adults, child_ages::smallint[], total_minor, price::json, 'live', 1, guest
    from unnest($32::uuid[], $33::integer[], $34::integer[], $35::integer[], $36::integer[], $37::integer[], $38::text[],
        $39::bigint[], $40::text[], $43::jsonb[])
        l (id, room_position, room_type_id, check_in, check_out, adults, child_ages, total_minor, price, guest)
)",
            $events,
            "
select reservation_id, create_time from booked"
        )
    };
}

const CREATE: &str = create_statement!("");

/// Also enqueues the events of partner sales, so that a sale and its event commit together. [`CREATE`] leaves this out
/// when guests pay for all of the reservations.
const CREATE_AND_ENQUEUE: &str = create_statement!(
    ", enqueued as (
    insert into outbox (aggregate_id, kind, payload, trace_parent)
    select reservation_id, $44, payload, trace_parent
    from unnest($45::uuid[], $46::jsonb[], $47::text[]) s (reservation_id, payload, trace_parent)
    join booked using (reservation_id)
    order by reservation_id
)"
);

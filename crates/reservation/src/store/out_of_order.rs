//! Rooms that are out of order: the blocks of rooms, and how many of each type are lost in each night.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, PgConnection, types::Json};
use staymesh_domain::{DateRange, HotelId, RoomId, RoomTypeId};
use staymesh_store::{Cause, StoreError};
use uuid::Uuid;

use super::{Assignment, Store, audit::OUT_OF_ORDER, inventory_change::lock_nights, inventory_version};
use crate::error::ReservationError;

/// How a blocked room counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfOrderKind {
    /// It cannot be sold.
    OutOfOrder,
    /// It is still counted among the rooms for sale.
    OutOfService,
}

impl OutOfOrderKind {
    /// The text in column `out_of_order.kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutOfOrder => "out_of_order",
            Self::OutOfService => "out_of_service",
        }
    }
}

impl TryFrom<String> for OutOfOrderKind {
    type Error = StoreError;

    fn try_from(text: String) -> Result<Self, StoreError> {
        let unknown = || Cause { sqlstate: None, summary: "out_of_order.kind is not known".into() };
        let kind = [Self::OutOfOrder, Self::OutOfService].into_iter().find(|kind| kind.as_str() == text);
        kind.ok_or_else(|| StoreError::Unexpected(unknown()))
    }
}

/// A block to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOutOfOrder {
    /// Its id.
    pub id: Uuid,
    /// The room.
    pub room_id: RoomId,
    /// The nights, on all weekdays.
    pub nights: DateRange,
    /// How the room counts.
    pub kind: OutOfOrderKind,
    /// Why, 1 to 200 characters.
    pub reason: String,
    /// Whether it may take the room away from guests that it is assigned to.
    pub force: bool,
}

/// A block of a room from `from` until the day before `until`, or before `end` if it was ended earlier.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct OutOfOrder {
    /// The hotel.
    #[sqlx(try_from = "i32")]
    pub hotel_id: HotelId,
    /// Its id.
    #[sqlx(rename = "out_of_order_id")]
    pub id: Uuid,
    /// The room.
    #[sqlx(try_from = "i32")]
    pub room_id: RoomId,
    /// The type of the room when the block was created.
    #[sqlx(try_from = "i32")]
    pub room_type_id: RoomTypeId,
    /// The first night.
    #[sqlx(rename = "from_date", try_from = "jiff_sqlx::Date")]
    pub from: Date,
    /// The day after the last night, as it was created.
    #[sqlx(rename = "until_date", try_from = "jiff_sqlx::Date")]
    pub until: Date,
    /// The day after the last night since it was ended earlier; at least `from`.
    #[sqlx(skip)]
    pub end: Option<Date>,
    /// How the room counts.
    #[sqlx(try_from = "String")]
    pub kind: OutOfOrderKind,
    /// Why.
    pub reason: String,
    /// Whether it was allowed to take the room away from guests.
    pub force: bool,
    /// The assignments that it removed, with the nights that they lost.
    #[sqlx(skip)]
    pub removed: Vec<Assignment>,
    /// When it was created.
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    pub create_time: Timestamp,
}

impl OutOfOrder {
    /// Whether it is what this request creates in the hotel.
    pub(crate) fn is_from(&self, hotel_id: HotelId, new: &NewOutOfOrder) -> bool {
        let of_request =
            (hotel_id, new.room_id, new.nights.from(), new.nights.until(), new.kind, &new.reason, new.force);
        (self.hotel_id, self.room_id, self.from, self.until, self.kind, &self.reason, self.force) == of_request
    }

    /// The first day on which the room is not blocked.
    fn ends(&self) -> Date {
        self.end.unwrap_or(self.until)
    }
}

/// Which blocks to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfOrderFilter {
    /// Those that have a night in this range.
    pub nights: DateRange,
    /// Those of this room; `None` lists all.
    pub room_id: Option<RoomId>,
}

macro_rules! columns {
    () => {
        "hotel_id, out_of_order_id, room_id, room_type_id, from_date, until_date, end_date, kind, reason, force,
         removed_assignments, create_time"
    };
}

#[derive(FromRow)]
struct Row {
    #[sqlx(flatten)]
    block: OutOfOrder,
    end_date: Option<jiff_sqlx::Date>,
    removed_assignments: Option<Json<Vec<Assignment>>>,
}

impl From<Row> for OutOfOrder {
    fn from(Row { block, end_date, removed_assignments }: Row) -> Self {
        let removed = removed_assignments.map(|Json(removed)| removed).unwrap_or_default();
        Self { end: end_date.map(jiff_sqlx::Date::to_jiff), removed, ..block }
    }
}

impl Store {
    /// Creates a block of a room, which has this type, takes the room away from its guests and lowers the limit of sale of its
    /// nights. If a block with its id exists, in whatever hotel, yields that.
    ///
    /// # Errors
    /// [`ReservationError::RoomAssigned`] if the room has guests and the block is not forced, and when the database fails.
    pub async fn create_out_of_order(
        &self,
        hotel_id: HotelId,
        new: &NewOutOfOrder,
        room_type_id: RoomTypeId,
    ) -> Result<OutOfOrder, ReservationError> {
        let mut transaction = self.begin().await?;
        inventory_version::lock_hotel(&mut transaction.0, hotel_id).await?;
        if let Some(known) = find(&mut transaction.0, new.id).await? {
            return Ok(known);
        }
        let removed = transaction.vacate(hotel_id, new).await?;
        let watched = OUT_OF_ORDER.created(&format!("{hotel_id}/{}", new.id));
        let row: Row = sqlx::query_as(concat!(
            "insert into out_of_order (hotel_id, out_of_order_id, room_id, room_type_id, from_date, until_date, kind, reason,
                 force, removed_assignments)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             returning ",
            columns!()
        ))
        .bind(hotel_id.get())
        .bind(new.id)
        .bind(new.room_id.get())
        .bind(room_type_id.get())
        .bind(new.nights.from().to_sqlx())
        .bind(new.nights.until().to_sqlx())
        .bind(new.kind.as_str())
        .bind(&new.reason)
        .bind(new.force)
        .bind((!removed.is_empty()).then_some(Json(removed)))
        .fetch_one(&mut *transaction.0)
        .await?;
        let block = OutOfOrder::from(row);
        recount(&mut transaction.0, hotel_id, room_type_id, block.from, block.until).await?;
        watched.record(&mut transaction.0).await?;
        transaction.commit().await?;
        Ok(block)
    }

    /// The block with this id, of whatever hotel.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn out_of_order(&self, id: Uuid) -> Result<Option<OutOfOrder>, ReservationError> {
        find(&mut *self.pool.acquire().await?, id).await
    }

    /// Ends a block on `end`, but not before it begins nor later than it ends already, and raises the limit of sale of the
    /// nights from then on.
    ///
    /// # Errors
    /// [`ReservationError::OutOfOrderNotFound`].
    pub async fn end_out_of_order(
        &self,
        hotel_id: HotelId,
        id: Uuid,
        end: Date,
    ) -> Result<OutOfOrder, ReservationError> {
        let mut transaction = self.pool.begin().await?;
        inventory_version::lock_hotel(&mut transaction, hotel_id).await?;
        let known = find(&mut transaction, id).await?.filter(|block| block.hotel_id == hotel_id);
        let known = known.ok_or(ReservationError::OutOfOrderNotFound)?;
        let end = end.max(known.from);
        if end >= known.ends() {
            return Ok(known);
        }
        let watched = OUT_OF_ORDER.before(&mut transaction, &format!("{hotel_id}/{id}")).await?;
        sqlx::query("update out_of_order set end_date = $3 where hotel_id = $1 and out_of_order_id = $2")
            .bind(hotel_id.get())
            .bind(id)
            .bind(end.to_sqlx())
            .execute(&mut *transaction)
            .await?;
        recount(&mut transaction, hotel_id, known.room_type_id, end, known.ends()).await?;
        watched.record(&mut transaction).await?;
        transaction.commit().await?;
        Ok(OutOfOrder { end: Some(end), ..known })
    }

    /// Up to `limit` blocks after `after`, in the order of their first nights and ids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_out_of_order(
        &self,
        hotel_id: HotelId,
        filter: &OutOfOrderFilter,
        after: Option<(Date, Uuid)>,
        limit: i64,
    ) -> Result<Vec<OutOfOrder>, ReservationError> {
        let rows: Vec<Row> = sqlx::query_as(concat!(
            "select ",
            columns!(),
            " from out_of_order
             where hotel_id = $1 and from_date < $3 and until_date > $2
                 and coalesce(end_date, until_date) > greatest($2, from_date)
                 and ($4::integer is null or room_id = $4)
                 and ($5::date is null or (from_date, out_of_order_id) > ($5, $6))
             order by from_date, out_of_order_id limit $7"
        ))
        .bind(hotel_id.get())
        .bind(filter.nights.from().to_sqlx())
        .bind(filter.nights.until().to_sqlx())
        .bind(filter.room_id.map(RoomId::get))
        .bind(after.map(|(from, _)| from.to_sqlx()))
        .bind(after.map(|(_, id)| id))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(OutOfOrder::from).collect())
    }
}

async fn find(connection: &mut PgConnection, id: Uuid) -> Result<Option<OutOfOrder>, ReservationError> {
    let select = concat!("select ", columns!(), " from out_of_order where out_of_order_id = $1");
    let row: Option<Row> = sqlx::query_as(select).bind(id).fetch_optional(connection).await?;
    Ok(row.map(OutOfOrder::from))
}

/// Counts the rooms out of order anew in the nights from `from` until the day before `until`. The caller holds the lock on
/// changes of the hotel's inventory.
async fn recount(
    transaction: &mut PgConnection,
    hotel_id: HotelId,
    room_type_id: RoomTypeId,
    from: Date,
    until: Date,
) -> Result<(), ReservationError> {
    let room_types = BTreeSet::from([room_type_id]);
    lock_nights(transaction, hotel_id, &room_types, from, until).await?;
    let done = sqlx::query(
        "update room_type_inventory set out_of_order = rooms_out_of_order(hotel_id, room_type_id, stay_date),
             version = version + 1
         where hotel_id = $1 and room_type_id = $2 and stay_date >= $3 and stay_date < $4
             and out_of_order <> rooms_out_of_order(hotel_id, room_type_id, stay_date)",
    )
    .bind(hotel_id.get())
    .bind(room_type_id.get())
    .bind(from.to_sqlx())
    .bind(until.to_sqlx())
    .execute(&mut *transaction)
    .await?;
    if done.rows_affected() > 0 {
        inventory_version::increment(transaction, hotel_id, &room_types).await?;
    }
    Ok(())
}

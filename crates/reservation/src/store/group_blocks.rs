//! Group blocks: their rows.

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, PgConnection};
use staymesh_domain::{HotelId, RoomTypeId};
use staymesh_store::{Cause, ResultExt, StoreError};
use uuid::Uuid;

use super::{Store, Transaction};
use crate::{
    block_status::BlockStatus,
    error::ReservationError,
    group_block::{BlockNight, GroupBlock, GroupBlockKey, NewGroupBlock, RoomNights},
};

/// A page of blocks begins after this cut-off date and id.
pub(crate) type BlockPosition = (Date, Uuid);

macro_rules! columns {
    () => {
        "hotel_id, group_block_id, code, display_name, status, cutoff_date, cutoff_time, cutoff_at, released_at,
             content_hash, create_time"
    };
}

#[derive(FromRow)]
struct Row {
    #[sqlx(try_from = "i32")]
    hotel_id: HotelId,
    group_block_id: Uuid,
    code: String,
    display_name: String,
    status: String,
    #[sqlx(try_from = "jiff_sqlx::Date")]
    cutoff_date: Date,
    cutoff_time: String,
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    cutoff_at: Timestamp,
    released_at: Option<jiff_sqlx::Timestamp>,
    content_hash: Vec<u8>,
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    create_time: Timestamp,
}

impl TryFrom<Row> for GroupBlock {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let unknown = || Cause { sqlstate: None, summary: "group_block.status is not known".into() };
        Ok(Self {
            hotel_id: row.hotel_id,
            id: row.group_block_id,
            code: row.code,
            display_name: row.display_name,
            status: BlockStatus::from_name(&row.status).ok_or_else(|| StoreError::Unexpected(unknown()))?,
            cutoff_date: row.cutoff_date,
            cutoff_time: row.cutoff_time,
            cutoff: row.cutoff_at,
            released: row.released_at.map(jiff_sqlx::Timestamp::to_jiff),
            content_hash: row.content_hash,
            create_time: row.create_time,
            nights: RoomNights::new(),
        })
    }
}

#[derive(FromRow)]
struct NightRow {
    #[sqlx(try_from = "i32")]
    room_type_id: RoomTypeId,
    #[sqlx(try_from = "jiff_sqlx::Date")]
    stay_date: Date,
    blocked: i32,
    picked_up: i32,
}

impl Store {
    /// A block of a hotel, with its nights.
    ///
    /// # Errors
    /// [`ReservationError::BlockNotFound`].
    pub(crate) async fn group_block(
        &self,
        hotel_id: HotelId,
        key: &GroupBlockKey,
    ) -> Result<GroupBlock, ReservationError> {
        let (id, code) = match key {
            GroupBlockKey::Id(id) => (Some(*id), None),
            GroupBlockKey::Code(code) => (None, Some(code.as_str())),
        };
        let mut connection = self.pool.acquire().await?;
        let select = concat!(
            "select ",
            columns!(),
            " from group_block where hotel_id = $1 and ($2::uuid is null or group_block_id = $2)
                 and ($3::text is null or code = $3)"
        );
        let row: Option<Row> =
            sqlx::query_as(select).bind(hotel_id.get()).bind(id).bind(code).fetch_optional(&mut *connection).await?;
        with_nights(&mut connection, row).await?.ok_or(ReservationError::BlockNotFound)
    }

    /// The block with this id, of whatever hotel.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn any_group_block(&self, id: Uuid) -> Result<Option<GroupBlock>, ReservationError> {
        find(&mut *self.pool.acquire().await?, id).await
    }

    /// Up to `limit` blocks of a hotel after `after`, by cut-off date and id, without their nights.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn list_group_blocks(
        &self,
        hotel_id: HotelId,
        after: Option<BlockPosition>,
        limit: i64,
    ) -> Result<Vec<GroupBlock>, ReservationError> {
        let rows: Vec<Row> = sqlx::query_as(concat!(
            "select ",
            columns!(),
            " from group_block where hotel_id = $1 and ($2::date is null or (cutoff_date, group_block_id) > ($2, $3))
             order by cutoff_date, group_block_id limit $4"
        ))
        .bind(hotel_id.get())
        .bind(after.map(|(date, _)| date.to_sqlx()))
        .bind(after.map(|(_, id)| id))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(GroupBlock::try_from).collect::<Result<_, _>>()?)
    }

    /// Up to `limit` ids of reservations that were made out of a block.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn picked_up_by(
        &self,
        hotel_id: HotelId,
        id: Uuid,
        limit: i64,
    ) -> Result<Vec<Uuid>, ReservationError> {
        Ok(sqlx::query_scalar(
            "select reservation_id from group_block_pick_up where hotel_id = $1 and group_block_id = $2
             order by reservation_id limit $3",
        )
        .bind(hotel_id.get())
        .bind(id)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Up to `limit` blocks whose cut-off has come and that are not released, without those in `skip`, the earliest first.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn due_group_blocks(
        &self,
        now: Timestamp,
        skip: &[Uuid],
        limit: i64,
    ) -> Result<Vec<(HotelId, Uuid)>, ReservationError> {
        let rows: Vec<Due> = sqlx::query_as(
            "select hotel_id, group_block_id from group_block
             where released_at is null and status <> 'cancelled' and cutoff_at <= $1
                 and group_block_id <> all ($2)
             order by cutoff_at limit $3",
        )
        .bind(now.to_sqlx())
        .bind(skip)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.hotel_id, row.group_block_id)).collect())
    }
}

#[derive(FromRow)]
struct Due {
    #[sqlx(try_from = "i32")]
    hotel_id: HotelId,
    group_block_id: Uuid,
}

impl Transaction {
    /// Locks a block and reads it with its nights.
    ///
    /// # Errors
    /// [`ReservationError::BlockNotFound`].
    pub(crate) async fn lock_group_block(
        &mut self,
        hotel_id: HotelId,
        id: Uuid,
    ) -> Result<GroupBlock, ReservationError> {
        let select = concat!(
            "select ",
            columns!(),
            " from group_block where hotel_id = $1 and group_block_id = $2 for no key update"
        );
        let row: Option<Row> =
            sqlx::query_as(select).bind(hotel_id.get()).bind(id).fetch_optional(&mut *self.0).await?;
        with_nights(&mut self.0, row).await?.ok_or(ReservationError::BlockNotFound)
    }

    /// Inserts a block without nights.
    ///
    /// # Errors
    /// [`ReservationError::BlockCodeTaken`].
    pub(super) async fn insert_group_block(
        &mut self,
        hotel_id: HotelId,
        new: &NewGroupBlock,
        cutoff: Timestamp,
    ) -> Result<GroupBlock, ReservationError> {
        let row: Row = sqlx::query_as(concat!(
            "insert into group_block (hotel_id, group_block_id, code, display_name, status, cutoff_date, cutoff_time,
                 cutoff_at, content_hash)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             returning ",
            columns!()
        ))
        .bind(hotel_id.get())
        .bind(new.id)
        .bind(&new.code)
        .bind(&new.display_name)
        .bind(new.status.as_str())
        .bind(new.cutoff_date.to_sqlx())
        .bind(&new.cutoff_time)
        .bind(cutoff.to_sqlx())
        .bind(new.content_hash.as_slice())
        .fetch_one(&mut *self.0)
        .await
        .on_constraint("group_block_code_unique", |_| ReservationError::BlockCodeTaken)?;
        Ok(GroupBlock::try_from(row)?)
    }

    /// Writes the state and the rooms of a block that is locked.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn write_group_block(&mut self, block: &GroupBlock) -> Result<(), ReservationError> {
        sqlx::query("update group_block set status = $3, released_at = $4 where hotel_id = $1 and group_block_id = $2")
            .bind(block.hotel_id.get())
            .bind(block.id)
            .bind(block.status.as_str())
            .bind(block.released.map(ToSqlx::to_sqlx))
            .execute(&mut *self.0)
            .await?;
        let (mut room_types, mut dates, mut blocked) = (vec![], vec![], vec![]);
        for ((room_type_id, date), night) in &block.nights {
            room_types.push(room_type_id.get());
            dates.push(date.to_sqlx());
            blocked.push(night.blocked);
        }
        sqlx::query(
            "insert into group_block_night as n (hotel_id, group_block_id, room_type_id, stay_date, blocked)
             select $1, $2, room_type_id, stay_date, blocked
             from unnest($3::integer[], $4::date[], $5::integer[]) w (room_type_id, stay_date, blocked)
             on conflict on constraint group_block_night_pkey do update set blocked = excluded.blocked
             where n.blocked <> excluded.blocked",
        )
        .bind(block.hotel_id.get())
        .bind(block.id)
        .bind(room_types)
        .bind(dates)
        .bind(blocked)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }
}

/// The block with this id, of whatever hotel.
pub(super) async fn find(connection: &mut PgConnection, id: Uuid) -> Result<Option<GroupBlock>, ReservationError> {
    let select = concat!("select ", columns!(), " from group_block where group_block_id = $1");
    let row: Option<Row> = sqlx::query_as(select).bind(id).fetch_optional(&mut *connection).await?;
    with_nights(connection, row).await
}

async fn with_nights(connection: &mut PgConnection, row: Option<Row>) -> Result<Option<GroupBlock>, ReservationError> {
    let Some(row) = row else { return Ok(None) };
    let mut block = GroupBlock::try_from(row)?;
    let nights: Vec<NightRow> = sqlx::query_as(
        "select room_type_id, stay_date, blocked, picked_up from group_block_night
         where hotel_id = $1 and group_block_id = $2",
    )
    .bind(block.hotel_id.get())
    .bind(block.id)
    .fetch_all(connection)
    .await?;
    let night = |row: NightRow| {
        ((row.room_type_id, row.stay_date), BlockNight { blocked: row.blocked, picked_up: row.picked_up })
    };
    block.nights = nights.into_iter().map(night).collect();
    Ok(Some(block))
}

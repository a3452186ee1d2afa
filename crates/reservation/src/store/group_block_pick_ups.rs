//! Rooms of group blocks that reservations pick up, and that go back to their block when these end unpaid.

use std::collections::{BTreeMap, BTreeSet};

use staymesh_domain::ReservationId;
use uuid::Uuid;

use super::{Delta, Transaction, nights::Columns};
use crate::{error::ReservationError, group_block::GroupBlock, model::Reservation, night::Night};

impl Transaction {
    /// Notes that a reservation takes rooms of a block that is locked and has them.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn pick_up(
        &mut self,
        block: &GroupBlock,
        reservation_id: ReservationId,
        rooms: &Delta,
    ) -> Result<(), ReservationError> {
        let rooms = rooms.iter().map(|(night, rooms)| ((block.id, *night), *rooms)).collect();
        self.add_picked_up(&rooms).await?;
        sqlx::query("insert into group_block_pick_up (hotel_id, reservation_id, group_block_id) values ($1, $2, $3)")
            .bind(block.hotel_id.get())
            .bind(reservation_id.as_uuid())
            .bind(block.id)
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }

    /// Gives the rooms of reservations that are locked and end unpaid back to the blocks that they were picked up from, unless
    /// these are released. Locks the blocks. Yields those of the reservations whose rooms stay reserved, now for their block.
    ///
    /// # Errors
    /// When the database fails, or a lock is not granted in time.
    pub(crate) async fn return_to_blocks(
        &mut self,
        ended: &[&Reservation],
    ) -> Result<BTreeSet<Uuid>, ReservationError> {
        if ended.is_empty() {
            return Ok(BTreeSet::new());
        }
        let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
            "with block as materialized (
                 select p.hotel_id, p.reservation_id
                 from unnest($1::uuid[]) id
                 join group_block_pick_up p on p.hotel_id = reservation_hotel_id(id) and p.reservation_id = id
                 join group_block b on b.hotel_id = p.hotel_id and b.group_block_id = p.group_block_id
                 where b.status = 'definite' and b.released_at is null
                 order by b.hotel_id, b.group_block_id
                 for no key update of b
             )
             delete from group_block_pick_up p using block
             where p.hotel_id = block.hotel_id and p.reservation_id = block.reservation_id
             returning p.reservation_id, p.group_block_id",
        )
        .bind(ended.iter().map(|booking| booking.id.as_uuid()).collect::<Vec<_>>())
        .fetch_all(&mut *self.0)
        .await?;
        let blocks: BTreeMap<Uuid, Uuid> = rows.into_iter().collect();
        let mut returned: BTreeMap<(Uuid, Night), i32> = BTreeMap::new();
        for booking in ended {
            let Some(block) = blocks.get(&booking.id.as_uuid()) else { continue };
            for (night, rooms) in booking.nights() {
                *returned.entry((*block, night)).or_default() -= rooms;
            }
        }
        self.add_picked_up(&returned).await?;
        Ok(blocks.into_keys().collect())
    }

    /// Adds to the rooms that are picked up of blocks that are locked, by block and night; negative when they go back.
    async fn add_picked_up(&mut self, rooms: &BTreeMap<(Uuid, Night), i32>) -> Result<(), ReservationError> {
        if rooms.is_empty() {
            return Ok(());
        }
        let nights: Columns = rooms.keys().map(|(_, night)| *night).collect();
        sqlx::query(
            "update group_block_night n set picked_up = n.picked_up + t.rooms
             from unnest($1::uuid[], $2::integer[], $3::integer[], $4::integer[], $5::integer[])
                 t (block, hotel_id, room_type_id, day, rooms)
             where n.hotel_id = t.hotel_id and n.group_block_id = t.block and n.room_type_id = t.room_type_id
                 and n.stay_date = date '1970-01-01' + t.day",
        )
        .bind(rooms.keys().map(|(block, _)| *block).collect::<Vec<_>>())
        .bind(nights.hotels)
        .bind(nights.room_types)
        .bind(nights.days)
        .bind(rooms.values().copied().collect::<Vec<_>>())
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }
}

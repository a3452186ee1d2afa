//! Reservations in the order in which they changed, for readers that follow the changes.
//!
//! The position of a reservation is the id of the transaction that changed it last, `change_xid`. A page is read up to the
//! oldest transaction that was running when its horizon was read (`pg_snapshot_xmin`): every transaction below it has ended,
//! so nothing can be added below a position that was read. A time or a sequence has no such horizon: the transaction with the
//! lower number may commit later, behind the reader.

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, Row, postgres::PgRow};
use staymesh_domain::HotelId;
use uuid::Uuid;

use super::{Store, lines::reservation_columns, rows::ReservationRow};
use crate::{error::ReservationError, model::Reservation};

/// A position in the changes: a transaction id and a reservation of it, on a timeline of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChangePosition {
    transaction: u64,
    reservation_id: Uuid,
    history: History,
}

/// In which history of the data transaction ids have their meaning. A failover and a restore begin a new timeline, in which ids
/// that were handed out before may be those of other transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct History {
    /// PostgreSQL's system identifier, of the cluster.
    system: i64,
    /// Its timeline, from 1.
    timeline: i64,
}

/// What can be read of the changes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeHorizon {
    /// All transactions below it have ended.
    oldest: u64,
    /// The next transaction id.
    next: u64,
    history: History,
}

impl ChangeHorizon {
    /// The position before which every change is visible to statements that begin from now on.
    pub fn position(self) -> ChangePosition {
        ChangePosition { transaction: self.oldest, reservation_id: Uuid::nil(), history: self.history }
    }

    /// Whether every transaction that had begun at the time of `earlier` has ended.
    #[cfg(test)]
    pub(crate) fn has_passed(self, earlier: Self) -> bool {
        self.oldest >= earlier.next
    }

    /// Whether this database has handed out the position in its present history, and not before a failover or a restore.
    pub fn has(self, position: ChangePosition) -> bool {
        position.history == self.history && position.transaction <= self.next
    }
}

/// Whose changes are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeScope {
    /// All of a hotel.
    Hotel(HotelId),
    /// Those of a partner, by its subject, in one hotel or in all.
    Partner(String, Option<HotelId>),
}

macro_rules! changed {
    ($condition:literal) => {
        concat!(
            "select ",
            reservation_columns!(),
            ", r.change_xid::text as position from reservation r
             where ",
            $condition,
            " and (change_xid, reservation_id) > ($3::text::xid8, $4) and change_xid < $5::text::xid8
             order by change_xid, reservation_id limit $6"
        )
    };
}

impl Store {
    /// What can be read of the changes now.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn change_horizon(&self) -> Result<ChangeHorizon, ReservationError> {
        // The timeline of what is written now: that of the control file is the one of the last checkpoint.
        let (oldest, next, system, timeline): (String, String, i64, i64) = sqlx::query_as(
            "select pg_snapshot_xmin(s)::text, pg_snapshot_xmax(s)::text,
                 (select system_identifier from pg_control_system()),
                 ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint
             from pg_current_snapshot() s",
        )
        .fetch_one(&self.pool)
        .await?;
        let history = History { system, timeline };
        Ok(ChangeHorizon { oldest: transaction(&oldest)?, next: transaction(&next)?, history })
    }

    /// Up to `limit` reservations that changed after `after`, in the order of their latest change, each with its position.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn changed_since(
        &self,
        scope: &ChangeScope,
        after: ChangePosition,
        horizon: ChangeHorizon,
        limit: i64,
    ) -> Result<Vec<(ChangePosition, Reservation)>, ReservationError> {
        let (sql, hotel_id, owner) = match scope {
            ChangeScope::Hotel(hotel_id) => {
                (changed!("hotel_id = $1 and $2::text is null"), Some(hotel_id.get()), None)
            }
            ChangeScope::Partner(owner, hotel_id) => (
                changed!("owner = $2 and owner like 'client:%' and ($1::integer is null or hotel_id = $1)"),
                hotel_id.map(HotelId::get),
                Some(owner),
            ),
        };
        let rows = sqlx::query(sql)
            .bind(hotel_id)
            .bind(owner)
            .bind(after.transaction.to_string())
            .bind(after.reservation_id)
            .bind(horizon.oldest.to_string())
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| changed(row, horizon.history)).collect()
    }
}

fn changed(row: &PgRow, history: History) -> Result<(ChangePosition, Reservation), ReservationError> {
    let reservation = Reservation::try_from(ReservationRow::from_row(row)?)?;
    let position = ChangePosition {
        transaction: transaction(row.try_get("position")?)?,
        reservation_id: reservation.id.as_uuid(),
        history,
    };
    Ok((position, reservation))
}

fn transaction(id: &str) -> Result<u64, ReservationError> {
    id.parse().map_err(|_| super::room_status::unexpected("a transaction id is not a number").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn horizon_has_positions_of_its_history_up_to_the_next_transaction() {
        let history = History { system: 7, timeline: 1 };
        let horizon = ChangeHorizon { oldest: 5, next: 9, history };
        let at = |transaction, history| ChangePosition { transaction, reservation_id: Uuid::nil(), history };
        assert!(horizon.has(horizon.position()) && horizon.has(at(9, history)) && !horizon.has(at(10, history)));
        assert!(!horizon.has(at(5, History { timeline: 2, ..history })), "after a failover");
        assert!(!horizon.has(at(5, History { system: 8, ..history })), "of another cluster");
    }
}

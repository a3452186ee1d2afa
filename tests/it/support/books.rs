//! Invariants of the reservation database, which hold at every instant.

use sqlx::PgPool;
use staymesh_testkit::TestMesh;
use uuid::Uuid;

/// Direct access to the reservation database.
pub(crate) struct Books {
    pub(crate) pool: PgPool,
}

impl Books {
    pub(crate) async fn of(mesh: &TestMesh) -> Self {
        Self { pool: database(mesh, "reservation").await }
    }

    /// Asserts that `total_reserved` equals the rooms of the active reservations and what pending changes hold for every
    /// hotel, room type and night; that no night exceeds its overbooking limit; and that every reservation history has
    /// legal transitions only. Each assertion is one statement, so it can run while bookings are written.
    pub(crate) async fn assert_balanced(&self) {
        let wrong: Vec<(i32, i32, String, i64, i64)> = sqlx::query_as(
            "with taken as (
                 select room.hotel_id, room.room_type_id, room.check_in + n as stay_date, 1 as rooms
                 from reservation_room room join reservation using (hotel_id, reservation_id),
                     generate_series(0, room.check_out - room.check_in - 1) n
                 where reservation.status in ('pending_payment', 'paid') and holds_room(room.status)
                 union all
                 select hotel_id, (night ->> 0)::integer, date '1970-01-01' + (night ->> 1)::integer,
                     (night ->> 2)::integer
                 from reservation_change, jsonb_array_elements(held) night where status = 'pending'),
             sold as (
                 select hotel_id, room_type_id, stay_date, sum(rooms)::bigint as rooms from taken group by 1, 2, 3)
             select hotel_id, room_type_id, stay_date::text, coalesce(total_reserved, 0)::bigint, coalesce(rooms, 0)
             from room_type_inventory full join sold using (hotel_id, room_type_id, stay_date)
             where coalesce(total_reserved, 0) <> coalesce(rooms, 0)
             limit 5",
        )
        .fetch_all(&self.pool)
        .await
        .expect("the sums");
        assert!(wrong.is_empty(), "hotel, room type, night, reserved, sum of active reservations: {wrong:?}");

        let beyond: i64 = sqlx::query_scalar(
            "select count(*) from room_type_inventory
             where total_reserved < 0 or total_reserved * 100 > total_inventory * (100 + overbooking_percent)",
        )
        .fetch_one(&self.pool)
        .await
        .expect("the nights");
        assert_eq!(beyond, 0, "nights beyond the overbooking limit");
        self.assert_legal_histories().await;
    }

    async fn assert_legal_histories(&self) {
        let wrong: Vec<(Uuid, i32, Option<String>, String)> = sqlx::query_as(
            "with step as (
                 select hotel_id, reservation_id, version, status, lag(status) over history as before,
                     row_number() over history as n
                 from reservation_transition
                 window history as (partition by hotel_id, reservation_id order by version))
             select reservation_id, step.version, before, step.status
             from step join reservation using (hotel_id, reservation_id)
             where step.version <> n
                 or before is null and step.status <> 'pending_payment'
                     and not (step.status = 'paid' and payment_mode = 'partner_collects')
                 or before is not null and (before, step.status) not in (
                     ('pending_payment', 'paid'), ('pending_payment', 'rejected'), ('pending_payment', 'cancelled'),
                     ('paid', 'cancelled'), ('cancelled', 'refunded'), ('cancelled', 'paid'))
             limit 5",
        )
        .fetch_all(&self.pool)
        .await
        .expect("the histories");
        assert!(wrong.is_empty(), "reservation, version, before, after: {wrong:?}");

        let unrecorded: Vec<(Uuid, String)> = sqlx::query_as(
            "select reservation_id, status from reservation
             where not exists (
                 select from reservation_transition step
                 where (step.hotel_id, step.reservation_id, step.version, step.status)
                     = (reservation.hotel_id, reservation.reservation_id, reservation.version, reservation.status))
             limit 5",
        )
        .fetch_all(&self.pool)
        .await
        .expect("the reservations");
        assert!(unrecorded.is_empty(), "last transition missing in the history: {unrecorded:?}");
    }

    /// The statuses of a reservation, oldest first; empty for an unknown id.
    pub(crate) async fn history(&self, reservation_id: &str) -> Vec<String> {
        sqlx::query_scalar("select status from reservation_transition where reservation_id = $1::uuid order by version")
            .bind(reservation_id)
            .fetch_all(&self.pool)
            .await
            .expect("the history")
    }
}

/// Asserts that no outbox holds a dead letter.
pub(crate) async fn assert_no_dead_letters(mesh: &TestMesh) {
    for service in ["reservation", "payment"] {
        let dead_letters: Vec<(i64, String, Option<String>)> =
            sqlx::query_as("select event_id, kind, last_error from outbox where parked_at is not null")
                .fetch_all(&database(mesh, service).await)
                .await
                .expect("the outbox");
        assert!(dead_letters.is_empty(), "{service}: {dead_letters:?}");
    }
}

/// The database of a service, as its owner.
pub(crate) async fn database(mesh: &TestMesh, service: &str) -> PgPool {
    let url = mesh.local().database_url(service).expect("has a database").to_owned();
    PgPool::connect(&url).await.expect("connects")
}

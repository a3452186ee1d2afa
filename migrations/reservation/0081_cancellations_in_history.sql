-- Why a reservation was cancelled, in its history: paid again is legal only after a hold that had expired and after a no-show, which
-- the reservation itself does not show any more. Null for other statuses, and for what was cancelled before this migration.
alter table reservation_transition add column cancellation_reason text;

create or replace function record_reservation_transitions() returns trigger
    language plpgsql as
$$
begin
    insert into reservation_transition (hotel_id, reservation_id, version, status, cancellation_reason)
    select changed.hotel_id, changed.reservation_id, changed.version, changed.status, changed.cancellation_reason
    from changed join before using (hotel_id, reservation_id)
    where changed.status <> before.status;
    return null;
end
$$;

-- The position of a reservation among the changes of all: the transaction that changed it last. Null: not changed since this
-- migration.
--
-- Neither the time of a change nor a sequence can be read up to the latest one: a transaction with an earlier time or a lower
-- number may commit later, and a reader that has passed it would miss it. Transaction ids have a horizon: the oldest
-- transaction that still runs (pg_snapshot_xmin). All below it have ended, and nothing is added below it any more.
alter table reservation add column change_xid xid8;
-- A new reservation gets it without a trigger; existing rows are not rewritten.
alter table reservation alter column change_xid set default pg_current_xact_id();

-- Every update moves it, also one by another release.
create function set_change_position() returns trigger
    language plpgsql as
$$
begin
    new.change_xid := pg_current_xact_id();
    return new;
end
$$;
create trigger reservation_change_position before update on reservation
    for each row execute function set_change_position();

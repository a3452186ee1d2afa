-- Months that are over leave the hot table (`staymesh job archive-inventory`).

-- Where they go. Nothing that serves requests reads it.
create schema archive;

-- The months that have left, oldest first and without gaps. A month is noted before it leaves, so that nobody takes
-- nights that are on their way for nights that are missing.
create table inventory_archive (
    month        date        not null,
    begun_at     timestamptz not null default now(),
    -- When its partition had become a table in the schema `archive`; null while it is on its way.
    archived_at  timestamptz,
    -- What that table held; null while it is on its way.
    nights       bigint,
    rooms_sold   bigint,
    -- When that table was written to a file and dropped; null while it is there.
    dropped_at   timestamptz,
    constraint inventory_archive_pkey primary key (month),
    constraint inventory_archive_month_begins check (extract(day from month) = 1),
    constraint inventory_archive_counts_when_archived check (
        (archived_at is null) = (nights is null) and (archived_at is null) = (rooms_sold is null)
    ),
    constraint inventory_archive_drops_what_it_has check (dropped_at is null or archived_at is not null)
);

-- As before, with three differences. A month that was archived is not made again: it would be empty, and its bookings
-- would miss their nights. Nothing is locked when nothing is missing. And the one lock that conflicts with others who
-- attach or detach comes first: `create table ... like` would take a weaker one on the same table, and whoever detaches
-- concurrently waits for everybody who holds any, so that the two would wait in a circle.
--
-- That lock, SHARE UPDATE EXCLUSIVE, lets bookings read and write meanwhile; the new table is locked for everybody, but
-- nobody sees it before it is attached, and there is nothing in it to scan.
create or replace function ensure_inventory_partitions(first_date date, last_date date) returns void
    language plpgsql as
$$
declare
    month date := date_trunc('month', first_date)::date;
    part  text;
begin
    if exists (select from inventory_archive archived where archived.month >= date_trunc('month', first_date)) then
        raise exception 'these nights are archived'
            using errcode = 'check_violation', constraint = 'room_type_inventory_not_archived',
                table = 'room_type_inventory';
    end if;
    while month <= last_date loop
        part := 'room_type_inventory_' || to_char(month, 'YYYYMM');
        if to_regclass(part) is null then
            lock table only room_type_inventory in share update exclusive mode;
            if to_regclass(part) is null then
                -- Every booking rewrites rows in place; free space on the page keeps that from growing the indexes.
                execute format(
                    'create table %I (like room_type_inventory including defaults including constraints) with (fillfactor = 70)',
                    part);
                execute format(
                    'alter table room_type_inventory attach partition %I for values from (%L) to (%L)',
                    part, month, (month + interval '1 month')::date);
            end if;
        end if;
        month := (month + interval '1 month')::date;
    end loop;
end
$$;

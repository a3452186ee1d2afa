-- What is for sale and what is sold, by hotel, room type and night.
--
-- A night is named by the date on which it begins; a stay of [check_in, check_out) takes the nights check_in up to the
-- day before check_out.

create table room_type_inventory (
    hotel_id            integer  not null,
    room_type_id        integer  not null,
    stay_date           date     not null,
    total_inventory     integer  not null,
    total_reserved      integer  not null default 0,
    overbooking_percent smallint not null default 10,
    version             integer  not null default 0,
    constraint room_type_inventory_pkey primary key (hotel_id, room_type_id, stay_date),
    constraint room_type_inventory_ids_positive check (hotel_id > 0 and room_type_id > 0),
    constraint room_type_inventory_total_in_bounds check (total_inventory between 0 and 10000),
    constraint room_type_inventory_overbooking_in_bounds check (overbooking_percent between 0 and 100),
    -- The rule that sells no room twice by accident. Whatever the application does, this has the last word.
    constraint room_type_inventory_not_overbooked check (
        total_reserved >= 0 and total_reserved * 100 <= total_inventory * (100 + overbooking_percent)
    )
) partition by range (stay_date);

-- Makes the monthly partitions that the nights from first_date up to last_date need. Safe to repeat and to run twice at
-- once. A new partition is made aside and attached, so that bookings go on meanwhile.
create function ensure_inventory_partitions(first_date date, last_date date) returns void
    language plpgsql as
$$
declare
    month date := date_trunc('month', first_date)::date;
    part  text;
begin
    while month <= last_date loop
        part := 'room_type_inventory_' || to_char(month, 'YYYYMM');
        if to_regclass(part) is null then
            perform pg_advisory_xact_lock(hashtext('ensure_inventory_partitions'));
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

select ensure_inventory_partitions((current_date - interval '1 month')::date, (current_date + interval '25 months')::date);

-- What the daily job gives to nights that come within two years, by room type.
create table inventory_plan (
    hotel_id            integer  not null,
    room_type_id        integer  not null,
    total_inventory     integer  not null,
    overbooking_percent smallint not null,
    -- The first night that the job has not reached yet. It only ever moves on.
    next_date           date     not null,
    constraint inventory_plan_pkey primary key (hotel_id, room_type_id),
    constraint inventory_plan_ids_positive check (hotel_id > 0 and room_type_id > 0),
    constraint inventory_plan_total_in_bounds check (total_inventory between 0 and 10000),
    constraint inventory_plan_overbooking_in_bounds check (overbooking_percent between 0 and 100)
);

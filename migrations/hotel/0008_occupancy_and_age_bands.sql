-- Who sleeps in a room: how many adults, children and infants a room type takes, and how a hotel counts children.
--
-- The release before writes neither base_occupancy nor max_adults. Where they are null, all places are for adults and the
-- base price is for all of them, which is what max_occupancy alone meant: no offer changes. The constraints hold for both.
-- They are validated in the next migration.

alter table room_type
    -- Guests that the base price is for. Null for as many as there are places for adults.
    add column base_occupancy integer,
    -- Null for max_occupancy.
    add column max_adults integer,
    add column max_children integer not null default 0,
    add column max_infants integer not null default 0,
    add column max_extra_beds integer not null default 0,
    add constraint room_type_base_occupancy_range
        check (base_occupancy between 1 and coalesce(max_adults, max_occupancy)) not valid,
    add constraint room_type_max_adults_range check (max_adults between 1 and max_occupancy) not valid,
    add constraint room_type_max_children_range check (max_children between 0 and max_occupancy) not valid,
    add constraint room_type_max_infants_range check (max_infants between 0 and 20) not valid,
    add constraint room_type_max_extra_beds_range check (max_extra_beds between 0 and 20) not valid;

-- Whether age bands begin at 0 and follow one another without a gap or an overlap, with codes that are unique; the
-- infants are the youngest. The same as `AgeBands::new` of the services, but for the number of bands.
create function age_bands_adjacent(bands jsonb) returns boolean language sql immutable strict parallel safe as $$
    select count(*) = count(distinct code)
       and count(*) = count(*) filter (
           where code ~ '^[A-Z][A-Z0-9_]{0,15}$' and (code <> 'INFANT' or place = 1)
             and min_age = coalesce(last_age_before + 1, 0) and max_age between min_age and 17)
    from (select place, band ->> 'code' as code, (band ->> 'min_age')::integer as min_age,
                 (band ->> 'max_age')::integer as max_age,
                 lag((band ->> 'max_age')::integer) over (order by place) as last_age_before
          from jsonb_array_elements(bands) with ordinality as element (band, place)) as age_band
$$;

alter table hotel
    -- [{"code": "INFANT", "min_age": 0, "max_age": 2}, ..], as in the contract's AgeBand.
    add column age_bands jsonb not null default '[]',
    add column min_child_age integer not null default 0,
    add constraint hotel_age_bands_count
        check (jsonb_typeof(age_bands) = 'array' and jsonb_array_length(age_bands) <= 4) not valid,
    add constraint hotel_age_bands_adjacent check (age_bands_adjacent(age_bands)) not valid,
    add constraint hotel_min_child_age_range check (min_child_age between 0 and 18) not valid;

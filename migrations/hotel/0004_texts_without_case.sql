-- Room numbers and names of room types are compared as people compare them: `12A` is `12a`, and composed letters are
-- decomposed ones.
--
-- Rooms and room types that differ from an earlier one of their hotel in nothing but that are kept as they are: nothing
-- is renamed and nothing is deleted. They are marked as `duplicate` and are not in the new indexes; staff rename them when
-- they see fit, which removes the mark. docs/OPERATIONS.md has the query that lists them.
--
-- Marks and indexes are made in one transaction, so that no duplicate is created between them. It locks the tables
-- against writes, by staff alone, for about 3 s for each million of rows; reads go on.

lock table room_type, room in share row exclusive mode;

update room_type set duplicate = true from (
    select room_type_id, row_number() over (partition by hotel_id, text_key(display_name) order by room_type_id) as place
    from room_type where live
) as placed
where placed.room_type_id = room_type.room_type_id and placed.place > 1;
create unique index room_type_display_name_text_key on room_type (hotel_id, text_key(display_name))
    where live and not duplicate;

update room set duplicate = true from (
    select room_id, row_number() over (partition by hotel_id, text_key(room_number) order by room_id) as place
    from room where live
) as placed
where placed.room_id = room.room_id and placed.place > 1;
create unique index room_room_number_text_key on room (hotel_id, text_key(room_number)) where live and not duplicate;

-- A new name is compared like any other.
create function room_type_duplicate_until_renamed() returns trigger language plpgsql as $$
begin
    new.duplicate := false;
    return new;
end $$;
create trigger room_type_duplicate_until_renamed before update of display_name on room_type
    for each row when (old.duplicate and new.display_name is distinct from old.display_name)
    execute function room_type_duplicate_until_renamed();

create function room_duplicate_until_renamed() returns trigger language plpgsql as $$
begin
    new.duplicate := false;
    return new;
end $$;
create trigger room_duplicate_until_renamed before update of room_number on room
    for each row when (old.duplicate and new.room_number is distinct from old.room_number)
    execute function room_duplicate_until_renamed();

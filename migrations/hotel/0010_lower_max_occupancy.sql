-- The release before knows max_occupancy alone. Where it lowers that of a room type that this release has written, the
-- numbers within it go down as well, or their constraints would refuse the change. A change by this release fits already.
create function room_type_fit_max_occupancy() returns trigger language plpgsql as $$
begin
    if new.max_adults > new.max_occupancy then
        new.max_adults := new.max_occupancy;
    end if;
    if new.base_occupancy > coalesce(new.max_adults, new.max_occupancy) then
        new.base_occupancy := coalesce(new.max_adults, new.max_occupancy);
    end if;
    if new.max_children > new.max_occupancy then
        new.max_children := new.max_occupancy;
    end if;
    return new;
end
$$;
create trigger room_type_fit_max_occupancy before update of max_occupancy on room_type
    for each row when (
        new.max_occupancy < old.max_occupancy and new.base_occupancy is not distinct from old.base_occupancy
        and new.max_adults is not distinct from old.max_adults and new.max_children = old.max_children)
    execute function room_type_fit_max_occupancy();

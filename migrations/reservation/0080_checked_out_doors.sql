-- Guests who check out free the room of the hotel that they had, in the nights that they do not stay. Whatever records that they
-- have left frees it, also a release before.
create function free_rooms_of_departed() returns trigger
    language plpgsql as
$$
begin
    delete from room_assignment
    where hotel_id = new.hotel_id and reservation_id = new.reservation_id and room_position = new.room_position
        and from_date >= new.business_date;
    update room_assignment set until_date = new.business_date
    where hotel_id = new.hotel_id and reservation_id = new.reservation_id and room_position = new.room_position
        and until_date > new.business_date;
    return null;
end
$$;
create trigger room_status_change_frees_rooms after insert on room_status_change
    for each row when (new.status = 'completed') execute function free_rooms_of_departed();

-- Who sleeps in a room and what they wish: names, time of arrival, beds, smoking, a request, a loyalty id. Personal data, which
-- is erased with the guest; null for most rooms. One column, so that a room without wishes costs nothing.
alter table reservation_room add column guest jsonb;
alter table reservation_room add constraint reservation_room_guest_is_an_object check (jsonb_typeof(guest) = 'object')
    not valid;

-- Whether guests are checked in only after they have a room with a door. The release before does not write it.
alter table hotel add column room_required_at_check_in boolean not null default false;

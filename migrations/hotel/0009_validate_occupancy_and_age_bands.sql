-- The constraints of 0008, for the rows of before.
alter table room_type validate constraint room_type_base_occupancy_range;
alter table room_type validate constraint room_type_max_adults_range;
alter table room_type validate constraint room_type_max_children_range;
alter table room_type validate constraint room_type_max_infants_range;
alter table room_type validate constraint room_type_max_extra_beds_range;
alter table hotel validate constraint hotel_age_bands_count;
alter table hotel validate constraint hotel_age_bands_adjacent;
alter table hotel validate constraint hotel_min_child_age_range;

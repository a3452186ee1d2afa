-- no-transaction
-- Hotels of a city, found by the same comparison; hotel_city_idx serves releases of before.
create index concurrently hotel_city_key_idx on hotel (text_key(city), hotel_id) where live;

-- The form in which texts are compared: without the invisible characters that texts may have (joiners, directional marks,
-- variation selectors), in NFKC, in small letters. The same as `Text::key` of the services.
create function text_key(value text) returns text language sql immutable strict parallel safe as $$
    select normalize(lower(normalize(regexp_replace(value,
        '[\u200C-\u200F\u061C\u180B-\u180D\u180F\uFE00-\uFE0F\U000E0100-\U000E01EF]', '', 'g'), NFKC)
        collate "und-x-icu"), NFKC)
$$;

-- Whether a name differs from an earlier one of its hotel in nothing that is compared; see 0004.
alter table room_type add column duplicate boolean not null default false;
alter table room add column duplicate boolean not null default false;

-- The room that guests of a reservation get, from from_date until the day before until_date. Guests who move have a row for
-- each room. Assignments change no inventory.
create table room_assignment (
    hotel_id       integer     not null,
    reservation_id uuid        not null,
    room_position  smallint    not null,
    from_date      date        not null,
    until_date     date        not null,
    room_id        integer     not null,
    -- Number and type of the room when it was assigned.
    room_number    text        not null,
    room_type_id   integer     not null,
    create_time    timestamptz not null default now(),
    constraint room_assignment_pkey primary key (hotel_id, reservation_id, room_position, from_date),
    constraint room_assignment_room_fkey foreign key (hotel_id, reservation_id, room_position)
        references reservation_room (hotel_id, reservation_id, room_position),
    constraint room_assignment_has_nights check (until_date > from_date and until_date - from_date <= 90),
    constraint room_assignment_ids_in_bounds check (
        room_id between 1 and 2147483646 and hotel_id between 1 and 2147483646 and room_type_id > 0
    ),
    constraint room_assignment_room_number_is_short check (char_length(room_number) between 1 and 20),
    -- A room has one guest in a night. Ranges of one number overlap if the numbers are equal: no extension is needed.
    constraint room_assignment_overlap_excl exclude using gist (
        int4range(hotel_id, hotel_id, '[]') with &&,
        int4range(room_id, room_id, '[]') with &&,
        daterange(from_date, until_date) with &&
    )
);

-- The assignments of a room of a reservation follow it in the transaction that changes it: a room that ends frees its doors, and
-- so does one that gets another type, unless the door is of that; other dates keep the door of the nights that stay.
create function follow_reservation_room() returns trigger
    language plpgsql as
$$
begin
    delete from room_assignment a
    where a.hotel_id = new.hotel_id and a.reservation_id = new.reservation_id and a.room_position = new.room_position
        and (not holds_room(new.status) or a.until_date <= new.check_in or a.from_date >= new.check_out
            or old.room_type_id <> new.room_type_id and a.room_type_id <> new.room_type_id);
    update room_assignment a
    set from_date = greatest(a.from_date, new.check_in), until_date = least(a.until_date, new.check_out)
    where a.hotel_id = new.hotel_id and a.reservation_id = new.reservation_id and a.room_position = new.room_position
        and (a.from_date < new.check_in or a.until_date > new.check_out);
    return null;
end
$$;
create trigger reservation_room_moves_assignments after update on reservation_room
    for each row
    when (holds_room(old.status) and (not holds_room(new.status)
        or (old.check_in, old.check_out, old.room_type_id)
            is distinct from (new.check_in, new.check_out, new.room_type_id)))
    execute function follow_reservation_room();

-- Whether a block may take a room away from guests, and the assignments that it removed: null for none.
alter table out_of_order add column force boolean not null default false;
alter table out_of_order add column removed_assignments jsonb;

-- Notes of hotel staff. Append-only; the text is erased with the personal data of the reservation.
create table reservation_note (
    hotel_id       integer     not null,
    reservation_id uuid        not null,
    -- The request_id of the request that created it.
    note_id        uuid        not null,
    content        text        not null,
    -- Subject of the caller who wrote it.
    actor          text        not null,
    create_time    timestamptz not null default now(),
    constraint reservation_note_pkey primary key (hotel_id, note_id),
    constraint reservation_note_content_is_short check (char_length(content) between 1 and 2000),
    constraint reservation_note_actor_is_short check (char_length(actor) between 1 and 200)
);
create index reservation_note_list_idx on reservation_note (hotel_id, reservation_id, create_time, note_id);
create function refuse_note_change() returns trigger
    language plpgsql as
$$
begin
    if tg_op = 'UPDATE' and new.content = '-' and (old.hotel_id, old.reservation_id, old.note_id, old.actor)
        is not distinct from (new.hotel_id, new.reservation_id, new.note_id, new.actor) then
        return new;
    end if;
    raise exception 'notes are never changed'
        using errcode = 'check_violation', constraint = 'reservation_note_is_append_only', table = 'reservation_note';
end
$$;
create trigger reservation_note_is_append_only before update or delete on reservation_note
    for each row execute function refuse_note_change();

-- A text as it is searched: in small letters, without accents, with spaces instead of ASCII punctuation. Letters that have no
-- accent to remove are written as their ASCII neighbours. One expression, which is inlined where it is used: every paid
-- reservation is written with it.
create function search_text(value text) returns text
    language sql immutable parallel safe
    return translate(replace(replace(replace(replace(
        regexp_replace(normalize(lower(normalize(value, NFKD) collate "und-x-icu"), NFKD), '[\u0300-\u036f]', '', 'g'),
        'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'),
        'øđðłıħ!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', 'oddlih' || repeat(' ', 32));

-- What a reservation is found by, each with its hotel before it, so that a prefix is one range of the index: the words of the
-- guest's name, of which 500 characters count, so that none is too long; the e-mail address; and the client reference.
create function reservation_search(hotel integer, guest_name text, guest_email text, client_reference text) returns tsvector
    language sql immutable parallel safe
    return array_to_tsvector(array_remove(
        string_to_array(hotel || '/' || replace(left(search_text(guest_name), 500), ' ', ' ' || hotel || '/'), ' ')
            || coalesce(hotel || '@' || left(lower(guest_email), 254), hotel || '/')
            || coalesce(hotel || '#' || left(lower(client_reference), 64), hotel || '/'), hotel || '/'));

-- What a reservation is found by of the guest of a room: the words of the name.
create function room_guest_search(hotel integer, guest jsonb) returns tsvector
    language sql immutable parallel safe
    return reservation_search(hotel,
        coalesce(guest ->> 'given_name', '') || ' ' || coalesce(guest ->> 'family_name', ''), null, null);

-- All that begins with a lexeme, as the text of a tsquery.
create function search_prefix(lexeme text) returns text
    language sql immutable parallel safe
    return '''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || ''':*';

-- The search for a text: for all of its words as the beginnings of words, or for the beginning of a client reference; for the
-- beginning of an e-mail address if it has an @.
create function reservation_query(hotel integer, value text) returns tsquery
    language sql immutable parallel safe
    return (case
        when position('@' in value) > 0 then search_prefix(hotel || '@' || left(lower(trim(value)), 254))
        else coalesce((select '(' || string_agg(search_prefix(hotel || '/' || left(word, 50)), ' & ') || ') | '
                       from unnest(string_to_array(search_text(value), ' ')) word where word <> ''), '')
            || search_prefix(hotel || '#' || left(lower(trim(value)), 64))
    end)::tsquery;

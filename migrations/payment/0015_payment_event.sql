-- The first thing that is written of a payment: what is to be paid for a booking, by whom, to which hotel. Every page that
-- is opened for it is an order (payment_order) of the same: when nobody paid on one, the next asks for no other sum.

create table payment_event (
    reservation_id uuid        not null,
    hotel_id       integer     not null,
    -- Who booked: the subject of the caller's token.
    owner          text        not null,
    amount_minor   bigint      not null,
    currency       text        not null,
    created_at     timestamptz not null default now(),
    constraint payment_event_pkey primary key (reservation_id),
    constraint payment_event_hotel_is_positive check (hotel_id > 0),
    constraint payment_event_owner_is_short check (char_length(owner) between 1 and 200),
    constraint payment_event_amount_in_range check (amount_minor between 1 and 999999999999999),
    constraint payment_event_currency_is_code check (currency ~ '^[A-Z]{3}$'),
    -- What orders refer to.
    constraint payment_event_terms_key unique (reservation_id, hotel_id, owner, amount_minor, currency)
);

create function payment_event_guard() returns trigger language plpgsql as $$
begin
    raise exception 'what was agreed on does not change'
        using errcode = 'check_violation', constraint = 'payment_event_terms_are_fixed', table = 'payment_event';
end
$$;
create trigger payment_event_terms_are_fixed before update or delete on payment_event
    for each row execute function payment_event_guard();
create trigger payment_event_is_kept before truncate on payment_event
    for each statement execute function payment_event_guard();

insert into payment_event (reservation_id, hotel_id, owner, amount_minor, currency, created_at)
select distinct on (reservation_id) reservation_id, hotel_id, owner, amount_minor, currency, created_at
from payment_order
order by reservation_id, payment_id;

alter table payment_order
    add constraint payment_order_event_fkey foreign key (reservation_id, hotel_id, owner, amount_minor, currency)
        references payment_event (reservation_id, hotel_id, owner, amount_minor, currency);

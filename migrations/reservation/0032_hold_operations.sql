-- A hold is extended once at most; null for no.
alter table reservation add column hold_extended boolean;

-- A partner who holds rooms may decide to collect while the reservation is unpaid. All other terms stay fixed.
create or replace function refuse_illegal_reservation() returns trigger
    language plpgsql as
$$
begin
    if tg_op = 'INSERT' then
        if new.status = 'pending_payment' or (new.status = 'paid' and new.payment_mode = 'partner_collects') then
            return new;
        end if;
        raise exception 'a reservation cannot begin as %', new.status
            using errcode = 'check_violation', constraint = 'reservation_legal_transition', table = 'reservation';
    end if;
    if (old.reservation_id, old.owner, old.room_type_id, old.check_in, old.check_out, old.rooms, old.currency,
        old.total_minor, old.content_hash)
        is distinct from
       (new.reservation_id, new.owner, new.room_type_id, new.check_in, new.check_out, new.rooms, new.currency,
        new.total_minor, new.content_hash)
        or old.payment_mode <> new.payment_mode and not (
            (old.payment_mode, new.payment_mode) = ('guest_pays', 'partner_collects')
            and old.status = 'pending_payment' and new.status = 'pending_payment'
        ) then
        raise exception 'the terms of a reservation do not change'
            using errcode = 'check_violation', constraint = 'reservation_terms_are_fixed', table = 'reservation';
    end if;
    if old.status = new.status then
        return new;
    end if;
    if (old.status, new.status) in (
            ('pending_payment', 'paid'), ('pending_payment', 'rejected'), ('pending_payment', 'cancelled'),
            ('paid', 'cancelled'))
        or ((old.status, new.status) = ('cancelled', 'refunded') and new.payment_id is not null)
        -- Money that came after the hold had expired, while the rooms were still free.
        or ((old.status, new.status) = ('cancelled', 'paid') and old.cancellation_reason = 'hold_expired') then
        new.version := old.version + 1;
        new.update_time := now();
        return new;
    end if;
    raise exception 'a reservation cannot go from % to %', old.status, new.status
        using errcode = 'check_violation', constraint = 'reservation_legal_transition', table = 'reservation';
end
$$;

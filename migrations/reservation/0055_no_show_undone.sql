-- A no-show may be taken back before its penalty is settled: the reservation is paid again, and its rooms are taken again.
-- A release before does not do so, and reads such a reservation as any that is paid.
create or replace function refuse_other_no_show() returns trigger
    language plpgsql as
$$
begin
    if (old.status, new.status) is distinct from ('paid', 'cancelled')
        and (old.status, new.status, new.cancellation_reason) is distinct from ('cancelled', 'paid', null) then
        raise exception 'only a reservation that is paid becomes a no-show, and stays one unless it is paid again'
            using errcode = 'check_violation', constraint = 'reservation_no_show_is_final', table = 'reservation';
    end if;
    return new;
end
$$;

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
    if (old.reservation_id, old.owner, old.currency, old.total_minor, old.content_hash)
        is distinct from
       (new.reservation_id, new.owner, new.currency, new.total_minor, new.content_hash)
        -- A partner who holds rooms may decide to collect while the reservation is unpaid.
        or old.payment_mode <> new.payment_mode and not (
            (old.payment_mode, new.payment_mode) = ('guest_pays', 'partner_collects')
            and old.status = 'pending_payment' and new.status = 'pending_payment'
        )
        or (new.revision > old.revision) is not true
        and (old.room_type_id, old.check_in, old.check_out, old.rooms) is distinct from
            (new.room_type_id, new.check_in, new.check_out, new.rooms)
    then
        raise exception 'the terms of a reservation change with a revision'
            using errcode = 'check_violation', constraint = 'reservation_terms_are_fixed', table = 'reservation';
    end if;
    if old.status = new.status then
        return new;
    end if;
    if (old.status, new.status) in (
            ('pending_payment', 'paid'), ('pending_payment', 'rejected'), ('pending_payment', 'cancelled'),
            ('paid', 'cancelled'))
        or ((old.status, new.status) = ('cancelled', 'refunded') and new.payment_id is not null)
        -- Money that came after the hold had expired, while the rooms were still free; or a no-show that is taken back.
        or ((old.status, new.status) = ('cancelled', 'paid') and old.cancellation_reason in ('hold_expired', 'no_show')) then
        new.version := old.version + 1;
        new.update_time := now();
        return new;
    end if;
    raise exception 'a reservation cannot go from % to %', old.status, new.status
        using errcode = 'check_violation', constraint = 'reservation_legal_transition', table = 'reservation';
end
$$;

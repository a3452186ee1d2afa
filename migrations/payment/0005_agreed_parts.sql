-- Who gets what of a payment, and from when on the hotel is paid, is agreed on when it is asked for, as the rest is.
create or replace function payment_order_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception 'payments are not forgotten'
            using errcode = 'check_violation', constraint = 'payment_order_terms_are_fixed';
    end if;
    if tg_op = 'INSERT' then
        if new.status <> 'PENDING' then
            raise exception 'a payment begins unpaid'
                using errcode = 'check_violation', constraint = 'payment_order_legal_transition';
        end if;
        return new;
    end if;
    if (new.payment_id, new.reservation_id, new.hotel_id, new.owner, new.amount_minor, new.currency, new.tax_minor,
        new.commission_minor, new.check_out, new.return_url, new.created_at)
        is distinct from (old.payment_id, old.reservation_id, old.hotel_id, old.owner, old.amount_minor, old.currency,
        old.tax_minor, old.commission_minor, old.check_out, old.return_url, old.created_at)
        or (old.psp_session is not null and new.psp_session is distinct from old.psp_session) then
        raise exception 'what was agreed on does not change'
            using errcode = 'check_violation', constraint = 'payment_order_terms_are_fixed';
    end if;
    -- At depth 1 this is somebody's own update; at 2 it comes from the triggers on refund.
    if pg_trigger_depth() < 2 and (new.refund_requested_minor, new.refunded_minor)
        <> (old.refund_requested_minor, old.refunded_minor) then
        raise exception 'sums of refunds follow from refunds'
            using errcode = 'check_violation', constraint = 'payment_order_sums_follow_refunds';
    end if;
    if new.status <> old.status then
        if (old.status, new.status) not in (
            ('PENDING', 'PAID'), ('PENDING', 'FAILED'), ('PENDING', 'EXPIRED'),
            ('EXPIRED', 'PAID'), ('FAILED', 'PAID'),
            ('PAID', 'REFUNDING'), ('REFUNDING', 'REFUNDED'), ('REFUNDED', 'REFUNDING')
        ) then
            raise exception 'illegal transition'
                using errcode = 'check_violation', constraint = 'payment_order_legal_transition';
        end if;
        new.status_changed_at := now();
    end if;
    return new;
end
$$;

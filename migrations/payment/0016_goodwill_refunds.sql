-- A refund on top of what a cancellation gives back (goodwill), and what an ended reservation gives back in all: refunds
-- that an administrator requested earlier count toward it, goodwill does not.
alter table refund
    -- Whether it is given on top of the cancellation policy.
    add column goodwill boolean not null default false,
    -- Whether the request named no amount, so that a repeat is compared with the whole request. Null: written by an earlier
    -- release.
    add column requested_rest boolean,
    add constraint refund_goodwill_is_requested check (not goodwill or reason = 'REQUESTED') not valid;
alter table payment_order
    -- What the cancellation or no-show gives back in all. Null while the reservation has not ended, or if an earlier
    -- release settled its end.
    add column refund_due_minor bigint,
    add constraint payment_order_refund_due_within_amount check (refund_due_minor between 0 and amount_minor) not valid;

-- The same for the new columns: the content of a request does not change.
create or replace function refund_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.status <> 'REQUESTED' then
            raise exception 'a refund begins as a request'
                using errcode = 'check_violation', constraint = 'refund_legal_transition';
        end if;
        return new;
    end if;
    if tg_op = 'DELETE' then
        raise exception 'refunds are not deleted'
            using errcode = 'check_violation', constraint = 'refund_legal_transition';
    end if;
    if (new.refund_id, new.payment_id, new.reason, new.request_id, new.amount_minor, new.goodwill, new.requested_rest,
        new.created_at)
        is distinct from (old.refund_id, old.payment_id, old.reason, old.request_id, old.amount_minor, old.goodwill,
        old.requested_rest, old.created_at)
        or (old.status = 'SUCCEEDED' and new is distinct from old) then
        raise exception 'the content of a refund does not change'
            using errcode = 'check_violation', constraint = 'refund_legal_transition';
    end if;
    return new;
end
$$;

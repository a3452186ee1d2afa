-- "Nobody came" is a reason to cancel what was paid, and nothing else becomes it or is made of it afterwards: what is
-- charged hangs on it. A release of before cannot read a reservation with this reason, so the edge gets the route to
-- report one when every replica is new.
-- Not validated: every row there is has one of the two other reasons or none, as the constraint of before saw to.
alter table reservation drop constraint reservation_cancellation_has_a_reason;
alter table reservation add constraint reservation_cancellation_has_a_reason check (
    (status in ('cancelled', 'refunded')) = (cancellation_reason is not null)
    and (cancellation_reason is null or cancellation_reason in ('requested', 'hold_expired', 'no_show'))
) not valid;

create function refuse_other_no_show() returns trigger
    language plpgsql as
$$
begin
    if old.cancellation_reason = 'no_show'
        or (old.status, new.status) is distinct from ('paid', 'cancelled') then
        raise exception 'only a reservation that is paid becomes a no-show, and stays one'
            using errcode = 'check_violation', constraint = 'reservation_no_show_is_final', table = 'reservation';
    end if;
    return new;
end
$$;

-- After the trigger that looks at the states, by its name.
create trigger reservation_no_show_is_final before update on reservation
    for each row
    when ((old.cancellation_reason is not distinct from 'no_show')
        <> (new.cancellation_reason is not distinct from 'no_show'))
    execute function refuse_other_no_show();

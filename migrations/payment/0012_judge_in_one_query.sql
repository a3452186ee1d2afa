-- As before, but each transaction is read once: that it is whole and that it balances are seen in one go.
create or replace function ledger_transaction_judge() returns trigger language plpgsql as $$
declare
    found record;
begin
    select coalesce(sum(lines), 0) as lines, coalesce(bool_and(minor = 0), true) as balanced
    into found
    from (
        select count(*) as lines, sum(amount_minor) as minor from ledger_entry
        where transaction_id = new.transaction_id group by currency) summed;
    if found.lines <> new.lines then
        raise exception 'a transaction has as many entries as it says'
            using errcode = 'check_violation', constraint = 'ledger_transaction_is_whole';
    end if;
    if not found.balanced then
        raise exception 'debits and credits are equal in every currency'
            using errcode = 'check_violation', constraint = 'ledger_transaction_balances';
    end if;
    return null;
end
$$;

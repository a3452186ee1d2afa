-- A hold is extended once at most; null for no.
alter table reservation add column hold_extended boolean;

-- When the provider last said that a card was declined and another may be tried. Absent when it has said no such thing.
alter table payment_order add column declined_at timestamptz;

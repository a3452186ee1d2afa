-- When the reservation service said that the reservation has ended and wants its money back as far as the policy goes.
-- From then on it is told what went back. Absent while the reservation stands.
alter table payment_order add column reservation_ended_at timestamptz;

-- Validates the constraint that migration 0023 added without reading the table. This reads the table, and bookings go
-- on meanwhile. Rows that are not carried over yet have no revision, which meets it.
alter table reservation validate constraint reservation_revision_positive;

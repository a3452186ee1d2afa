-- The request that registered a program, so that its repeat gets the same answer. Null when it named none, or was before
-- this. There are few programs, so the key is made in place.
alter table client add column request_id uuid;
alter table client add constraint client_request_id_key unique (request_id);

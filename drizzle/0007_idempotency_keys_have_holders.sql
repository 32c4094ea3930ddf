-- Who holds a key whose request is under way: the request, so that one that was given up creates nothing any more, and
-- the session of its process, so that a key of a dead process is free when the session is.
alter table baton.idempotency_key add column holder uuid, add column session_id uuid;

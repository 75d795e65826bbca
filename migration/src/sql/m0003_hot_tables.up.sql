-- Events, deliveries and attempts: split by UTC day, and each day by keep class into leaves.
--
-- Every row carries its event's `accepted_at`, and its id is a UUIDv7 stamped with that
-- millisecond. So an id tells its day, one index on the id finds "what belongs to this event" as
-- a range, and all that belongs to an event leaves together.
--
-- Columns are ordered wide to narrow, which saves padding on tables that hold billions of rows.

CREATE TABLE events (
    accepted_at      timestamptz NOT NULL,
    -- Pending rows only: when the sweeper may take the row (again).
    due_at           timestamptz,
    keep_days        smallint NOT NULL,
    -- domain::state::EventState
    state            smallint NOT NULL,
    -- domain::event::EventKind
    kind             smallint NOT NULL,
    duplicate        boolean NOT NULL DEFAULT false,
    id               uuid NOT NULL,
    project_id       uuid NOT NULL,
    -- The endpoint asked for, of a single event.
    endpoint_id      uuid,
    source_id        uuid,
    event_type       text NOT NULL,
    -- The JSON text exactly as it was received, stored, signed and sent.
    payload          text NOT NULL,
    -- JSON object of name to value; null when none were given.
    headers          text,
    owner_id         text,
    idempotency_key  text,
    failure_reason   text,
    PRIMARY KEY (id, accepted_at, keep_days),
    CHECK ((state IN (0, 1)) = (due_at IS NOT NULL))
) PARTITION BY RANGE (accepted_at);
-- Lists of a project, newest first, from any id on.
CREATE INDEX events_project_idx ON events (project_id, id);
-- The sweeper: what waits to be matched.
CREATE INDEX events_due_idx ON events (due_at) WHERE due_at IS NOT NULL;
-- Look-up by idempotency key; most events carry none.
CREATE INDEX events_idempotency_idx ON events (project_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE TABLE events_default PARTITION OF events DEFAULT;

-- Text search: filled behind the hot path for projects with a search policy.
CREATE TABLE events_search (
    accepted_at  timestamptz NOT NULL,
    keep_days    smallint NOT NULL,
    id           uuid NOT NULL,
    project_id   uuid NOT NULL,
    words        tsvector NOT NULL,
    PRIMARY KEY (id, accepted_at, keep_days)
) PARTITION BY RANGE (accepted_at);
CREATE INDEX events_search_words_idx ON events_search USING gin (words);
CREATE TABLE events_search_default PARTITION OF events_search DEFAULT;

CREATE TABLE event_deliveries (
    accepted_at      timestamptz NOT NULL,
    -- Non-final states only: next attempt, or end of the lease.
    due_at           timestamptz,
    -- When it ended.
    ended_at         timestamptz,
    -- Accepted to delivered, in milliseconds.
    latency_ms       integer,
    keep_days        smallint NOT NULL,
    -- domain::state::DeliveryState
    state            smallint NOT NULL,
    -- Attempts made; also the fence of a lease.
    attempts         smallint NOT NULL,
    -- HTTP status of the last attempt; null without an answer.
    last_status      smallint,
    id               uuid NOT NULL,
    project_id       uuid NOT NULL,
    event_id         uuid NOT NULL,
    endpoint_id      uuid NOT NULL,
    subscription_id  uuid,
    event_type       text NOT NULL,
    -- Why it stands where it stands, in words.
    description      text,
    -- The retry policy frozen at the first failure, as JSON.
    retry            text,
    PRIMARY KEY (id, accepted_at, keep_days),
    CHECK ((state IN (0, 1, 2)) = (due_at IS NOT NULL))
) PARTITION BY RANGE (accepted_at);
-- Lists of a project, newest first; and the deliveries of one event, as a range of ids.
CREATE INDEX event_deliveries_project_idx ON event_deliveries (project_id, id);
-- The sweeper, and the list of what waits.
CREATE INDEX event_deliveries_due_idx ON event_deliveries (due_at) WHERE due_at IS NOT NULL;
-- The list of failures, which are few among many.
CREATE INDEX event_deliveries_failed_idx ON event_deliveries (project_id, id) WHERE state IN (4, 5);
CREATE TABLE event_deliveries_default PARTITION OF event_deliveries DEFAULT;

CREATE TABLE delivery_attempts (
    accepted_at       timestamptz NOT NULL,
    requested_at      timestamptz NOT NULL,
    duration_us       integer NOT NULL,
    keep_days         smallint NOT NULL,
    -- 1 for the first attempt of a delivery.
    number            smallint NOT NULL,
    http_status       smallint,
    id                uuid NOT NULL,
    project_id        uuid NOT NULL,
    delivery_id       uuid NOT NULL,
    url               text NOT NULL,
    -- Lines `name: value`.
    request_headers   text NOT NULL,
    response_headers  text,
    response_body     bytea,
    -- Address the request went to.
    address           text,
    error             text,
    -- Attempts of one delivery are a range of this key: they share the event's millisecond.
    PRIMARY KEY (id, accepted_at, keep_days)
) PARTITION BY RANGE (accepted_at);
CREATE TABLE delivery_attempts_default PARTITION OF delivery_attempts DEFAULT;

-- Whether a payload contains a JSON value. Not every JSON text that may be received can become
-- jsonb (U+0000, lone surrogates, numbers out of range); such a payload contains nothing.
CREATE FUNCTION payload_contains(payload text, wanted jsonb) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN payload::jsonb @> wanted;
EXCEPTION WHEN data_exception THEN
    RETURN false;
END $$;

-- Keep classes in use. Leaves of a class exist for today and the days ahead before it is used.
CREATE TABLE keep_classes (
    keep_days   smallint PRIMARY KEY CHECK (keep_days BETWEEN 0 AND 3650),
    created_at  timestamptz NOT NULL
);
INSERT INTO keep_classes VALUES (0, now());

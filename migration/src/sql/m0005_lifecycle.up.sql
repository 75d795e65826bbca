-- The life of data: how long rows are kept, where copies lie, what was copied, dropped and erased.

CREATE EXTENSION IF NOT EXISTS btree_gist;

-- Switches of the instance that a page may turn on; configuration wins over a row.
CREATE TABLE instance_settings (
    name        text PRIMARY KEY,
    value       jsonb NOT NULL,
    updated_at  timestamptz NOT NULL,
    updated_by  text NOT NULL
);

-- Where segments are written and read. A row is never changed: a change is a new version, and
-- segments remember theirs. `project_id` is null for the instance.
CREATE TABLE storage_policies (
    id          uuid PRIMARY KEY,
    project_id  uuid REFERENCES projects ON DELETE CASCADE,
    version     integer NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('s3', 'on_prem')),
    -- domain::storage::StoragePolicy without its secrets.
    settings    jsonb NOT NULL,
    -- Its secrets as JSON, encrypted with the instance key; null when it has none.
    secrets     bytea,
    -- 'page', 'api' or 'configuration'
    origin      text NOT NULL,
    -- What the last probe found: domain::storage::ProbeReport.
    probe       jsonb,
    probed_at   timestamptz,
    created_at  timestamptz NOT NULL,
    created_by  text NOT NULL,
    UNIQUE NULLS NOT DISTINCT (project_id, version)
);

-- How long a project keeps its events. `keep_days` (step 1) is the class of new rows and follows
-- from these: 0 while deleting is off.
ALTER TABLE projects
    ADD COLUMN retention_on      boolean NOT NULL DEFAULT false,
    ADD COLUMN retention_days    smallint NOT NULL DEFAULT 30 CHECK (retention_days BETWEEN 1 AND 3650),
    ADD COLUMN backup_on         boolean NOT NULL DEFAULT false,
    -- Its own storage policy is in use, instead of the instance's.
    ADD COLUMN own_storage       boolean NOT NULL DEFAULT false,
    -- Grows with every erasure; a segment is committed only if it did not grow meanwhile.
    ADD COLUMN erasure_version   bigint NOT NULL DEFAULT 0,
    -- Rows of other classes may exist: a reclass run has work. Null when none is known.
    ADD COLUMN reclass_since     timestamptz;

-- Legal holds. Rows of the project accepted in [from_at, to_at) are kept for ever while one is in
-- force: they are moved to class 0 at once, and no leaf that still has some is dropped.
CREATE TABLE holds (
    id           uuid PRIMARY KEY,
    project_id   uuid NOT NULL REFERENCES projects,
    name         text NOT NULL,
    from_at      timestamptz NOT NULL,
    to_at        timestamptz NOT NULL CHECK (to_at > from_at),
    placed_at    timestamptz NOT NULL,
    placed_by    text NOT NULL,
    released_at  timestamptz,
    released_by  text
);
CREATE INDEX holds_project_idx ON holds (project_id, from_at) WHERE released_at IS NULL;

CREATE TYPE id_range AS RANGE (subtype = uuid);

-- One archive object. Written before the object (the intent), so that no object is ever unknown.
CREATE TABLE segments (
    -- The archive id of the object's name; new for every attempt.
    id              uuid PRIMARY KEY,
    project_id      uuid NOT NULL REFERENCES projects,
    policy_id       uuid NOT NULL REFERENCES storage_policies,
    -- domain::segment::Kind: 0 events, 1 deliveries, 2 attempts
    kind            smallint NOT NULL,
    -- Event type for events; `_deliveries` or `_attempts`.
    topic           text NOT NULL,
    day             date NOT NULL,
    object_key      text NOT NULL UNIQUE,
    state           text NOT NULL CHECK (state IN ('planned', 'uploaded', 'committed', 'rewriting',
                                                   'abandoned', 'replaced', 'deleted', 'quarantined')),
    -- The lease under which it was planned, and its fence.
    lease           text NOT NULL,
    fence           bigint NOT NULL,
    row_count       integer NOT NULL DEFAULT 0,
    first_id        uuid,
    last_id         uuid,
    first_at        timestamptz,
    last_at         timestamptz,
    -- Per keep class, rows and digest at the time of writing: {"30": {"rows": 5, "digest": "…"}}
    classes         jsonb NOT NULL DEFAULT '{}',
    generation      integer NOT NULL DEFAULT 1,
    -- While 'rewriting': generation, hash, size and index of the object that replaces this one.
    pending         jsonb,
    etag            text,
    version_id      text,
    size_bytes      bigint NOT NULL DEFAULT 0,
    raw_bytes       bigint NOT NULL DEFAULT 0,
    object_sha256   bytea,
    content_sha256  bytea,
    -- The index of blocks, as in the object's footer.
    block_index     bytea,
    created_at      timestamptz NOT NULL,
    committed_at    timestamptz,
    verified_at     timestamptz,
    -- Since when some of its rows may be gone from PostgreSQL: readers look here from then on.
    cold_since      timestamptz,
    last_error      text,
    EXCLUDE USING gist (project_id WITH =, kind WITH =, topic WITH =, id_range(first_id, last_id, '[]') WITH &&)
        WHERE (state IN ('committed', 'rewriting')),
    CHECK (state NOT IN ('committed', 'rewriting') OR (block_index IS NOT NULL AND first_id IS NOT NULL))
);
-- Readers: the segments of a project and day.
CREATE INDEX segments_day_idx ON segments (project_id, day, kind) WHERE state IN ('committed', 'rewriting');
-- Readers of what is not in PostgreSQL any more.
CREATE INDEX segments_cold_idx ON segments (project_id, kind, day) WHERE cold_since IS NOT NULL;
-- Sweeper and recovery: what is not settled.
CREATE INDEX segments_unsettled_idx ON segments (created_at) WHERE state IN ('planned', 'uploaded', 'abandoned', 'replaced', 'rewriting');
-- Scrubber: the longest unverified first.
CREATE INDEX segments_verified_idx ON segments (verified_at) WHERE state IN ('committed', 'rewriting');

-- Bloom filters of segments, apart so that lists do not carry them. `what` is 'id' or 'key'.
CREATE TABLE segment_filters (
    segment_id  uuid NOT NULL REFERENCES segments ON DELETE CASCADE,
    what        text NOT NULL,
    bits        bytea NOT NULL,
    PRIMARY KEY (segment_id, what)
);

-- Backup of one project and day. `part` is 'events', or 'deliveries' (with attempts), which is
-- covered once nothing of the day is live any more.
CREATE TABLE backup_days (
    project_id    uuid NOT NULL REFERENCES projects,
    day           date NOT NULL,
    part          text NOT NULL CHECK (part IN ('events', 'deliveries')),
    state         text NOT NULL CHECK (state IN ('waiting', 'covered', 'failed')),
    row_count     bigint NOT NULL DEFAULT 0,
    size_bytes    bigint NOT NULL DEFAULT 0,
    covered_at    timestamptz,
    -- Why the last try did not cover it, and since when.
    error         text,
    failed_since  timestamptz,
    PRIMARY KEY (project_id, part, day)
);
CREATE INDEX backup_days_open_idx ON backup_days (day) WHERE state <> 'covered';

-- Everything up to and with `through` is covered, without gaps.
CREATE TABLE backup_marks (
    project_id  uuid NOT NULL REFERENCES projects,
    part        text NOT NULL,
    through     date NOT NULL,
    PRIMARY KEY (project_id, part)
);

-- What left, leaf by leaf, and what could not leave and why.
CREATE TABLE leaf_drops (
    leaf        text PRIMARY KEY,
    table_name  text NOT NULL,
    day         date NOT NULL,
    keep_days   smallint NOT NULL,
    state       text NOT NULL CHECK (state IN ('refused', 'dropping', 'dropped')),
    row_count   bigint NOT NULL DEFAULT 0,
    size_bytes  bigint NOT NULL DEFAULT 0,
    reason      text,
    since       timestamptz NOT NULL,
    ended_at    timestamptz,
    -- How long other sessions could not use the table.
    locked_ms   integer
);
CREATE INDEX leaf_drops_state_idx ON leaf_drops (state, since);

-- Erasures: in force for readers from the moment of the row, physically done later.
CREATE TABLE erasures (
    id             uuid PRIMARY KEY,
    project_id     uuid NOT NULL REFERENCES projects,
    -- domain::erasure::Target
    target         jsonb NOT NULL,
    reason         text NOT NULL DEFAULT '',
    requested_by   text NOT NULL,
    requested_at   timestamptz NOT NULL,
    state          text NOT NULL CHECK (state IN ('pending', 'blocked', 'done')),
    -- Which segments still have to be rewritten.
    segments_left  integer,
    blocked_by     text,
    receipt        jsonb NOT NULL DEFAULT '{}',
    ledger_key     text,
    done_at        timestamptz
);
CREATE INDEX erasures_open_idx ON erasures (project_id) WHERE state <> 'done';
CREATE INDEX erasures_project_idx ON erasures (project_id, id);

-- Events that an erasure means, as far as they are known; `held` ones wait for the end of a hold.
CREATE TABLE erasure_events (
    erasure_id  uuid NOT NULL REFERENCES erasures ON DELETE CASCADE,
    event_id    uuid NOT NULL,
    accepted_at timestamptz NOT NULL,
    held        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (erasure_id, event_id)
);
CREATE INDEX erasure_events_at_idx ON erasure_events (erasure_id, accepted_at);
-- What an erasure did to each segment that could hold what it means.
CREATE TABLE erasure_segments (
    erasure_id        uuid NOT NULL REFERENCES erasures ON DELETE CASCADE,
    segment_id        uuid NOT NULL REFERENCES segments ON DELETE CASCADE,
    outcome           text NOT NULL CHECK (outcome IN ('rewriting', 'clean', 'rewritten', 'removed', 'blocked')),
    -- Blocks that were written anew, and rows changed in them.
    blocks            integer[] NOT NULL DEFAULT '{}',
    row_count         integer NOT NULL DEFAULT 0,
    versions_removed  integer NOT NULL DEFAULT 0,
    reason            text,
    at                timestamptz NOT NULL,
    PRIMARY KEY (erasure_id, segment_id)
);

-- Tables on the way into partitions or back.
CREATE TABLE conversions (
    table_name  text PRIMARY KEY,
    direction   text NOT NULL CHECK (direction IN ('partition', 'unpartition')),
    state       text NOT NULL CHECK (state IN ('running', 'paused', 'failed', 'done')),
    step        text NOT NULL,
    rows_done   bigint NOT NULL DEFAULT 0,
    rows_total  bigint NOT NULL DEFAULT 0,
    -- What each finished step took: [{"step": "index", "ms": 378000, "say": "…"}]
    steps       jsonb NOT NULL DEFAULT '[]',
    started_by  text NOT NULL,
    started_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    error       text
);

-- Windows brought back from the archive to look at. Never archived again, gone at `expires_at`.
CREATE TABLE restores (
    id          uuid PRIMARY KEY,
    project_id  uuid NOT NULL REFERENCES projects,
    from_at     timestamptz NOT NULL,
    to_at       timestamptz NOT NULL,
    state       text NOT NULL CHECK (state IN ('running', 'ready', 'failed', 'expired')),
    row_count   bigint NOT NULL DEFAULT 0,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    error       text
);
CREATE TABLE restored_events (
    restore_id   uuid NOT NULL REFERENCES restores ON DELETE CASCADE,
    id           uuid NOT NULL,
    accepted_at  timestamptz NOT NULL,
    event_type   text NOT NULL,
    -- The event as it stands in the segment.
    event        text NOT NULL,
    PRIMARY KEY (restore_id, id)
);

-- Progress of a run while it goes on, and which project it was for.
ALTER TABLE runs
    ADD COLUMN project_id  uuid,
    ADD COLUMN progress    jsonb,
    -- The moment that the run acted for, when not the present one.
    ADD COLUMN as_of       timestamptz,
    -- By the clock of the database, which nobody sets: tells which run was the last.
    ADD COLUMN recorded_at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE INDEX runs_started_idx ON runs (started_at);
CREATE INDEX runs_recorded_idx ON runs (job, recorded_at);
-- Runs of dead processes are looked for among these.
CREATE INDEX runs_running_idx ON runs (job) WHERE state = 'running';
-- The runs of one project, for its pages.
CREATE INDEX runs_project_idx ON runs (project_id, id) WHERE project_id IS NOT NULL;

-- Keys are forgotten when their events have left.
CREATE INDEX idempotency_keys_accepted_idx ON idempotency_keys (project_id, accepted_at);

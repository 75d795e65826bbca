-- What the product keeps about its own work.

-- Counters written with the data they count; pages read these and never scan.
-- `endpoint_id` is the nil id for counters of the project. `shard` is the writer, so that two
-- writers never wait for each other's row. `metric` is domain::counts::Metric.
CREATE TABLE delivery_counts_hourly (
    hour         timestamptz NOT NULL,
    n            bigint NOT NULL,
    metric       smallint NOT NULL,
    shard        smallint NOT NULL,
    project_id   uuid NOT NULL,
    endpoint_id  uuid NOT NULL,
    PRIMARY KEY (project_id, hour, endpoint_id, metric, shard)
) WITH (fillfactor = 50);

-- First writer wins. Rows leave with their events.
CREATE TABLE idempotency_keys (
    accepted_at  timestamptz NOT NULL,
    project_id   uuid NOT NULL,
    event_id     uuid NOT NULL,
    key          text NOT NULL,
    PRIMARY KEY (project_id, key)
);

-- One execution of a job.
CREATE TABLE runs (
    id          uuid PRIMARY KEY,
    job         text NOT NULL,
    -- 'schedule', 'manual', 'start'
    trigger     text NOT NULL,
    state       text NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    input       jsonb NOT NULL DEFAULT '{}',
    counts      jsonb NOT NULL DEFAULT '{}',
    error       text,
    started_at  timestamptz NOT NULL,
    ended_at    timestamptz
);
CREATE INDEX runs_job_idx ON runs (job, id);

-- Retries and replays of many at once, done in the background with progress.
CREATE TABLE batches (
    id            uuid PRIMARY KEY,
    project_id    uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    -- 'retry' or 'replay'
    kind          text NOT NULL CHECK (kind IN ('retry', 'replay')),
    state         text NOT NULL CHECK (state IN ('pending', 'processing', 'completed', 'failed', 'cancelled')),
    filter        jsonb NOT NULL,
    -- Id of the last row done; work goes on behind it.
    cursor        uuid,
    processed     bigint NOT NULL DEFAULT 0,
    failed        bigint NOT NULL DEFAULT 0,
    error         text,
    -- Owner's lease while processing.
    due_at        timestamptz,
    created_at    timestamptz NOT NULL,
    completed_at  timestamptz
);
-- One active batch of a kind per project.
CREATE UNIQUE INDEX batches_active_key ON batches (project_id, kind) WHERE state IN ('pending', 'processing');
CREATE INDEX batches_project_idx ON batches (project_id, id);

-- Who acts for all: a lease with a fencing number that only grows.
CREATE TABLE leases (
    name        text PRIMARY KEY,
    holder      text NOT NULL,
    fence       bigint NOT NULL,
    expires_at  timestamptz NOT NULL
);

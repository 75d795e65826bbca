-- Where events go.

CREATE TABLE endpoints (
    id                   uuid PRIMARY KEY,
    project_id           uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    name                 text NOT NULL,
    url                  text NOT NULL,
    description          text NOT NULL DEFAULT '',
    owner_id             text,
    -- domain::state::EndpointState
    state                smallint NOT NULL DEFAULT 0,
    content_type         text NOT NULL DEFAULT 'application/json',
    -- 0 = the instance's default.
    http_timeout         integer NOT NULL DEFAULT 0,
    -- 0 = the project's limit.
    rate_limit           integer NOT NULL DEFAULT 0,
    rate_limit_duration  integer NOT NULL DEFAULT 0,
    advanced_signatures  boolean NOT NULL DEFAULT true,
    -- 'convoy' or 'standard' (Standard Webhooks)
    signature_format     text NOT NULL DEFAULT 'convoy' CHECK (signature_format IN ('convoy', 'standard')),
    support_email        text NOT NULL DEFAULT '',
    slack_webhook_url    text NOT NULL DEFAULT '',
    teams_webhook_url    text NOT NULL DEFAULT '',
    -- Encrypted JSON of the authentication that deliveries carry.
    authentication       bytea,
    state_reason         text,
    state_changed_at     timestamptz,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    deleted_at           timestamptz
);
CREATE INDEX endpoints_project_idx ON endpoints (project_id, id) WHERE deleted_at IS NULL;

CREATE TABLE endpoint_secrets (
    id           uuid PRIMARY KEY,
    endpoint_id  uuid NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    -- Encrypted text.
    value        bytea NOT NULL,
    -- Signs until then; null = until rotated.
    expires_at   timestamptz,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);
CREATE INDEX endpoint_secrets_endpoint_idx ON endpoint_secrets (endpoint_id);

CREATE TABLE sources (
    id              uuid PRIMARY KEY,
    project_id      uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    name            text NOT NULL,
    kind            text NOT NULL,
    mask_id         text NOT NULL UNIQUE,
    provider        text NOT NULL DEFAULT '',
    disabled        boolean NOT NULL DEFAULT false,
    config          jsonb NOT NULL DEFAULT '{}',
    -- Encrypted JSON: verifier secrets and broker credentials.
    secrets         bytea,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    deleted_at      timestamptz
);
CREATE INDEX sources_project_idx ON sources (project_id, id) WHERE deleted_at IS NULL;

CREATE TABLE event_types (
    id             uuid PRIMARY KEY,
    project_id     uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    name           text NOT NULL,
    category       text NOT NULL DEFAULT '',
    description    text NOT NULL DEFAULT '',
    json_schema    jsonb,
    deprecated_at  timestamptz,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    UNIQUE (project_id, name)
);

CREATE TABLE subscriptions (
    id             uuid PRIMARY KEY,
    project_id     uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    endpoint_id    uuid NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    source_id      uuid REFERENCES sources ON DELETE CASCADE,
    name           text NOT NULL,
    enabled        boolean NOT NULL DEFAULT true,
    -- 'at_least_once' or 'at_most_once'
    delivery_mode  text NOT NULL DEFAULT 'at_least_once' CHECK (delivery_mode IN ('at_least_once', 'at_most_once')),
    -- Overrides of the project's retry strategy and rate limit; null = the project's.
    retry          jsonb,
    rate_limit     jsonb,
    alert          jsonb,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    deleted_at     timestamptz
);
CREATE INDEX subscriptions_project_idx ON subscriptions (project_id, id) WHERE deleted_at IS NULL;
CREATE INDEX subscriptions_endpoint_idx ON subscriptions (endpoint_id) WHERE deleted_at IS NULL;

-- What a subscription takes: one row per event type ('*' = every type). Matching reads only these.
CREATE TABLE filters (
    id               uuid PRIMARY KEY,
    project_id       uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    subscription_id  uuid NOT NULL REFERENCES subscriptions ON DELETE CASCADE,
    event_type       text NOT NULL,
    headers          jsonb,
    body             jsonb,
    query            jsonb,
    path             jsonb,
    enabled_at       timestamptz,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    UNIQUE (subscription_id, event_type)
);
CREATE INDEX filters_project_idx ON filters (project_id);

-- Every change that routing depends on raises the project's version and tells all processes, no
-- matter who made the change. An accepted event carries the version its process knew, so a worker
-- that is behind reloads before it matches.
CREATE FUNCTION catalog_project_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.catalog_version := OLD.catalog_version + 1;
    PERFORM pg_notify('catalog', NEW.id::text);
    RETURN NEW;
END $$;
CREATE TRIGGER projects_catalog BEFORE UPDATE ON projects
    FOR EACH ROW EXECUTE FUNCTION catalog_project_changed();

CREATE FUNCTION catalog_project_created() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('catalog', NEW.id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER projects_catalog_created AFTER INSERT ON projects
    FOR EACH ROW EXECUTE FUNCTION catalog_project_created();

CREATE FUNCTION catalog_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE projects SET catalog_version = catalog_version
     WHERE id = CASE TG_OP WHEN 'DELETE' THEN OLD.project_id ELSE NEW.project_id END;
    RETURN NULL;
END $$;
CREATE TRIGGER endpoints_catalog AFTER INSERT OR UPDATE OR DELETE ON endpoints
    FOR EACH ROW EXECUTE FUNCTION catalog_changed();
CREATE TRIGGER subscriptions_catalog AFTER INSERT OR UPDATE OR DELETE ON subscriptions
    FOR EACH ROW EXECUTE FUNCTION catalog_changed();
CREATE TRIGGER filters_catalog AFTER INSERT OR UPDATE OR DELETE ON filters
    FOR EACH ROW EXECUTE FUNCTION catalog_changed();
CREATE TRIGGER sources_catalog AFTER INSERT OR UPDATE OR DELETE ON sources
    FOR EACH ROW EXECUTE FUNCTION catalog_changed();
CREATE TRIGGER api_keys_catalog AFTER INSERT OR UPDATE OR DELETE ON api_keys
    FOR EACH ROW EXECUTE FUNCTION catalog_changed();

CREATE FUNCTION catalog_secret_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE projects SET catalog_version = catalog_version
      FROM endpoints
     WHERE endpoints.id = CASE TG_OP WHEN 'DELETE' THEN OLD.endpoint_id ELSE NEW.endpoint_id END
       AND projects.id = endpoints.project_id;
    RETURN NULL;
END $$;
CREATE TRIGGER endpoint_secrets_catalog AFTER INSERT OR UPDATE OR DELETE ON endpoint_secrets
    FOR EACH ROW EXECUTE FUNCTION catalog_secret_changed();

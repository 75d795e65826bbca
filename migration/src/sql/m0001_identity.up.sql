-- Who uses the instance, and how they prove it.

CREATE TABLE organisations (
    id          uuid PRIMARY KEY,
    name        text NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);

CREATE TABLE users (
    id              uuid PRIMARY KEY,
    email           text NOT NULL,
    first_name      text NOT NULL DEFAULT '',
    last_name       text NOT NULL DEFAULT '',
    password_hash   text NOT NULL,
    instance_admin  boolean NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    disabled_at     timestamptz
);
CREATE UNIQUE INDEX users_email_key ON users (lower(email));

-- A member of an organisation sees its projects; `project_id` narrows the role to one project.
CREATE TABLE organisation_members (
    id               uuid PRIMARY KEY,
    organisation_id  uuid NOT NULL REFERENCES organisations ON DELETE CASCADE,
    user_id          uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    project_id       uuid,
    role             text NOT NULL CHECK (role IN ('project_viewer', 'project_admin', 'instance_admin')),
    created_at       timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (organisation_id, user_id, project_id)
);
CREATE INDEX organisation_members_user_idx ON organisation_members (user_id);

-- Browser sessions. The id is stored hashed, so that a leaked table opens no door.
CREATE TABLE sessions (
    id_hash     bytea PRIMARY KEY,
    user_id     uuid REFERENCES users ON DELETE CASCADE,
    data        jsonb NOT NULL,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX sessions_user_idx ON sessions (user_id);
CREATE INDEX sessions_expires_idx ON sessions (expires_at);

-- Failed sign-ins, to slow down guessing. `subject` is an address or an account.
CREATE TABLE sign_in_failures (
    subject   text PRIMARY KEY,
    failures  integer NOT NULL,
    until     timestamptz NOT NULL
);

CREATE TABLE projects (
    id               uuid PRIMARY KEY,
    organisation_id  uuid NOT NULL REFERENCES organisations,
    name             text NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('outgoing', 'incoming')),
    logo_url         text NOT NULL DEFAULT '',
    config           jsonb NOT NULL DEFAULT '{}',
    -- Keep class of new rows: 0 = for ever.
    keep_days        smallint NOT NULL DEFAULT 0 CHECK (keep_days BETWEEN 0 AND 3650),
    -- Grows with every change that routing depends on; see `catalog_changed`.
    catalog_version  bigint NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    deleted_at       timestamptz
);
CREATE UNIQUE INDEX projects_name_key ON projects (organisation_id, lower(name)) WHERE deleted_at IS NULL;

ALTER TABLE organisation_members
    ADD CONSTRAINT organisation_members_project_fk FOREIGN KEY (project_id) REFERENCES projects ON DELETE CASCADE;

-- `LH.<mask>.<key>`: the mask finds the row, the SHA-256 of the key proves it. The key has 384
-- random bits, so a slow hash would protect nothing and cost every request.
CREATE TABLE api_keys (
    id          uuid PRIMARY KEY,
    project_id  uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    name        text NOT NULL,
    mask        text NOT NULL UNIQUE,
    hash        bytea NOT NULL,
    role        text NOT NULL DEFAULT 'project_admin' CHECK (role IN ('project_viewer', 'project_admin')),
    created_by  uuid REFERENCES users ON DELETE SET NULL,
    expires_at  timestamptz,
    revoked_at  timestamptz,
    created_at  timestamptz NOT NULL
);
CREATE INDEX api_keys_project_idx ON api_keys (project_id);

-- Who changed what. Never updated, never deleted by the product.
CREATE TABLE audit (
    id          uuid PRIMARY KEY,
    at          timestamptz NOT NULL,
    actor_id    uuid,
    actor       text NOT NULL,
    action      text NOT NULL,
    project_id  uuid,
    subject     text NOT NULL,
    subject_id  uuid,
    detail      jsonb NOT NULL DEFAULT '{}',
    address     text
);
CREATE INDEX audit_project_idx ON audit (project_id, id);

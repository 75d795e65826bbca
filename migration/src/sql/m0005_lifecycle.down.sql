DROP INDEX idempotency_keys_accepted_idx;
DROP INDEX runs_started_idx;
DROP INDEX runs_running_idx;
ALTER TABLE runs DROP COLUMN project_id, DROP COLUMN progress, DROP COLUMN as_of, DROP COLUMN recorded_at;
DROP TABLE restored_events, restores, conversions, erasure_segments, erasure_events, erasures, leaf_drops, backup_marks, backup_days,
    segment_filters, segments, holds;
DROP TYPE id_range;
ALTER TABLE projects
    DROP COLUMN retention_on, DROP COLUMN retention_days, DROP COLUMN backup_on, DROP COLUMN own_storage,
    DROP COLUMN erasure_version, DROP COLUMN reclass_since;
DROP TABLE storage_policies, instance_settings;

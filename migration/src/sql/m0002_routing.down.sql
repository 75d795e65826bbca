DROP TRIGGER projects_catalog ON projects;
DROP TRIGGER projects_catalog_created ON projects;
DROP TRIGGER api_keys_catalog ON api_keys;
DROP TABLE filters, subscriptions, event_types, sources, endpoint_secrets, endpoints;
DROP FUNCTION catalog_project_changed(), catalog_project_created(), catalog_changed(), catalog_secret_changed();

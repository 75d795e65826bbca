DROP TABLE keep_classes, delivery_attempts, event_deliveries, events_search, events;
DROP FUNCTION payload_contains(text, jsonb);

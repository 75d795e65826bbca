DROP TABLE keep_classes, delivery_attempts, event_deliveries, events_search, events;

DROP TABLE leases, batches, runs, idempotency_keys, delivery_counts_hourly;

//! Step 4: runs, batches, leases, counters, idempotency keys.

super::sql_step!("m0004_work");

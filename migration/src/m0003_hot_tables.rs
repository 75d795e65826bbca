//! Step 3: events, deliveries and attempts, split by day and keep class.

super::sql_step!("m0003_hot_tables");

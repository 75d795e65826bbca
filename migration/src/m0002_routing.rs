//! Step 2: where events go: endpoints, subscriptions, filters.

super::sql_step!("m0002_routing");

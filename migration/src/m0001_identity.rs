//! Step 1: who uses the instance.

super::sql_step!("m0001_identity");

//! Step 5: retention, holds, storage policies, segments, backups, erasures, conversions.

super::sql_step!("m0005_lifecycle");

//! What must be true before a conversion starts, and the key that it goes by.

use sea_orm::sqlx::Row;

use super::layout::{KEY, quoted};
use super::session::Session;
use crate::DbError;

/// What a look at a table found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Why it cannot be converted, as sentences; empty when it can.
    pub obstacles: Vec<String>,
    /// Bytes of the table with its indexes.
    pub bytes: i64,
    /// Transactions of others that are older than a minute: they make locks wait.
    pub long_transactions: i64,
}

impl Session {
    /// Looks for what would be lost or left behind, without changing anything.
    ///
    /// # Errors
    /// As every statement.
    pub async fn check(&mut self) -> Result<Findings, DbError> {
        let table = self.table();
        let sql = format!(
            "SELECT 'the view ' || v.oid::regclass || ' reads it; drop the view and make it again afterwards' \
               FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid JOIN pg_class v ON v.oid = w.ev_class \
               WHERE d.refobjid = '{table}'::regclass AND d.classid = 'pg_rewrite'::regclass GROUP BY v.oid \
             UNION ALL SELECT 'the trigger ' || tgname || ' would be lost' FROM pg_trigger \
               WHERE tgrelid = '{table}'::regclass AND NOT tgisinternal \
             UNION ALL SELECT 'the publication ' || pubname || ' would lose it' FROM pg_publication_rel r \
               JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = '{table}'::regclass \
             UNION ALL SELECT 'the policy ' || polname || ' would be lost' FROM pg_policy \
               WHERE polrelid = '{table}'::regclass \
             UNION ALL SELECT 'the foreign key ' || conname || ' of ' || conrelid::regclass || ' refers to it' \
               FROM pg_constraint WHERE confrelid = '{table}'::regclass AND contype = 'f' AND conparentid = 0 \
             UNION ALL SELECT 'its column ' || name || ' is missing or may be null' \
               FROM unnest(ARRAY['id', 'accepted_at', 'keep_days']) name WHERE NOT EXISTS \
               (SELECT 1 FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attname = name AND attnotnull)"
        );
        let mut obstacles = self.strings(&sql).await?;
        for name in self.shells() {
            if self.exists(&name).await? && self.has_rows(&name).await? {
                obstacles.push(format!("the table {name} is in the way and holds rows"));
            }
        }
        let sql = format!(
            "SELECT (SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM ( \
               SELECT '{table}'::regclass AS relid UNION SELECT relid FROM pg_partition_tree('{table}')) parts)::int8, \
             (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
               AND pid <> pg_backend_pid() AND xact_start < clock_timestamp() - interval '1 minute')"
        );
        let rows = self.rows(&sql).await?;
        let Some(row) = rows.first() else {
            return Ok(Findings::default());
        };
        Ok(Findings {
            obstacles,
            bytes: row.try_get(0)?,
            long_transactions: row.try_get(1)?,
        })
    }

    /// Makes sure that the heap has the key of the hot tables, built beside the writers. Returns
    /// whether it had to be built. What an interrupted build left is removed first.
    ///
    /// # Errors
    /// [`DbError::Duplicate`] when rows share a key.
    pub async fn ensure_key(&mut self) -> Result<bool, DbError> {
        let table = self.table();
        let name = quoted(&format!("{table}_key"));
        let is_there = format!(
            "SELECT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = '{table}'::regclass AND i.indisunique \
             AND i.indisvalid AND i.indpred IS NULL AND pg_get_indexdef(i.indexrelid) LIKE '% USING btree {KEY}')"
        );
        if self.flag(&is_there).await? {
            return Ok(false);
        }
        self.run(&format!("DROP INDEX CONCURRENTLY IF EXISTS {name}"))
            .await?;
        self.run(&format!(
            "CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} {KEY}"
        ))
        .await?;
        Ok(true)
    }
}

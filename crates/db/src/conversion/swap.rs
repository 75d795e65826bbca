//! The swaps between spread and partitioned: short transactions that change what leaves belong to.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::NaiveDate;
use domain::lifecycle::{day_name, next_day, parse_leaf_name, start_of};

use super::layout::{Child, Index, KEY, any_row, quoted};
use super::leaves::{ALIKE, refuse_if};
use super::session::{Limits, Session, Tried};
use crate::DbError;

/// Most rows that may still lie in the root when a swap takes them along.
const LEFT_OVER: u32 = 20_000;

/// How long a swap may keep others out: the wait for its lock, and each of its statements.
const SWAP: Limits = Limits {
    lock_ms: 2_000,
    statement_ms: 1_000,
};

impl Session {
    /// Swap of a spread table to partitions: the old heap becomes `TABLE_legacy`, empty, and every
    /// leaf goes to its day. Returns how long others were kept out.
    ///
    /// Busy as well while more rows lie in the root than may be moved under the lock.
    ///
    /// # Errors
    /// As every statement. Nothing is half done.
    pub async fn swap_to_partitions(&mut self) -> Result<Tried<Duration>, DbError> {
        let table = self.table();
        let (new, legacy) = (format!("{table}_new"), format!("{table}_legacy"));
        let leaves = self.children(table).await?;
        let columns = self.columns().await?.join(", ");
        let renames = self.renames("_legacy").await?;
        let privileges = self.privileges().await?;
        self.build_partitioned(&new, &leaves).await?;

        let many = format!(
            "SELECT 1 FROM (SELECT 1 FROM ONLY {table} WHERE id >= '00000000-0000-0000-0000-000000000000' \
             LIMIT {LEFT_OVER} + 1) rows HAVING count(*) > {LEFT_OVER}"
        );
        let mut work = vec![refuse_if(&many)];
        for leaf in &leaves {
            let Some((_, day, class)) = parse_leaf_name(&leaf.name) else {
                return Err(DbError::Internal(
                    format!("{} is no leaf and still belongs to {table}", leaf.name).into(),
                ));
            };
            work.push(format!(
                "ALTER TABLE {leaf} NO INHERIT {table}; ALTER TABLE {day} ATTACH PARTITION {leaf} FOR VALUES IN ({class})",
                leaf = leaf.name,
                day = day_name(table, day),
                class = class.0
            ));
        }
        work.push(format!("ALTER TABLE {table} RENAME TO {legacy}"));
        work.extend(renames);
        work.push(format!("ALTER TABLE {new} RENAME TO {table}"));
        work.push(format!(
            "WITH gone AS (DELETE FROM {legacy} WHERE id >= '00000000-0000-0000-0000-000000000000' RETURNING *) \
             INSERT INTO {table} ({columns}) SELECT {columns} FROM gone ON CONFLICT DO NOTHING"
        ));
        work.extend(privileges);
        self.swap(&work).await
    }

    /// Swap of a partitioned table to a spread one: the leaves with rows become children of a new
    /// heap, and `TABLE_old` keeps the empty rest. Returns how long others were kept out.
    ///
    /// # Errors
    /// As every statement. Nothing is half done.
    pub async fn swap_to_heap(&mut self) -> Result<Tried<Duration>, DbError> {
        let table = self.table();
        let (new, old) = (format!("{table}_new"), format!("{table}_old"));
        let renames = self.renames("_old").await?;
        let privileges = self.privileges().await?;
        self.drop_shells().await?;
        let mut build = vec![format!(
            "CREATE TABLE {new} (LIKE {table} {ALIKE}, CONSTRAINT {new}_pkey PRIMARY KEY {KEY}) \
             WITH (autovacuum_enabled = false)"
        )];
        build.extend(new_indexes(&new, &self.indexes(table).await?));
        self.run(&build.join("; ")).await?;

        let mut work = Vec::new();
        for Child { name, parent } in self.children(table).await? {
            if self.has_rows(&name).await? {
                work.push(format!(
                    "ALTER TABLE {parent} DETACH PARTITION {name}; ALTER TABLE {name} INHERIT {new}"
                ));
            }
        }
        work.push(format!("ALTER TABLE {table} RENAME TO {old}"));
        work.extend(renames);
        work.push(format!("ALTER TABLE {new} RENAME TO {table}"));
        // A leaf may have got its first row since it was looked at.
        work.push(refuse_if(&any_row(&old)));
        work.extend(privileges);
        self.swap(&work).await
    }

    async fn swap(&mut self, work: &[String]) -> Result<Tried<Duration>, DbError> {
        // With everything below it: what has locked a leaf alone, such as a vacuum, counts as well.
        let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", self.table());
        Ok(match self.locked(&lock, &work.join("; "), SWAP).await? {
            Tried::Done(done) => Tried::Done(done.held),
            Tried::Busy => Tried::Busy,
        })
    }

    /// Builds the partitioned table apart, with the days of `leaves`, a default, and no rows.
    async fn build_partitioned(&mut self, new: &str, leaves: &[Child]) -> Result<(), DbError> {
        let table = self.table();
        self.drop_shells().await?;
        let mut build = vec![format!(
            "CREATE TABLE {new} (LIKE {table} {ALIKE}, CONSTRAINT {new}_pkey PRIMARY KEY {KEY}) \
             PARTITION BY RANGE (accepted_at)"
        )];
        build.extend(new_indexes(new, &self.indexes(table).await?));
        let days: BTreeSet<NaiveDate> = leaves
            .iter()
            .filter_map(|leaf| parse_leaf_name(&leaf.name))
            .map(|(_, day, _)| day)
            .collect();
        for day in days {
            build.push(format!(
                "CREATE TABLE {} PARTITION OF {new} FOR VALUES FROM ('{}') TO ('{}') PARTITION BY LIST (keep_days)",
                day_name(table, day),
                start_of(day).to_rfc3339(),
                start_of(next_day(day)).to_rfc3339()
            ));
        }
        build.push(format!("CREATE TABLE {table}_default PARTITION OF {new} DEFAULT"));
        self.run(&build.join("; ")).await
    }

    /// What a swap takes the name of the table from, or gives it to.
    pub(super) fn shells(&self) -> [String; 3] {
        ["_new", "_legacy", "_old"].map(|suffix| format!("{}{suffix}", self.table()))
    }

    /// Drops what swaps needed or left, with what is below it. It has no rows: else this fails.
    pub(super) async fn drop_shells(&mut self) -> Result<(), DbError> {
        for name in self.shells() {
            if self.exists(&name).await? {
                self.run(&format!("{}; DROP TABLE {name}", refuse_if(&any_row(&name))))
                    .await?;
            }
        }
        Ok(())
    }

    /// Statements that give the names of the table's indexes to those of its successor.
    async fn renames(&mut self, suffix: &str) -> Result<Vec<String>, DbError> {
        let table = self.table();
        let mut sql = Vec::new();
        for name in self.index_names(table).await? {
            sql.push(rename_index(&name, &with(&name, suffix)));
        }
        for Index { name, .. } in self.indexes(table).await? {
            sql.push(rename_index(&with(&name, "_new"), &name));
        }
        sql.push(rename_index(
            &format!("{table}_new_pkey"),
            &format!("{table}_pkey"),
        ));
        Ok(sql)
    }

    /// Statements that give the owner and the privileges of the table to whatever has its name then.
    async fn privileges(&mut self) -> Result<Vec<String>, DbError> {
        let table = self.table();
        self.strings(&format!(
            "SELECT format('GRANT %s ON {table} TO %s%s', a.privilege_type, \
                CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, \
                CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) \
             FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = '{table}'::regclass AND a.grantee <> c.relowner \
             UNION ALL SELECT format('ALTER TABLE {table} OWNER TO %s', c.relowner::regrole) \
             FROM pg_class c WHERE c.oid = '{table}'::regclass AND c.relowner <> current_user::regrole"
        ))
        .await
    }
}

fn rename_index(from: &str, to: &str) -> String {
    format!("ALTER INDEX {} RENAME TO {}", quoted(from), quoted(to))
}

/// The name with a suffix, within what PostgreSQL keeps of a name.
fn with(name: &str, suffix: &str) -> String {
    let room = 63 - suffix.len();
    let end = (0..=room.min(name.len()))
        .rev()
        .find(|n| name.is_char_boundary(*n))
        .unwrap_or(0);
    format!("{}{suffix}", name.get(..end).unwrap_or_default())
}

/// Statements that make `indexes` on `new`, under names that become theirs with the swap.
fn new_indexes(new: &str, indexes: &[Index]) -> Vec<String> {
    indexes
        .iter()
        .map(|Index { name, tail }| format!("CREATE INDEX {} ON {new} {tail}", quoted(&with(name, "_new"))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_room_for_its_suffix() {
        assert_eq!(with("events_pkey", "_old"), "events_pkey_old");
        let long = with(&"e".repeat(63), "_legacy");
        assert_eq!((long.len(), long.ends_with("e_legacy")), (63, true));
    }
}

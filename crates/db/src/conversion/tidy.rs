//! What is left to do after a swap, and what must not outlive a conversion.

use super::layout::Layout;
use super::leaves::{BOUNDS, LEAF_LOCK_MS};
use super::session::{Session, Tried};
use crate::DbError;

impl Session {
    /// Turns automatic vacuuming of the root off or on. While rows move, it would hold up every
    /// batch for as long as it works; the conversion vacuums by itself.
    ///
    /// # Errors
    /// As every statement.
    pub async fn automatic_vacuum(&mut self, on: bool) -> Result<Tried<()>, DbError> {
        let table = self.table();
        if self.layout().await? == Layout::Partitioned {
            return Ok(Tried::Done(()));
        }
        let set = if on {
            format!("ALTER TABLE {table} RESET (autovacuum_enabled)")
        } else {
            format!("ALTER TABLE {table} SET (autovacuum_enabled = false)")
        };
        // Writers do not wait for this lock, and PostgreSQL ends an automatic vacuum that holds it.
        self.brief(&set, 5_000).await
    }

    /// Removes what a conversion to partitions no longer needs: the empty old heap, and the checks
    /// of the leaves, which their partitions imply. Returns how many leaves still have theirs
    /// because a lock could not be had.
    ///
    /// # Errors
    /// [`DbError::Internal`] when the old heap holds rows after all.
    pub async fn tidy_partitions(&mut self) -> Result<usize, DbError> {
        self.drop_shells().await?;
        let mut left = 0;
        for leaf in self.bounded_leaves().await? {
            // The planner knows nothing of a leaf that was filled a moment ago.
            self.run(&format!("ANALYZE {leaf}")).await?;
            let drop = format!("ALTER TABLE {leaf} DROP CONSTRAINT {BOUNDS}");
            left += usize::from(self.brief(&drop, LEAF_LOCK_MS).await? == Tried::Busy);
        }
        Ok(left)
    }

    /// Removes what a conversion to one heap no longer needs.
    ///
    /// # Errors
    /// [`DbError::Internal`] when the old partitions hold rows after all.
    pub async fn tidy_heap(&mut self) -> Result<(), DbError> {
        let table = self.table();
        self.drop_shells().await?;
        self.run(&format!("VACUUM (ANALYZE, TRUNCATE false) {table}"))
            .await
    }

    /// Whether something is left that [`tidy_partitions`](Self::tidy_partitions) removes.
    ///
    /// # Errors
    /// As every statement.
    pub async fn is_untidy(&mut self) -> Result<bool, DbError> {
        for name in self.shells() {
            if self.exists(&name).await? {
                return Ok(true);
            }
        }
        Ok(self.layout().await? == Layout::Partitioned && !self.bounded_leaves().await?.is_empty())
    }

    async fn bounded_leaves(&mut self) -> Result<Vec<String>, DbError> {
        let table = self.table();
        self.strings(&format!(
            "SELECT p.relid::text FROM pg_partition_tree('{table}') p \
             JOIN pg_constraint c ON c.conrelid = p.relid AND c.conname = '{BOUNDS}' ORDER BY 1"
        ))
        .await
    }
}

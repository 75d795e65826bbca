//! Schema history.
//!
//! Every step is SQL, because partitioned tables, partial indexes and triggers are. A step never
//! imports an entity: entities follow the latest schema, steps stay as they were.

#![expect(
    elided_lifetimes_in_paths,
    reason = "async_trait compares lifetimes with the trait's own spelling"
)]

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

/// Lists the steps once: as modules, as the migrator's list, and for the fingerprint.
macro_rules! steps {
    ($($step:ident),+ $(,)?) => {
        $(mod $step;)+

        /// All steps, oldest first.
        #[derive(Debug)]
        pub struct Migrator;

        #[async_trait::async_trait]
        impl MigratorTrait for Migrator {
            fn migrations() -> Vec<Box<dyn MigrationTrait>> {
                vec![$(Box::new($step::Migration)),+]
            }
        }

        /// The SQL of all steps up, oldest first.
        const UP: &[&str] = &[$($step::UP),+];
    };
}

steps![
    m0001_identity,
    m0002_routing,
    m0003_hot_tables,
    m0004_work,
    m0005_lifecycle
];

/// A number that changes with the SQL of any step: names a database that holds this schema.
pub fn fingerprint() -> u64 {
    // FNV-1a: the same on every machine and with every compiler.
    UP.iter()
        .flat_map(|sql| sql.bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

/// Declares a step that runs the SQL of two files.
macro_rules! sql_step {
    ($name:literal) => {
        use sea_orm_migration::prelude::*;

        /// The step.
        pub(crate) struct Migration;

        /// What the step does to the schema.
        pub(crate) const UP: &str = include_str!(concat!("sql/", $name, ".up.sql"));

        impl MigrationName for Migration {
            fn name(&self) -> &'static str {
                $name
            }
        }

        #[async_trait::async_trait]
        impl MigrationTrait for Migration {
            async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
                manager
                    .get_connection()
                    .execute_unprepared(UP)
                    .await
                    .map(|_| ())
            }

            async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
                let sql = include_str!(concat!("sql/", $name, ".down.sql"));
                manager
                    .get_connection()
                    .execute_unprepared(sql)
                    .await
                    .map(|_| ())
            }
        }
    };
}
use sql_step;

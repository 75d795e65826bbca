//! Schema history.
//!
//! Every step is SQL, because partitioned tables, partial indexes and triggers are. A step never
//! imports an entity: entities follow the latest schema, steps stay as they were.

#![expect(elided_lifetimes_in_paths, reason = "async_trait compares lifetimes with the trait's own spelling")]

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

mod m0001_identity;
mod m0002_routing;
mod m0003_hot_tables;
mod m0004_work;

/// All steps, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_identity::Migration),
            Box::new(m0002_routing::Migration),
            Box::new(m0003_hot_tables::Migration),
            Box::new(m0004_work::Migration),
        ]
    }
}

/// Declares a step that runs the SQL of two files.
macro_rules! sql_step {
    ($name:literal) => {
        use sea_orm_migration::prelude::*;

        /// The step.
        pub(crate) struct Migration;

        impl MigrationName for Migration {
            fn name(&self) -> &'static str {
                $name
            }
        }

        #[async_trait::async_trait]
        impl MigrationTrait for Migration {
            async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
                let sql = include_str!(concat!("sql/", $name, ".up.sql"));
                manager.get_connection().execute_unprepared(sql).await.map(|_| ())
            }

            async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
                let sql = include_str!(concat!("sql/", $name, ".down.sql"));
                manager.get_connection().execute_unprepared(sql).await.map(|_| ())
            }
        }
    };
}
use sql_step;

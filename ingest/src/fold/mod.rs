//! The ingest fold: from the usage topic to the usage tables.
//!
//! `decide` says what a record is, `shard` folds one partition, `rows` collects
//! its rows column by column (`texts`, `numbers`), `commit` makes rows visible,
//! `service` runs it all on threads.

mod commit;
mod decide;
mod error;
mod numbers;
mod open;
mod rows;
mod service;
mod shard;
mod texts;

pub use decide::candidate;
pub use error::FoldError;
pub use open::{check_log, check_rules, fence_app};
pub use service::{FoldObserver, FoldOptions, FoldService};
pub use shard::{Chunk, Fences, INGEST_TABLES, Shard};

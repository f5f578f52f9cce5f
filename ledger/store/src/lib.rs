//! Delta tables: appending exactly once, snapshots, maintenance.
//!
//! The crate knows no table of its own: callers say what a table is with a
//! [`TableSpec`]. Rows become a Parquet file in memory ([`ParquetEncoder`]),
//! then a synced file ([`Table::put_file`]), then part of the table
//! ([`Table::append`]). [`maintenance`] keeps tables fast and small.
//!
//! Invariant: what was reported as appended is on disk and in the log once,
//! and every Delta reader sees the same rows.

pub mod crash;
pub mod ledger;
pub mod maintenance;
pub mod manifest;
pub mod profiles;

mod append;
mod data_file;
mod encode;
mod error;
mod lake;
mod local_store;
mod log;
mod read;
mod replace;
mod snapshot;
mod spec;
mod stats;
mod sync;
mod table;

pub use append::{Appended, AppendedAt, Fence};
pub use data_file::{ColumnStats, DataFile, Stat};
pub use encode::{EncodedFile, ParquetEncoder, Tuning};
pub use error::{Cause, StoreError};
pub use lake::Lake;
pub use local_store::SyncedLocalStore;
pub use read::{FileReader, ReadOptions};
pub use replace::Replaced;
pub use snapshot::Snapshot;
pub use spec::{COMMENT_KEY, ENCODING_KEY, FILE_RETENTION, TableSpec};
pub use sync::sync_count;
pub use table::Table;

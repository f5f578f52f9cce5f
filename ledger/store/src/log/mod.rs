//! The Delta log: its entries, its checkpoints, and what they add up to.
//!
//! Invariant: what cannot be understood completely is an error, so that no
//! snapshot misses a file or a fence.

mod checkpoint;
mod entry;
mod reader;
mod replay;

pub(crate) use entry::{Entry, Operation};
pub(crate) use reader::LogReader;
pub(crate) use replay::Replay;

/// The folder of the log in a table's folder.
pub(crate) const LOG_FOLDER: &str = "_delta_log";

/// Where the entry of a version is, relative to the table's folder.
pub(crate) fn entry_path(version: u64) -> String {
    format!("{LOG_FOLDER}/{version:020}.json")
}

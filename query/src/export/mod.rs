//! Files for other people's programs: FOCUS datasets, and the general ledger
//! as accounting packages read it.
//!
//! Invariant: an export says what the books say at one ledger version; what it
//! adds to them, such as the names of companies, is said where it is added.

pub mod focus;
pub mod general_ledger;
mod parquet;

pub use parquet::write_parquet;

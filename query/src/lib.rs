//! Questions to the books: SQL over one ledger version, and the documents
//! that are made from it.
//!
//! Invariants: a session sees one ledger version of all tables and nothing
//! else (invariant 6); nothing here can change the books; money on a document
//! is added up with checked integers, never by a sum that could wrap.

pub mod catalogue;
mod deep;
pub mod documents;
mod error;
mod exact;
pub mod export;
pub mod import;
mod literal;
pub mod output;

pub use catalogue::{Engine, EngineOptions, LedgerFiles, Pin, Session};
pub use error::QueryError;
pub use literal::literal;

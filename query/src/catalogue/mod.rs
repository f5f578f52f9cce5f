//! The tables of the books as SQL sees them, pinned to one ledger version.
//!
//! Invariant 6: which rows a session sees follows from its [`Pin`] alone,
//! never from which files happen to hold them.

mod engine;
mod files;
mod growth;
mod nesting;
mod pin;
mod pruning;
mod session;
mod statement;
mod table;
mod views;
mod visibility;

pub use engine::{Engine, EngineOptions};
pub use files::LedgerFiles;
pub use pin::Pin;
pub use session::{Relation, Session};
pub(crate) use statement::parse;
pub use views::{published, published_script};

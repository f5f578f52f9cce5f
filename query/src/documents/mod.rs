//! Documents that are made from the books: invoices, credit notes, statements
//! of earnings, the trial balance.
//!
//! Invariants: a document shows one ledger version and says which; each line
//! comes with the query that gives the same figures; what is left out because
//! it has no price yet is said (invariant 2); money is rounded once, in the
//! total.

mod collect;
mod credit_note;
mod document;
mod earnings;
mod error;
mod figures;
mod invoice;
mod issued;
mod letterhead;
mod lines;
mod month;
mod postings;
mod render;
mod stated;
mod statement;
mod stored;
pub(crate) mod sums;
mod trial_balance;
mod true_ups;

pub use credit_note::{CreditItem, CreditLine, CreditNote, CreditUse};
pub use document::{Document, Subject};
pub use earnings::earnings;
pub use error::DocumentError;
pub use invoice::invoice;
pub use issued::Issued;
pub use letterhead::{Issuer, Letterhead};
pub use month::{invoices, statements};
pub use render::{DocumentFormat, attached, render};
pub use statement::{Kind, Line, PaidAtIssue, Request, Statement, TrueUp, Unrated};
pub use stempoint_schemas::currency::{self, minor_units};
pub use stored::{Stored, StoredError};
pub use trial_balance::{AssetTotal, Balance, TrialBalance, trial_balance};

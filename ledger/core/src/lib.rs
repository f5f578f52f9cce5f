//! The settlement state machine and its rules: price books, charges,
//! postings, corrections, months, commitments, invoices, payments, disputes and
//! budgets.
//!
//! Invariant: this crate is pure. It has no IO, no async code, no clock and no
//! randomness: the same control events and usage give the same rows
//! (invariant 5). Entries are checked to sum to zero before they leave it
//! (invariant 3).

mod adjusting;
pub mod book;
pub mod budget;
pub mod charge;
pub mod charge_model;
pub mod commitment;
pub mod control;
pub mod correction;
pub mod currencies;
pub mod dispute;
pub mod exchange;
pub mod names;
mod numbering;
mod order;
mod owners;
pub mod payables;
pub mod period;
pub mod posting;
pub mod price_file;
pub mod rating;
pub mod receivables;
pub mod settlement;
pub mod share;
pub mod terms;
pub mod usage;

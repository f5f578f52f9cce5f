//! Settlement as a service: it reads the control topic, hands the state
//! machine what it needs from the tables, and writes what follows.

pub mod aggregate;
mod ahead;
mod checkpoint;
mod error;
mod recorded;
mod restore;
pub mod rows;
mod service;
mod write;

pub use ahead::Due;
pub use error::SettleError;
pub use restore::{
    AlertPlace, StoredAlert, StoredControl, WhatIfError, control_rows, periods, stored_alerts, stored_charges,
    usage_event, what_if,
};
pub use service::{LEADER_SOURCE, SettleObserver, SettleOptions, SettleService, settle_event};

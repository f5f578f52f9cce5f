//! The vocabulary of Stempoint: events and their wire form, money,
//! quantities, time, table schemas and the hashes that make the books
//! tamper-evident.
//!
//! Invariant: a value of a type from here is valid (invariant 8 of the design
//! for money). There is no IO, no clock and no async code in this crate.

pub mod canonical;
pub mod cloudevents;
pub mod commit;
pub mod currency;
pub mod decimal;
pub mod event;
pub mod fields;
pub mod hash;
pub mod head;
pub mod hex;
pub mod inclusion;
pub mod meter;
pub mod money;
pub mod profile;
pub mod proof;
pub mod row;
pub mod seal;
pub mod tables;
pub mod time;
pub mod watermark;
pub mod wire;

/// The protobuf types, generated from `proto/`. They are used where events
/// are rare (the control topic) and in tests; usage is decoded by [`wire`].
pub mod proto {
    #![allow(missing_docs, clippy::all)]
    include!(concat!(env!("OUT_DIR"), "/stempoint.v1.rs"));
}

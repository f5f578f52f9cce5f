//! Tests of the store from outside: whole tables in real folders, in memory,
//! and on stores that fail on purpose.

mod append;
mod compaction;
mod crash;
mod damage;
mod faults;
mod gaps;
mod growth;
mod interleavings;
mod ledger;
mod maintenance;
mod open;
mod rows;
mod speed;

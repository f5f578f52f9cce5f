//! The event log's conformance suite and what only one implementation has.
//!
//! `suite` holds what every event log promises; `embedded` and `kafka` run it
//! and add their own. Kafka's part needs a broker (`deploy/kafka/kafka start`)
//! named by `STEMPOINT_KAFKA`; without one it says what it left out.

mod corruption;
mod crash;
mod embedded;
mod full_disk;
mod kafka;
mod measure;
mod model;
mod suite;
mod support;

//! Deterministic event streams for the demo, the benchmarks and the tests,
//! and a slow, simple oracle that says what the books must hold after them.
//!
//! Invariant: the same seed and options give the same bytes, on every machine:
//! there is no IO, no clock and no floating-point function here whose result
//! differs between platforms.

pub mod bench;
pub mod demo;
pub mod fault;
pub mod simple;
mod ulid;

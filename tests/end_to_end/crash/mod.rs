//! Processes are killed, frozen and set against each other while a producer
//! that retries keeps sending; afterwards the books are compared with an
//! independent model.
//!
//! Guards invariants 1 to 5: nothing lost, nothing doubled, the audit clean,
//! the rebuild identical. `STEMPOINT_CRASHES=200` kills at so many random
//! moments, `STEMPOINT_SEED` repeats a run. What needs Kafka runs where
//! `STEMPOINT_KAFKA` names a broker, and says its name where none is named.

mod compare;
mod embedded;
mod fight;
mod frozen;
mod kafka;
mod points;
mod producer;
mod scenario;
mod takeover;
mod worker;

/// The seed of a test: the one that was asked for, else a new one.
fn seed() -> u64 {
    let seed = std::env::var("STEMPOINT_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(0..1_000_000));
    eprintln!("STEMPOINT_SEED={seed}");
    seed
}

/// How many random moments: as many as were asked for, else the given few.
fn crashes(few: usize) -> usize {
    std::env::var("STEMPOINT_CRASHES").ok().and_then(|text| text.parse().ok()).unwrap_or(few)
}

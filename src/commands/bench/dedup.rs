//! `stempoint bench dedup`: the deduplication index alone, against plain
//! point look-ups in the same storage engine.

use anyhow::Result;
use stempoint_ingest::dedup::measure::{Design, Load, measure};

use crate::scratch::Scratch;

/// Keys that are looked up together.
const BATCH: usize = 32_768;
/// At how many fill levels figures are taken.
const LEVELS: u64 = 5;

pub fn run(keys: u64) -> Result<()> {
    for design in [Design::Hashed, Design::Numbered, Design::PlainStore] {
        println!("{design:?}");
        let scratch = Scratch::new()?;
        let load = Load { keys, batch: BATCH, levels: LEVELS };
        measure(scratch.path(), design, load, &mut |level| println!("  {level:?}"))?;
    }
    Ok(())
}

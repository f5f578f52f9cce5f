//! The ingest commit: files, then one Delta commit per table, then one row of
//! `commits`.
//!
//! Invariant 1: each table is fenced by the next offset per partition, so that
//! whoever was killed or replaced, a row is appended once; a row is visible
//! only after all tables have what lies below the watermark.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use stempoint_schemas::commit::{Commit, Shard as ShardState};
use stempoint_schemas::tables::Table;
use stempoint_store::crash::crash_point;
use stempoint_store::ledger::Ledger;
use stempoint_store::{Appended, EncodedFile, Fence};

use super::error::FoldError;
use super::open::fence_app;
use super::shard::{INGEST_TABLES, Shard};

/// The rows of one shard between two watermarks, ready to be written.
pub struct Sealed {
    /// The partition.
    pub partition: u32,
    /// What the ledger will say of the shard.
    pub state: ShardState,
    /// One file per table that has rows.
    pub files: Vec<(&'static Table, EncodedFile)>,
}

/// Where this process believes the fence of a table and partition to stand.
type KnownFences = BTreeMap<(&'static str, u32), Option<i64>>;

/// Writes sealed batches.
pub struct Committer {
    ledger: Ledger,
    /// As they stood when the shards were opened, and moved by this process's
    /// own appends only: where another has moved a fence, its rows are in the
    /// table that this process would append again.
    fences: KnownFences,
}

impl Committer {
    /// A committer for shards that have just been opened.
    pub fn new<'a>(ledger: &Ledger, shards: impl Iterator<Item = &'a Shard>) -> Committer {
        let mut fences = KnownFences::new();
        for shard in shards {
            for (table, next) in INGEST_TABLES.into_iter().zip(shard.fences()) {
                // A fence that was never set is opened as 0, to which none is ever moved.
                fences.insert((table.name, shard.partition()), (*next > 0).then(|| next.cast_signed()));
            }
        }
        Committer { ledger: ledger.clone(), fences }
    }

    /// Makes the batches visible, which are in order for each partition.
    pub async fn commit(&mut self, sealed: Vec<Sealed>) -> Result<Commit, FoldError> {
        let mut states: BTreeMap<u32, ShardState> = BTreeMap::new();
        let mut by_table: BTreeMap<&'static str, Vec<(u32, u64, EncodedFile)>> = BTreeMap::new();
        let mut moved = KnownFences::new();
        for batch in sealed {
            for (table, file) in batch.files {
                by_table.entry(table.name).or_default().push((batch.partition, batch.state.watermark, file));
                moved.insert((table.name, batch.partition), Some(batch.state.watermark.cast_signed()));
            }
            states.insert(batch.partition, batch.state);
        }
        crash_point("ingest.before_tables");
        let appends = INGEST_TABLES.into_iter().filter_map(|table| Some((table, by_table.remove(table.name)?)));
        try_join_all(appends.map(|(table, files)| append(&self.ledger, &self.fences, table, files))).await?;
        self.fences.extend(moved);
        crash_point("ingest.after_tables");
        let head = self.ledger.advance(|next| advance(next, &states)).await?;
        crash_point("ingest.after_commit");
        Ok(head)
    }
}

/// Puts the files of one table and commits them.
async fn append(
    ledger: &Ledger,
    fences: &KnownFences,
    table: &'static Table,
    files: Vec<(u32, u64, EncodedFile)>,
) -> Result<(), FoldError> {
    let stored = ledger.table(table);
    let mut moves: BTreeMap<u32, u64> = BTreeMap::new();
    for (partition, watermark, _) in &files {
        moves.insert(*partition, *watermark);
    }
    let moves: Vec<Fence> = moves
        .into_iter()
        .map(|(partition, watermark)| Fence {
            app: fence_app(partition),
            from: fences.get(&(table.name, partition)).copied().flatten(),
            to: watermark.cast_signed(),
        })
        .collect();
    let files = try_join_all(files.into_iter().map(|(_, _, file)| stored.put_file(file))).await?;
    match stored.append(files, &moves).await? {
        Appended::Done { .. } => Ok(()),
        Appended::Overtaken { current } => {
            tracing::warn!(table = table.name, ?current, "another process moved the fence");
            Err(FoldError::Overtaken)
        }
    }
}

/// Moves the shards' watermarks in a new ledger version; false where all are
/// there already.
fn advance(next: &mut Commit, states: &BTreeMap<u32, ShardState>) -> bool {
    let mut changed = false;
    for (&partition, state) in states {
        let Some(shard) = next.shards.get_mut(partition as usize) else { continue };
        if state.watermark > shard.watermark {
            *shard = ShardState { settled: shard.settled, ..state.clone() };
            changed = true;
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use stempoint_schemas::watermark::Watermarks;

    fn states(watermarks: [u64; 2]) -> BTreeMap<u32, ShardState> {
        let state = |watermark| ShardState { watermark, ..ShardState::default() };
        (0..).zip(watermarks.map(state)).collect()
    }

    /// A fold that lags behind the head, as one that was frozen does, takes
    /// nothing back, and no fold touches W.
    #[test]
    fn what_is_visible_never_shrinks() {
        let mut head = Commit::first(2, 0);
        (head.shards[0].watermark, head.shards[0].settled) = (10, 7);
        let mut next = head.clone();
        assert!(!advance(&mut next, &states([9, 0])));
        assert_eq!(next, head);
        assert!(advance(&mut next, &states([9, 4])));
        assert!(advance(&mut next, &states([12, 3])));
        assert_eq!(next.visible(), Watermarks::from_vec(vec![12, 4]));
        assert_eq!(next.settled(), head.settled());
    }
}

//! The rows that settlement wrote, in the order of its Merkle tree (11).

use std::collections::VecDeque;
use std::sync::Arc;

use stempoint_schemas::canonical::settlement_leaves;
use stempoint_schemas::commit::Commit;
use stempoint_schemas::hash::{Hash, Tree};
use stempoint_schemas::row::longs;
use stempoint_schemas::tables::{SETTLEMENT, Table};
use stempoint_store::ledger::{Ledger, bounds};
use stempoint_store::{DataFile, FileReader, ReadOptions};

use super::{AuditError, Check};

/// The rows of one of settlement's tables as leaves, in order.
struct Leaves {
    table: &'static Table,
    stored: stempoint_store::Table,
    files: VecDeque<Arc<DataFile>>,
    reader: Option<FileReader>,
    batch: VecDeque<(u64, Hash)>,
}

impl Leaves {
    fn new(ledger: &Ledger, table: &'static Table) -> Leaves {
        let stored = ledger.table(table).clone();
        let mut files: Vec<_> = stored.snapshot().files().cloned().collect();
        files.sort_by_key(|file| bounds(file, "_offset"));
        Leaves { table, stored, files: files.into(), reader: None, batch: VecDeque::new() }
    }

    fn peek(&mut self) -> Result<Option<(u64, Hash)>, AuditError> {
        while self.batch.is_empty() {
            let Some(reader) = &mut self.reader else {
                let Some(file) = self.files.pop_front() else { return Ok(None) };
                self.reader = Some(self.stored.read_file(&file, &ReadOptions::default())?);
                continue;
            };
            let Some(batch) = reader.next() else {
                self.reader = None;
                continue;
            };
            let batch = batch?;
            let offsets = longs(&batch, "_offset")?;
            let offsets = offsets.values().iter().map(|offset| offset.cast_unsigned());
            self.batch.extend(offsets.zip(settlement_leaves(self.table.name, &batch)?));
        }
        Ok(self.batch.front().copied())
    }
}

/// All leaves of settlement below a control offset, with the control event
/// and the table that each belongs to.
pub struct SettlementLeaves {
    tables: Vec<Leaves>,
    below: u64,
}

impl SettlementLeaves {
    /// The leaves of the tables as this process knows them now.
    pub fn new(ledger: &Ledger, below: u64) -> SettlementLeaves {
        SettlementLeaves { tables: SETTLEMENT.iter().map(|table| Leaves::new(ledger, table)).collect(), below }
    }

    /// The next leaf: its control offset, its table, its hash.
    pub fn next_leaf(&mut self) -> Result<Option<(u64, &'static str, Hash)>, AuditError> {
        let mut first: Option<(u64, usize, Hash)> = None;
        for (index, leaves) in self.tables.iter_mut().enumerate() {
            if let Some((offset, leaf)) = leaves.peek()?
                && offset < self.below
                && first.is_none_or(|(lowest, ..)| offset < lowest)
            {
                first = Some((offset, index, leaf));
            }
        }
        let Some((offset, index, leaf)) = first else { return Ok(None) };
        self.tables[index].batch.pop_front();
        Ok(Some((offset, self.tables[index].table.name, leaf)))
    }
}

/// Compares the tree over all rows with what each ledger version says.
pub fn check(ledger: &Ledger, versions: &[Commit], head: &Commit) -> Result<Check, AuditError> {
    let mut check = Check::new("settlement unchanged");
    let mut leaves = SettlementLeaves::new(ledger, head.control_offset);
    let mut tree = Tree::default();
    let mut next = leaves.next_leaf()?;
    let mut last_good = 0;
    let mut compared = 0;
    for commit in versions {
        if commit.control_offset <= last_good {
            continue;
        }
        while let Some((offset, _, leaf)) = next
            && offset < commit.control_offset
        {
            tree.push(leaf);
            next = leaves.next_leaf()?;
        }
        if tree != commit.settlement {
            check.problem(format!(
                "the rows of control events {last_good} to {} are not those of ledger version {}",
                commit.control_offset - 1,
                commit.version
            ));
            break;
        }
        last_good = commit.control_offset;
        compared += 1;
    }
    check.figures = format!("{} rows, {compared} Merkle roots", tree.size());
    Ok(check)
}

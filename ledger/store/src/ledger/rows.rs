//! The rows of one partition over all ingest tables, in log order: what
//! audits, rebuilds and the deduplication index read.
//!
//! Invariant: rows come in ascending offsets, each exactly as it is stored;
//! memory holds one batch per table.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, BinaryArray, Int64Array, RecordBatch, StringArray};
use stempoint_schemas::event::{Event, EventKind};
use stempoint_schemas::hash::{self, Hash, Outcome};
use stempoint_schemas::row::{ColumnError, UsageRows, longs};
use stempoint_schemas::tables::{DUPLICATES, REJECTS};
use stempoint_schemas::{tables, wire};

use super::{Ledger, LedgerError};
use crate::{DataFile, FileReader, ReadOptions, Stat, Table};

/// Rows of a batch when several tables are read side by side.
const BATCH_ROWS: usize = 8_192;

/// The smallest and largest value of an integer column in a file; the whole
/// range where it is not known.
pub fn bounds(file: &DataFile, column: &str) -> (i64, i64) {
    let value = |stat: Option<&Stat>, unknown| match stat {
        Some(Stat::Int(value)) => *value,
        _ => unknown,
    };
    (value(file.min(column), i64::MIN), value(file.max(column), i64::MAX))
}

/// Whether a file can have rows of a partition with offsets in [from, to).
pub fn overlaps(file: &DataFile, partition: u32, from: u64, to: u64) -> bool {
    let (first_partition, last_partition) = bounds(file, "_partition");
    let (first, last) = bounds(file, "_offset");
    let signed = |offset: u64| i64::try_from(offset).unwrap_or(i64::MAX);
    (first_partition..=last_partition).contains(&i64::from(partition)) && last >= signed(from) && first < signed(to)
}

/// What a row says of its record.
#[derive(Debug, Clone, Copy)]
pub enum RowOutcome<'a> {
    /// An accepted event.
    Accepted(Event<'a>),
    /// A repeat of the event at that offset.
    Duplicate {
        /// The accepted event's offset.
        original: u64,
    },
    /// A refused record.
    Rejected {
        /// The reason's code.
        reason: &'a str,
        /// The record's key.
        key: Option<&'a [u8]>,
        /// The record's value.
        raw: &'a [u8],
    },
}

/// One row, borrowed from its batch.
#[derive(Debug, Clone, Copy)]
pub struct UsageRow<'a> {
    /// The offset in the partition.
    pub offset: u64,
    /// When the log recorded it, microseconds.
    pub recorded_us: i64,
    /// The source, where it is known.
    pub source: Option<&'a str>,
    /// The table that the row stands in.
    pub table: &'static str,
    /// What it says.
    pub outcome: RowOutcome<'a>,
}

impl UsageRow<'_> {
    /// The hash of the row's content, as the fold computed it. `buffer` is
    /// for its use.
    pub fn content_hash(&self, buffer: &mut Vec<u8>) -> Hash {
        let source = self.source.unwrap_or_default().as_bytes();
        match &self.outcome {
            RowOutcome::Accepted(event) => {
                buffer.clear();
                wire::encode(event, buffer);
                hash::content_hash(source, buffer)
            }
            RowOutcome::Duplicate { original } => hash::duplicate_hash(source, *original),
            RowOutcome::Rejected { reason, key, raw } => hash::reject_hash(reason, *key, raw),
        }
    }

    /// The row's leaf in its shard's tree.
    pub fn leaf(&self, partition: u32, buffer: &mut Vec<u8>) -> Hash {
        let outcome = match self.outcome {
            RowOutcome::Accepted(_) => Outcome::Accepted,
            RowOutcome::Duplicate { .. } => Outcome::Duplicate,
            RowOutcome::Rejected { .. } => Outcome::Rejected,
        };
        let content = self.content_hash(buffer);
        hash::usage_leaf(partition, self.offset, self.recorded_us, outcome, &content)
    }
}

#[expect(clippy::large_enum_variant, reason = "there is one for each table that is read, replaced once per batch")]
enum Typed {
    Usage(UsageRows),
    Rejects {
        recorded_at: Int64Array,
        sources: StringArray,
        reasons: StringArray,
        keys: BinaryArray,
        raws: BinaryArray,
    },
    Duplicates {
        recorded_at: Int64Array,
        sources: StringArray,
        originals: Int64Array,
    },
}

/// One table's rows of a partition, in order.
struct Cursor {
    table: Table,
    kind: Option<EventKind>,
    files: VecDeque<Arc<DataFile>>,
    reader: Option<FileReader>,
    partition: u32,
    from: u64,
    to: u64,
    offsets: Int64Array,
    partitions: arrow::array::Int32Array,
    typed: Option<Typed>,
    row: usize,
    last: Option<u64>,
}

impl Cursor {
    fn new(ledger: &Ledger, table: &'static tables::Table, partition: u32, from: u64, to: u64) -> Cursor {
        let table = ledger.table(table);
        let mut files: Vec<Arc<DataFile>> =
            table.snapshot().files().filter(|file| overlaps(file, partition, from, to)).cloned().collect();
        files.sort_by_key(|file| bounds(file, "_offset"));
        Cursor {
            kind: EventKind::ALL.into_iter().find(|kind| kind.table() == table.spec().name),
            table: table.clone(),
            files: files.into(),
            reader: None,
            partition,
            from,
            to,
            offsets: Int64Array::from(Vec::<i64>::new()),
            partitions: arrow::array::Int32Array::from(Vec::<i32>::new()),
            typed: None,
            row: 0,
            last: None,
        }
    }

    /// The offset of the current row; reads on as far as needed.
    fn peek(&mut self) -> Result<Option<u64>, LedgerError> {
        loop {
            while self.row < self.offsets.len() {
                let offset = self.offsets.value(self.row).cast_unsigned();
                let here = self.partitions.value(self.row).cast_unsigned() == self.partition;
                if here && (self.from..self.to).contains(&offset) {
                    if self.last.is_some_and(|last| last >= offset) && self.last != Some(offset) {
                        return Err(ColumnError(format!("_offset of {}", self.table.spec().name)).into());
                    }
                    self.last = Some(offset);
                    return Ok(Some(offset));
                }
                self.row += 1;
            }
            if !self.read_batch()? {
                return Ok(None);
            }
        }
    }

    fn read_batch(&mut self) -> Result<bool, LedgerError> {
        loop {
            if let Some(reader) = &mut self.reader {
                if let Some(batch) = reader.next() {
                    self.take(&batch?)?;
                    return Ok(true);
                }
                self.reader = None;
            }
            let Some(file) = self.files.pop_front() else { return Ok(false) };
            let options = ReadOptions { columns: None, dictionaries: false, batch_rows: BATCH_ROWS };
            self.reader = Some(self.table.read_file(&file, &options)?);
        }
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<(), LedgerError> {
        self.row = 0;
        self.offsets = longs(batch, "_offset")?;
        self.partitions = column::<arrow::array::Int32Array>(batch, "_partition")?;
        let recorded_at = || -> Result<Int64Array, ColumnError> {
            let times = column::<arrow::array::TimestampMicrosecondArray>(batch, "_recorded_at")?;
            Ok(times.reinterpret_cast())
        };
        self.typed = Some(match self.kind {
            Some(kind) => Typed::Usage(UsageRows::new(kind, batch)?),
            None if self.table.spec().name == REJECTS.name => Typed::Rejects {
                recorded_at: recorded_at()?,
                sources: column(batch, "source")?,
                reasons: column(batch, "reason")?,
                keys: column(batch, "key")?,
                raws: column(batch, "raw")?,
            },
            None => Typed::Duplicates {
                recorded_at: recorded_at()?,
                sources: column(batch, "source")?,
                originals: column(batch, "original_offset")?,
            },
        });
        Ok(())
    }

    fn current(&self) -> Result<Option<UsageRow<'_>>, LedgerError> {
        let (row, table) = (self.row, self.table.spec().name);
        let Some(typed) = &self.typed else { return Ok(None) };
        let offset = self.offsets.value(row).cast_unsigned();
        Ok(Some(match typed {
            Typed::Usage(rows) => UsageRow {
                offset,
                recorded_us: rows.recorded_us(row),
                source: Some(rows.source(row)),
                table,
                outcome: RowOutcome::Accepted(rows.event(row)?),
            },
            Typed::Rejects { recorded_at, sources, reasons, keys, raws } => UsageRow {
                offset,
                recorded_us: recorded_at.value(row),
                source: sources.is_valid(row).then(|| sources.value(row)),
                table,
                outcome: RowOutcome::Rejected {
                    reason: reasons.value(row),
                    key: keys.is_valid(row).then(|| keys.value(row)),
                    raw: raws.value(row),
                },
            },
            Typed::Duplicates { recorded_at, sources, originals } => UsageRow {
                offset,
                recorded_us: recorded_at.value(row),
                source: Some(sources.value(row)),
                table,
                outcome: RowOutcome::Duplicate { original: originals.value(row).cast_unsigned() },
            },
        }))
    }
}

fn column<T: Array + Clone + 'static>(batch: &RecordBatch, name: &str) -> Result<T, ColumnError> {
    let column = batch.column_by_name(name).ok_or_else(|| ColumnError(name.to_owned()))?;
    column.as_any().downcast_ref::<T>().cloned().ok_or_else(|| ColumnError(name.to_owned()))
}

/// The rows of one partition in log order, over all ingest tables.
pub struct LogRows {
    cursors: Vec<Cursor>,
}

impl LogRows {
    /// The rows with offsets in [from, to), of the tables as this process
    /// knows them now. `accepted_only` leaves out rejects and duplicates.
    pub fn new(ledger: &Ledger, partition: u32, from: u64, to: u64, accepted_only: bool) -> LogRows {
        let kinds = [&tables::API_CALLS, &tables::GPU_USAGE, &tables::HEARTBEATS];
        let others: &[&'static tables::Table] = if accepted_only { &[] } else { &[&REJECTS, &DUPLICATES] };
        let cursors = kinds.iter().chain(others).map(|table| Cursor::new(ledger, table, partition, from, to)).collect();
        LogRows { cursors }
    }

    /// The rows of `duplicates` alone, below an offset.
    pub fn duplicates(ledger: &Ledger, partition: u32, to: u64) -> LogRows {
        LogRows { cursors: vec![Cursor::new(ledger, &DUPLICATES, partition, 0, to)] }
    }

    /// Hands the next row to `each`; false at the end.
    pub fn next(&mut self, each: impl FnOnce(UsageRow<'_>)) -> Result<bool, LedgerError> {
        let mut first: Option<(u64, usize)> = None;
        for (index, cursor) in self.cursors.iter_mut().enumerate() {
            if let Some(offset) = cursor.peek()?
                && first.is_none_or(|(lowest, _)| offset < lowest)
            {
                first = Some((offset, index));
            }
        }
        let Some((_, index)) = first else { return Ok(false) };
        let cursor = &mut self.cursors[index];
        if let Some(row) = cursor.current()? {
            each(row);
        }
        cursor.row += 1;
        Ok(true)
    }
}

//! The lake as an event log: its own usage, rejects and control tables, read
//! as the records that they came from.
//!
//! Invariant: a record read here is decided as the one on the log was: events
//! come in their canonical form, refused records as they were, repeats as the
//! event that they repeat.

use std::time::Duration;

use hashbrown::HashMap;
use stempoint_schemas::commit::Commit;
use stempoint_schemas::wire;
use stempoint_store::ledger::{Ledger, LogRows, RowOutcome};

use crate::log::{Batch, EventLog, Limits, LogError, PartitionReader, Receipt, RecordRef, Topic};
use crate::settlement::{StoredControl, control_rows};

/// A lake that is read as a log. Nothing can be appended.
pub struct LakeLog {
    ledger: Ledger,
    head: Commit,
}

impl LakeLog {
    /// The lake as it is at its head. Its tables must have been refreshed.
    pub fn new(ledger: &Ledger, head: Commit) -> LakeLog {
        LakeLog { ledger: ledger.clone(), head }
    }
}

fn unreadable(error: impl std::fmt::Display) -> LogError {
    LogError::Unreadable { detail: error.to_string() }
}

impl EventLog for LakeLog {
    fn partitions(&self, topic: Topic) -> u32 {
        match topic {
            Topic::Usage => u32::try_from(self.head.shards.len()).unwrap_or(u32::MAX),
            Topic::Control => 1,
        }
    }

    fn submit(&self, _topic: Topic, _batch: Batch) -> Receipt {
        Receipt::ready(Err(unreadable("a lake that is read as a log takes no records")))
    }

    fn ends(&self, topic: Topic) -> Result<Vec<u64>, LogError> {
        Ok(match topic {
            Topic::Usage => self.head.visible().iter().map(|(_, end)| end).collect(),
            Topic::Control => vec![self.head.control_offset],
        })
    }

    fn starts(&self, topic: Topic) -> Result<Vec<u64>, LogError> {
        Ok(vec![0; self.partitions(topic) as usize])
    }

    fn reader(&self, topic: Topic, partition: u32, from: u64) -> Result<Box<dyn PartitionReader>, LogError> {
        Ok(match topic {
            Topic::Usage => {
                let end = self.head.visible().get(partition);
                Box::new(UsageReader {
                    rows: LogRows::new(&self.ledger, partition, 0, end, false),
                    originals: originals(&self.ledger, partition, end)?,
                    from,
                    position: from,
                    end,
                })
            }
            Topic::Control => {
                let rows = control_rows(&self.ledger, self.head.control_offset).map_err(unreadable)?;
                Box::new(ControlReader { rows, position: from, end: self.head.control_offset })
            }
        })
    }

    fn trim(&self, _topic: Topic, _partition: u32, _below: u64) -> Result<(), LogError> {
        Err(unreadable("a lake that is read as a log cannot be trimmed"))
    }
}

/// The offsets of events that are repeated later, to keep their bytes.
fn originals(ledger: &Ledger, partition: u32, end: u64) -> Result<HashMap<u64, Vec<u8>>, LogError> {
    let mut originals = HashMap::new();
    let mut rows = LogRows::duplicates(ledger, partition, end);
    while rows
        .next(|row| {
            if let RowOutcome::Duplicate { original } = row.outcome {
                originals.insert(original, Vec::new());
            }
        })
        .map_err(unreadable)?
    {}
    Ok(originals)
}

struct UsageReader {
    rows: LogRows,
    originals: HashMap<u64, Vec<u8>>,
    from: u64,
    position: u64,
    end: u64,
}

impl PartitionReader for UsageReader {
    fn poll(&mut self, limits: Limits, _wait: Duration, each: &mut dyn FnMut(RecordRef<'_>)) -> Result<u64, LogError> {
        let (mut records, mut bytes) = (0, 0);
        let mut buffer = Vec::new();
        while records < limits.records_max && bytes < limits.bytes_max {
            let (originals, from) = (&mut self.originals, self.from);
            let mut next = None;
            let more = self.rows.next(|row| {
                let key = row.source.map(str::as_bytes);
                let (key, value): (Option<&[u8]>, &[u8]) = match &row.outcome {
                    RowOutcome::Accepted(event) => {
                        buffer.clear();
                        wire::encode(event, &mut buffer);
                        if let Some(kept) = originals.get_mut(&row.offset) {
                            kept.clone_from(&buffer);
                        }
                        (key, &buffer)
                    }
                    RowOutcome::Duplicate { original } => (key, originals.get(original).map_or(&[], Vec::as_slice)),
                    RowOutcome::Rejected { key, raw, .. } => (*key, raw),
                };
                bytes += value.len();
                next = Some(row.offset + 1);
                if row.offset >= from {
                    records += 1;
                    each(RecordRef { offset: row.offset, time_us: row.recorded_us, key, value });
                }
            });
            if !more.map_err(unreadable)? {
                self.position = self.end;
                break;
            }
            self.position = next.unwrap_or(self.position).max(self.from);
        }
        Ok(self.position)
    }

    fn position(&self) -> u64 {
        self.position
    }
}

struct ControlReader {
    rows: Vec<StoredControl>,
    position: u64,
    end: u64,
}

impl PartitionReader for ControlReader {
    fn poll(&mut self, limits: Limits, wait: Duration, each: &mut dyn FnMut(RecordRef<'_>)) -> Result<u64, LogError> {
        let first = self.rows.partition_point(|row| row.offset < self.position);
        let rows = &self.rows[first..];
        if rows.is_empty() {
            self.position = self.end;
            std::thread::sleep(wait);
            return Ok(self.position);
        }
        for row in rows.iter().take(limits.records_max) {
            each(RecordRef { offset: row.offset, time_us: row.recorded_us, key: row.key.as_deref(), value: &row.raw });
            self.position = row.offset + 1;
        }
        Ok(self.position)
    }

    fn position(&self) -> u64 {
        self.position
    }
}

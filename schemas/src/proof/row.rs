//! The rows that are leaves, each with all that its leaf is made of.
//!
//! Invariant: the leaf is made by the same functions as the fold makes it,
//! and what is shown follows from what is hashed. Texts whose length enters
//! the hash in few bits are limited, so that no two rows share their bytes.

use serde::{Deserialize, Serialize};

use super::{Content, ProofError, settled};
use crate::event::{Reason, check_source};
use crate::hash::{self, Hash, Outcome, usage_leaf};
use crate::hex::Hex;
use crate::seal::{Seal, SealedShard};
use crate::time::Instant;
use crate::wire;

/// A row of any table but `commits`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Row {
    /// An accepted event.
    Accepted(Accepted),
    /// A record that repeats an accepted event.
    Duplicate(Duplicate),
    /// A record that was refused.
    Rejected(Rejected),
    /// A row that settlement wrote.
    Settled(Settled),
}

/// Where and when the log recorded a usage record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The partition of the usage topic.
    pub partition: u32,
    /// The offset in it.
    pub offset: u64,
    /// Microseconds since 1970.
    pub recorded_us: i64,
    recorded_at: Option<String>,
}

/// An accepted event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    table: String,
    place: Place,
    source: String,
    content: Content,
    bytes: Hex<Vec<u8>>,
}

/// A record that repeats an accepted event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {
    place: Place,
    source: String,
    original_offset: u64,
}

/// A record that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    place: Place,
    reason: String,
    key: Option<Hex<Vec<u8>>>,
    value: Hex<Vec<u8>>,
}

/// A row that settlement wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settled {
    table: String,
    content: Content,
    bytes: Hex<Vec<u8>>,
}

impl Place {
    /// A place with its time in words.
    pub fn new(partition: u32, offset: u64, recorded_us: i64) -> Place {
        let recorded_at = Instant::from_us(recorded_us).map(|time| time.to_string());
        Place { partition, offset, recorded_us, recorded_at }
    }

    fn check(&self) -> Result<(), ProofError> {
        if *self == Place::new(self.partition, self.offset, self.recorded_us) {
            return Ok(());
        }
        Err(ProofError::row("place.recorded_at", "is not the time place.recorded_us in words"))
    }

    fn leaf(&self, outcome: Outcome, row: &Hash) -> Hash {
        usage_leaf(self.partition, self.offset, self.recorded_us, outcome, row)
    }

    fn shard<'a>(&self, seal: &'a Seal) -> Result<&'a SealedShard, ProofError> {
        let missing = || ProofError::row("place.partition", "is none of those that commit has");
        seal.shards.get(self.partition as usize).ok_or_else(missing)
    }
}

impl Accepted {
    /// An accepted event from its source and its canonical bytes.
    pub fn new(place: Place, source: &str, bytes: Vec<u8>) -> Result<Accepted, ProofError> {
        let (table, content) = read_event(&bytes)?;
        Ok(Accepted { table: table.to_owned(), place, source: source.to_owned(), content, bytes: Hex(bytes) })
    }
}

fn read_event(bytes: &[u8]) -> Result<(&'static str, Content), ProofError> {
    let decoded = wire::decode(bytes)
        .map_err(|refusal| ProofError::row("bytes", format!("are not an event: {}", refusal.detail)))?;
    if !decoded.canonical {
        return Err(ProofError::row("bytes", "are not in the canonical form"));
    }
    Ok((decoded.event.payload.kind().table(), Content::of_event(&decoded.event)))
}

impl Duplicate {
    /// A repeat of the event at that offset.
    pub fn new(place: Place, source: &str, original_offset: u64) -> Duplicate {
        Duplicate { place, source: source.to_owned(), original_offset }
    }
}

impl Rejected {
    /// A refused record.
    pub fn new(place: Place, reason: &str, key: Option<&[u8]>, value: &[u8]) -> Rejected {
        Rejected { place, reason: reason.to_owned(), key: key.map(|key| Hex(key.to_vec())), value: Hex(value.to_vec()) }
    }
}

impl Settled {
    /// A row of one of settlement's tables from its canonical bytes.
    pub fn new(table: &str, bytes: Vec<u8>) -> Result<Settled, ProofError> {
        let (_, content) = settled::read(table, &bytes)?;
        Ok(Settled { table: table.to_owned(), content, bytes: Hex(bytes) })
    }
}

fn source_must_be_valid(source: &str) -> Result<(), ProofError> {
    let problem = |_| ProofError::row("source", "is not 1 to 256 bytes of printable text");
    check_source(Some(source.as_bytes())).map(|_| ()).map_err(problem)
}

impl Row {
    /// The table that the row stands in.
    pub fn table(&self) -> &str {
        match self {
            Row::Accepted(row) => &row.table,
            Row::Duplicate(_) => "duplicates",
            Row::Rejected(_) => "rejects",
            Row::Settled(row) => &row.table,
        }
    }

    /// What the row says, for people.
    pub fn summary(&self) -> Content {
        let mut summary = Content::default();
        if let Some(place) = self.place() {
            summary.put("partition", place.partition);
            summary.put("offset", place.offset);
            summary.put("recorded_at", place.recorded_at.clone());
        }
        match self {
            Row::Accepted(row) => {
                summary.put("source", row.source.as_str());
                summary.0.extend(row.content.0.iter().cloned());
            }
            Row::Duplicate(row) => {
                summary.put("source", row.source.as_str());
                summary.put("original_offset", row.original_offset);
            }
            Row::Rejected(row) => {
                let text = |bytes: &Hex<Vec<u8>>| String::from_utf8_lossy(&bytes.0).into_owned();
                summary.put("reason", row.reason.as_str());
                summary.put("key", row.key.as_ref().map(text));
                summary.put("value_bytes", row.value.0.len());
            }
            Row::Settled(row) => summary.0.extend(row.content.0.iter().cloned()),
        }
        summary
    }

    /// What is hashed and what is shown agree.
    pub(super) fn check(&self) -> Result<(), ProofError> {
        match self {
            Row::Accepted(row) => {
                row.place.check()?;
                source_must_be_valid(&row.source)?;
                let (table, content) = read_event(&row.bytes.0)?;
                row.content.must_be(&content)?;
                if row.table != table {
                    return Err(ProofError::row("table", format!("is not {table}, which holds such events")));
                }
                Ok(())
            }
            Row::Duplicate(row) => row.place.check().and_then(|()| source_must_be_valid(&row.source)),
            Row::Rejected(row) => {
                row.place.check()?;
                match Reason::from_code(&row.reason) {
                    Some(_) => Ok(()),
                    None => Err(ProofError::row("reason", "is none that this version knows")),
                }
            }
            Row::Settled(row) => row.content.must_be(&settled::read(&row.table, &row.bytes.0)?.1),
        }
    }

    /// The leaf, as the folds make it.
    pub(super) fn leaf(&self) -> Result<Hash, ProofError> {
        Ok(match self {
            Row::Accepted(row) => {
                row.place.leaf(Outcome::Accepted, &hash::content_hash(row.source.as_bytes(), &row.bytes.0))
            }
            Row::Duplicate(row) => {
                row.place.leaf(Outcome::Duplicate, &hash::duplicate_hash(row.source.as_bytes(), row.original_offset))
            }
            Row::Rejected(row) => {
                let key = row.key.as_ref().map(|key| key.0.as_slice());
                row.place.leaf(Outcome::Rejected, &hash::reject_hash(&row.reason, key, &row.value.0))
            }
            Row::Settled(row) => hash::settlement_leaf(settled::table(&row.table)?.name, &row.bytes.0),
        })
    }

    /// Size and root of the row's tree, as a ledger version records them.
    pub(super) fn tree_in(&self, seal: &Seal) -> Result<(u64, Hash), ProofError> {
        match self.place() {
            Some(place) => place.shard(seal).map(|shard| (shard.tree_size, shard.tree_root.0)),
            None => Ok((seal.settlement_size, seal.settlement_root.0)),
        }
    }

    /// The row's offset, and the first one that a ledger version does not show.
    pub(super) fn visible_in(&self, seal: &Seal) -> Result<(u64, u64), ProofError> {
        match self {
            Row::Settled(row) => Ok((settled::read(&row.table, &row.bytes.0)?.0, seal.control_offset)),
            Row::Accepted(Accepted { place, .. })
            | Row::Duplicate(Duplicate { place, .. })
            | Row::Rejected(Rejected { place, .. }) => Ok((place.offset, place.shard(seal)?.watermark)),
        }
    }

    /// Where the log recorded it; `None` for a row of settlement.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Row::Accepted(row) => Some(&row.place),
            Row::Duplicate(row) => Some(&row.place),
            Row::Rejected(row) => Some(&row.place),
            Row::Settled(_) => None,
        }
    }
}

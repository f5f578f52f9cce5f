//! From log records to decisions: what a record is, and whether it counts.
//!
//! The records of a chunk are read one by one and hashed together, because many
//! short messages at once are hashed in a third of the time.
//!
//! Invariants: a decision depends on the records before it in its partition
//! and on nothing else (5); a record that cannot be decoded is a decision like
//! any other and never stops the fold.

use hashbrown::HashMap;
use stempoint_schemas::event::{self, Event, Identity, Reason, Refusal};
use stempoint_schemas::hash::{self, Hash, Messages};
use stempoint_schemas::wire;

use crate::dedup;
use crate::log::partition_of;

/// The most sources that a shard remembers the hash of. Beyond it the memory
/// starts empty again: it only saves time.
const SOURCES_MAX: usize = 65_536;

/// What a record is before deduplication.
pub enum Read<'a> {
    /// A valid event.
    Event {
        /// Its source.
        source: &'a str,
        /// The event.
        event: Event<'a>,
        /// The hash of its source.
        source_hash: u128,
    },
    /// A record that is refused.
    Refused {
        /// Its source, if its key is one.
        source: Option<&'a str>,
        /// Why.
        refusal: Refusal,
    },
}

/// Reads the records of one partition.
pub struct RecordReader {
    partition: u32,
    partitions: u32,
    sources: HashMap<Box<[u8]>, Source, foldhash::fast::RandomState>,
    canonical: Vec<u8>,
    /// What is to be hashed of the events that were read, in their order.
    contents: Messages,
    identities: Messages,
}

#[derive(Clone, Copy)]
struct Source {
    hash: u128,
    belongs_on: u32,
}

impl RecordReader {
    /// A reader for one of so many partitions.
    pub fn new(partition: u32, partitions: u32) -> RecordReader {
        let (contents, identities) = (Messages::default(), Messages::default());
        RecordReader { partition, partitions, sources: HashMap::default(), canonical: Vec::new(), contents, identities }
    }

    /// Reads one record.
    pub fn read<'a>(&mut self, recorded_us: i64, key: Option<&'a [u8]>, value: &'a [u8]) -> Read<'a> {
        let source = match event::check_source(key) {
            Ok(source) => source,
            Err(refusal) => {
                return Read::Refused { source: None, refusal };
            }
        };
        match self.read_of(source, recorded_us, value) {
            Ok(read) => read,
            Err(refusal) => Read::Refused { source: Some(source), refusal },
        }
    }

    fn read_of<'a>(&mut self, source: &'a str, recorded_us: i64, value: &'a [u8]) -> Result<Read<'a>, Refusal> {
        let known = self.source(source.as_bytes());
        if known.belongs_on != self.partition {
            return Err(Refusal::new(
                Reason::WrongPartition,
                format!(
                    "source {source:?} belongs on partition {} of {}, this is {}; produce with the partitioner murmur2",
                    known.belongs_on, self.partitions, self.partition
                ),
            ));
        }
        let decoded = wire::decode(value)?;
        let event = decoded.event;
        event::check_time(event.time, recorded_us)?;
        if decoded.canonical {
            self.contents.push_content(source.as_bytes(), value);
        } else {
            self.canonical.clear();
            wire::encode(&event, &mut self.canonical);
            self.contents.push_content(source.as_bytes(), &self.canonical);
        }
        if let Identity::Named(id) = event.identity {
            self.identities.push_identity(source.as_bytes(), id.as_bytes());
        }
        Ok(Read::Event { source, event, source_hash: known.hash })
    }

    /// The hashes of the contents of the events since the last call, and what
    /// the deduplication index is asked about them; `reads` are all records
    /// since then, with their offsets.
    pub fn take<'a>(
        &mut self,
        reads: impl Iterator<Item = (u64, &'a Read<'a>)>,
        candidates: &mut Vec<dedup::Candidate>,
    ) -> Vec<Hash> {
        let (contents, identities) = (self.contents.take(), self.identities.take());
        let (mut content, mut identity) = (contents.iter(), identities.iter());
        candidates.clear();
        for (offset, read) in reads {
            let Read::Event { event, source_hash, .. } = read else { continue };
            let identity = match event.identity {
                Identity::Named(_) => identity.next().map(|hash| dedup::Identity::Hashed(hash::first_128(hash))),
                Identity::Numbered { incarnation, sequence } => {
                    Some(dedup::Identity::Numbered { incarnation, sequence })
                }
            };
            // Each event has left what is hashed of it.
            if let (Some(content), Some(identity)) = (content.next(), identity) {
                let fingerprint = hash::fingerprint(content);
                candidates.push(dedup::Candidate { offset, fingerprint, source: *source_hash, identity });
            }
        }
        contents
    }

    fn source(&mut self, key: &[u8]) -> Source {
        if let Some(known) = self.sources.get(key) {
            return *known;
        }
        if self.sources.len() >= SOURCES_MAX {
            self.sources.clear();
        }
        let source = Source { hash: hash::source_hash(key), belongs_on: partition_of(key, self.partitions) };
        self.sources.insert(key.into(), source);
        source
    }
}

/// What the deduplication index is asked about an event.
pub fn candidate(source_hash: u128, source: &str, event: &Event<'_>, offset: u64, content: &Hash) -> dedup::Candidate {
    let identity = match event.identity {
        Identity::Named(id) => dedup::Identity::Hashed(hash::identity_hash(source.as_bytes(), id.as_bytes())),
        Identity::Numbered { incarnation, sequence } => dedup::Identity::Numbered { incarnation, sequence },
    };
    dedup::Candidate { offset, fingerprint: hash::fingerprint(content), source: source_hash, identity }
}

/// The refusal that a verdict stands for, if it is one.
pub fn refusal(verdict: dedup::Verdict) -> Option<Refusal> {
    let (reason, detail) = match verdict {
        dedup::Verdict::New | dedup::Verdict::Duplicate { .. } => return None,
        dedup::Verdict::Conflict { original } => (
            Reason::Conflict,
            format!("offset {original} has this identity and other content; send it with a new identity"),
        ),
        dedup::Verdict::TurnedNumbered => (
            Reason::ChangedNumbering,
            "this source's events have ids; a source is numbered for ever or never, use another source".to_owned(),
        ),
        dedup::Verdict::TurnedUnnumbered => (
            Reason::ChangedNumbering,
            "this source's events are numbered; a source is numbered for ever or never, use another source".to_owned(),
        ),
        dedup::Verdict::SequenceTooFar { highest } => (
            Reason::SequenceTooFar,
            format!("the sequence is more than {} above {highest}, the highest so far", dedup::SEQUENCE_JUMP_MAX),
        ),
    };
    Some(Refusal::new(reason, detail))
}

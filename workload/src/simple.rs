//! An oracle that is slow and simple: what a list of records must do to the
//! books, decided with hash maps and the generated protobuf types, and with
//! nothing of the code that the fold uses.
//!
//! Invariants, which are the fold's too: an identity is accepted once, for
//! ever; a refused event claims nothing; a source is numbered or not by its
//! first accepted event.

mod books;
mod content;

use std::collections::HashMap;

use stempoint_schemas::event::{EventKind, Reason};
use stempoint_schemas::meter::Meter;
use stempoint_schemas::proto;

pub use books::{Books, Cell};

/// How far above the highest accepted sequence of its incarnation (0 before
/// the first) a sequence may lie.
pub const SEQUENCE_JUMP_MAX: u64 = 1_000_000_000;

/// A record of the usage log.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The key: the source.
    pub key: Option<&'a [u8]>,
    /// The value: the event on the wire.
    pub value: &'a [u8],
    /// When the log took the record, microseconds since 1970.
    pub recorded_us: i64,
}

/// What a record must become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A row of a usage table.
    Accepted,
    /// A repeat of the accepted record with this number in the list, from 0.
    Duplicate {
        /// The number of the accepted record.
        of: usize,
    },
    /// A row of `rejects`.
    Rejected(Rejection),
}

/// Why a record must be refused, as far as an event with several faults lets
/// one say: which fault of its content is named first is the fold's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// The key is not a source.
    Source,
    /// The value is not a valid event, or its time cannot be.
    Content,
    /// The source was numbered and is not, or the other way round.
    ChangedNumbering,
    /// The sequence lies too far ahead.
    SequenceTooFar,
    /// The identity was accepted with other content.
    Conflict,
}

impl Rejection {
    /// The rejection that the fold's reason stands for; `None` for a record on
    /// the wrong partition, which the oracle knows nothing of.
    pub const fn from_reason(reason: Reason) -> Option<Rejection> {
        match reason {
            Reason::WrongPartition => None,
            Reason::NoSource | Reason::BadSource => Some(Rejection::Source),
            Reason::Malformed
            | Reason::UnknownField
            | Reason::UnknownType
            | Reason::MissingField
            | Reason::BadText
            | Reason::OutOfRange
            | Reason::BadIdentity
            | Reason::BadTime
            | Reason::Unusable => Some(Rejection::Content),
            Reason::Conflict => Some(Rejection::Conflict),
            Reason::ChangedNumbering => Some(Rejection::ChangedNumbering),
            Reason::SequenceTooFar => Some(Rejection::SequenceTooFar),
        }
    }
}

/// Identity within a source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identity {
    /// An id that the source chose.
    Named(String),
    /// A position in the source's numbering.
    Numbered {
        /// Which life of the source.
        incarnation: u64,
        /// Counts events from 1.
        sequence: u64,
    },
}

/// An event that must be in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The number of its record in the list, from 0.
    pub record: usize,
    /// Its source.
    pub source: String,
    /// Its identity within the source.
    pub identity: Identity,
    /// Its table.
    pub kind: EventKind,
    /// Event time, microseconds since 1970.
    pub time_us: i64,
    /// Who pays; heartbeats have nobody.
    pub customer: Option<String>,
    /// Who earns: a call's provider, otherwise the node.
    pub provider: String,
    /// The model that was called.
    pub model: Option<String>,
    /// The GPU class.
    pub gpu: Option<String>,
    /// Where it ran.
    pub region: Option<String>,
    /// Per meter (in the order of [`Meter::ALL`]) in 10^-9 of its unit.
    pub quantities: [i128; Meter::ALL.len()],
}

/// Decides about records one after the other. The records of one source must
/// come in log order; how sources are mixed does not matter.
#[derive(Debug, Default)]
pub struct Oracle {
    decided: usize,
    sources: HashMap<String, Source>,
    events: HashMap<(String, Identity), (usize, proto::Event)>,
    accepted: Vec<Accepted>,
}

/// What is known of a source that had an event accepted.
#[derive(Debug, Default)]
struct Source {
    numbered: bool,
    /// The highest accepted sequence of each incarnation.
    highest: HashMap<u64, u64>,
}

impl Oracle {
    /// Decides about the next record.
    pub fn decide(&mut self, record: Record<'_>) -> Verdict {
        let number = self.decided;
        self.decided += 1;
        match self.try_accept(number, record) {
            Ok(verdict) => verdict,
            Err(rejection) => Verdict::Rejected(rejection),
        }
    }

    /// What was accepted so far, in the order of the records.
    pub fn accepted(&self) -> &[Accepted] {
        &self.accepted
    }

    /// What was accepted so far.
    pub fn into_accepted(self) -> Vec<Accepted> {
        self.accepted
    }

    fn try_accept(&mut self, number: usize, record: Record<'_>) -> Result<Verdict, Rejection> {
        let source = content::source(record.key).ok_or(Rejection::Source)?;
        let event = content::event(record.value, record.recorded_us).ok_or(Rejection::Content)?;
        let identity = content::identity(&event).ok_or(Rejection::Content)?;
        let accepted = content::accepted(number, &source, &event).ok_or(Rejection::Content)?;

        let numbered = matches!(identity, Identity::Numbered { .. });
        if self.sources.get(&source).is_some_and(|known| known.numbered != numbered) {
            return Err(Rejection::ChangedNumbering);
        }
        if let Identity::Numbered { incarnation, sequence } = identity {
            let known = self.sources.get(&source);
            let highest = known.and_then(|source| source.highest.get(&incarnation)).copied().unwrap_or(0);
            if sequence > highest + SEQUENCE_JUMP_MAX {
                return Err(Rejection::SequenceTooFar);
            }
        }
        let key = (source.clone(), identity.clone());
        if let Some((first, known)) = self.events.get(&key) {
            return if *known == event { Ok(Verdict::Duplicate { of: *first }) } else { Err(Rejection::Conflict) };
        }

        let known = self.sources.entry(source).or_default();
        known.numbered = numbered;
        if let Identity::Numbered { incarnation, sequence } = identity {
            let highest = known.highest.entry(incarnation).or_default();
            *highest = sequence.max(*highest);
        }
        self.events.insert(key, (number, event));
        self.accepted.push(accepted);
        Ok(Verdict::Accepted)
    }
}

/// Decides about a whole list.
pub fn decide<'a>(records: impl IntoIterator<Item = Record<'a>>) -> (Vec<Verdict>, Vec<Accepted>) {
    let mut oracle = Oracle::default();
    let verdicts = records.into_iter().map(|record| oracle.decide(record)).collect();
    (verdicts, oracle.into_accepted())
}

#[cfg(test)]
mod tests;

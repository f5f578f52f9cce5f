//! Making claims durable.
//!
//! Invariant: only claims below the committed watermark go into a run, and
//! `covered` moves only with the run that holds the last of them.

use super::{
    DedupError,
    index::{Mark, ShardIndex},
    memtable::{Entry, Memtable},
    numbered::{Buffer, Groups, Numbers, Sources, source_key, stream_key},
    runs::{
        SORTED_KEYS_MAX,
        record::{Kind, RECORD_HEAD_BYTES, Record, write_hashed},
    },
};

/// The most claims of one sort in a run. All keys of a flush are sorted
/// together, and a numbered claim can make two records.
pub(super) const FLUSH_MAX: usize = SORTED_KEYS_MAX / 4;
/// About what a numbered claim takes in a page.
const NUMBERED_CLAIM_BYTES: usize = 13;
/// Claims are gathered in key order so many at a time, in a loop that does
/// nothing else: then the processor waits for many of them at once.
const GATHER: usize = 128;

/// A record of a flush other than an unnumbered claim.
#[derive(Clone, Copy)]
enum Extra<'a> {
    Page(&'a [u32]),
    Stream(u64),
    Source(bool),
}

impl Extra<'_> {
    fn payload(&self, numbers: &Numbers, payload: &mut Vec<u8>) -> Kind {
        payload.clear();
        match self {
            Self::Page(group) => {
                numbers.page_payload(group, payload);
                Kind::Page
            }
            Self::Stream(highest) => {
                payload.extend_from_slice(&highest.to_le_bytes());
                Kind::Stream
            }
            Self::Source(numbered) => {
                payload.push(u8::from(*numbered));
                Kind::Source
            }
        }
    }
}

impl ShardIndex {
    /// Writes the claims below the watermark if they are many enough, or the
    /// durable part lags too far behind.
    pub(super) fn flush_committed(&mut self, watermark: u64) -> Result<(), DedupError> {
        let mut below = self.mark_below(watermark);
        let full = self.memory_bytes(self.mark()) >= self.options.buffer_bytes
            && self.memory_bytes(below) >= self.options.buffer_bytes / 2;
        let lags = watermark.saturating_sub(self.covered()) > self.options.lag_max;
        if full || lags {
            let mut part = below.capped(self.flush_max);
            while part != below {
                self.flush(part, self.covered(), watermark)?;
                below = self.mark_below(watermark);
                part = below.capped(self.flush_max);
            }
            self.flush(below, watermark, watermark)?;
        }
        self.make_room();
        Ok(())
    }

    /// Writes what was restored if it is much. It is all in the ledger, but not
    /// all that is below it need have been restored yet.
    pub(super) fn flush_restored(&mut self) -> Result<(), DedupError> {
        while self.memory_bytes(self.mark()) >= self.options.buffer_bytes {
            self.flush(self.mark().capped(self.flush_max), self.covered(), self.restored)?;
        }
        self.make_room();
        Ok(())
    }

    fn make_room(&mut self) {
        self.sources.make_room(self.options.cached_sources);
        if self.numbers.buffer.streams().len() > self.options.cached_streams {
            self.numbers.forget_oldest(0, self.options.cached_streams);
        }
    }

    fn memory_bytes(&self, mark: Mark) -> usize {
        mark.hashed * Memtable::CLAIM_BYTES
            + mark.numbered * Buffer::CLAIM_BYTES
            + self.numbers.buffer.pages().len().min(mark.numbered) * Buffer::PAGE_BYTES
            + mark.decisions * Sources::DECISION_BYTES
    }

    fn flush(&mut self, mark: Mark, covered: u64, end: u64) -> Result<(), DedupError> {
        let groups = self.numbers.buffer.group_oldest(mark.numbered);
        let extras = self.extras(mark, &groups);
        let Self { store, memtable, numbers, lookup, .. } = self;
        let entries = &memtable.entries()[..mark.hashed];
        let records = entries.len() + extras.len();
        let key_at =
            |index: usize| entries.get(index).map_or_else(|| extras[index - entries.len()].0, |entry| entry.key);
        let sorted = &mut lookup.sorted;
        sorted.sort((0..records).map(|index| (index, key_at(index))), key_at);
        let bytes = entries.len() * (RECORD_HEAD_BYTES + 16)
            + extras.len() * (RECORD_HEAD_BYTES + 8)
            + mark.numbered * NUMBERED_CLAIM_BYTES;
        store.flush((records as u64, bytes as u64), covered, end, &mut |writer| {
            let mut payload = Vec::new();
            let mut gathered = Vec::with_capacity(GATHER);
            for places in (0..records).step_by(GATHER).map(|from| from..records.min(from + GATHER)) {
                gathered.clear();
                gathered.extend(places.map(|place| {
                    let index = sorted.index(place);
                    entries.get(index).copied().ok_or(index)
                }));
                for entry in &gathered {
                    match entry {
                        Ok(Entry { key, claim }) => write_hashed(*key, *claim, writer.place(*key)?),
                        Err(index) => {
                            let (key, extra) = extras[index - entries.len()];
                            let kind = extra.payload(numbers, &mut payload);
                            Record { key, kind, payload: &payload }.write(writer.place(key)?);
                        }
                    }
                }
            }
            Ok(())
        })?;
        self.memtable.forget_oldest(mark.hashed);
        self.numbers.forget_oldest(mark.numbered, self.options.cached_streams);
        self.sources.forget_oldest(mark.decisions);
        self.lookup.shrink_to(self.options.buffer_bytes / Memtable::CLAIM_BYTES);
        Ok(())
    }

    /// The records that the oldest numbered claims and decisions make.
    fn extras<'a>(&self, mark: Mark, groups: &'a Groups) -> Vec<(u128, Extra<'a>)> {
        let pages = groups.pages().map(|(page, group)| (self.numbers.page_key(page), Extra::Page(group)));
        let streams = groups.streams.iter().map(|&(stream, highest)| {
            // Older runs may have a higher number: the greatest one counts.
            (stream_key(self.numbers.buffer.stream(stream).key), Extra::Stream(highest))
        });
        let decisions = self.sources.unstored()[..mark.decisions].iter();
        let sources = decisions.map(|decision| (source_key(decision.source), Extra::Source(decision.numbered)));
        pages.chain(streams).chain(sources).collect()
    }
}

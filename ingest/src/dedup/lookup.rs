//! Reading beforehand all that a batch can need: the only step of a check that
//! touches the disk.
//!
//! Invariant: after a lookup, memory holds for each candidate the kind of its
//! source, the highest number of its stream, its page if its number can be
//! stored, and its claim if its key is. After a failed one it holds nothing
//! that was not read.

use super::{
    Candidate, Claim, DedupError, Identity,
    index::ShardIndex,
    numbered::{StreamKey, page_key, source_key, stream_key},
    runs::{
        ProbeBuffers, SortedKeys,
        record::{Kind, Record, hashed_claim, source_is_numbered, stream_highest},
    },
};
use std::path::Path;

/// Candidates that are looked up together: the bound on the buffers.
const LOOK_UP_MAX: usize = 1 << 17;
/// Wanted keys and found claims for which memory is kept.
const WANTED_KEPT: usize = 1 << 12;

/// What the last lookup found, and reusable buffers.
#[derive(Default)]
pub struct Lookup {
    pub(super) sorted: SortedKeys,
    buffers: ProbeBuffers,
    wanted: Vec<(u128, Wanted)>,
    /// The stream of each candidate; nothing meaningful for unnumbered ones.
    streams: Vec<u32>,
    /// Candidates whose key is stored, in ascending order, with its claim.
    found: Vec<(usize, Claim)>,
    found_next: usize,
}

/// What a key is looked up for, besides unnumbered claims.
#[derive(Clone, Copy)]
enum Wanted {
    Source(u128),
    Stream(u32),
    Page((u32, u64)),
}

impl Lookup {
    /// The stored claim on a candidate's key. Candidates ask in their order.
    #[inline]
    pub fn claim_found(&mut self, index: usize) -> Option<Claim> {
        while let Some((at, claim)) = self.found.get(self.found_next)
            && *at <= index
        {
            self.found_next += 1;
            if *at == index {
                return Some(*claim);
            }
        }
        None
    }

    /// Gives back the memory of unusually large lookups.
    pub fn shrink_to(&mut self, keys: usize) {
        self.sorted.shrink_to(keys);
        self.wanted.clear();
        self.wanted.shrink_to(WANTED_KEPT);
        self.found.clear();
        self.found.shrink_to(WANTED_KEPT);
    }

    /// The stream of a numbered candidate.
    #[inline]
    pub fn stream(&self, index: usize) -> u32 {
        self.streams[index]
    }
}

impl ShardIndex {
    /// Looks up what the first candidates need, and says how many these are.
    ///
    /// # Errors
    /// A run cannot be read or is damaged.
    pub(super) fn look_up(&mut self, candidates: &[Candidate]) -> Result<usize, DedupError> {
        let candidates = &candidates[..candidates.len().min(LOOK_UP_MAX)];
        self.look_up_streams(candidates)?;
        let looked_up = self.look_up_claims(candidates);
        if looked_up.is_err() {
            self.numbers.forget_pages();
        }
        looked_up
    }

    /// Takes in the sources and streams of events.
    ///
    /// # Errors
    /// A run cannot be read or is damaged.
    pub(super) fn look_up_streams(&mut self, events: &[Candidate]) -> Result<(), DedupError> {
        let Self { store, numbers, sources, lookup, .. } = self;
        lookup.wanted.clear();
        lookup.streams.clear();
        for event in events {
            let mut id = 0;
            if let Identity::Numbered { incarnation, .. } = event.identity {
                let stream = StreamKey { source: event.source, incarnation };
                id = numbers.buffer.stream_id(stream).unwrap_or_else(|| {
                    let id = numbers.buffer.add_stream(stream, None);
                    lookup.wanted.push((stream_key(stream), Wanted::Stream(id)));
                    id
                });
            }
            lookup.streams.push(id);
            // The source of a stream that has begun is numbered.
            let begun = matches!(event.identity, Identity::Numbered { .. }) && numbers.has_begun(id);
            if !begun && !sources.knows(event.source) {
                sources.remember(event.source, None);
                lookup.wanted.push((source_key(event.source), Wanted::Source(event.source)));
            }
        }
        if lookup.wanted.is_empty() {
            return Ok(());
        }
        let Lookup { sorted, buffers, wanted, .. } = lookup;
        let keys = wanted.iter().enumerate().map(|(index, (key, _))| (index, *key));
        sorted.sort(keys, |index| wanted[index].0);
        let dir = store.dir();
        let read = store.probe(sorted.keys(), buffers, &mut |place, record| {
            match wanted[sorted.index(place)].1 {
                Wanted::Source(source) => {
                    let numbered = expect(dir, record, Kind::Source, source_is_numbered)?;
                    sources.remember(source, Some(numbered));
                }
                Wanted::Stream(id) => {
                    numbers.buffer.stored_up_to(id, expect(dir, record, Kind::Stream, stream_highest)?);
                }
                Wanted::Page(_) => {}
            }
            Ok(())
        });
        if read.is_err() {
            sources.make_room(0);
            numbers.forget_oldest(0, 0);
        }
        read
    }

    fn look_up_claims(&mut self, candidates: &[Candidate]) -> Result<usize, DedupError> {
        let Self { store, numbers, lookup, options, .. } = self;
        let Lookup { sorted, buffers, wanted, streams, found, found_next } = lookup;
        wanted.clear();
        found.clear();
        *found_next = 0;
        if numbers.pages_read() >= options.cached_pages {
            numbers.forget_pages();
        }
        let mut count = 0;
        for (candidate, &stream) in candidates.iter().zip(streams.iter()) {
            if let Identity::Numbered { sequence, .. } = candidate.identity
                && let Some(page) = numbers.page_to_read(stream, sequence)
            {
                wanted.push((page_key(numbers.buffer.stream(stream).key, page.1), Wanted::Page(page)));
            }
            count += 1;
            if numbers.pages_read() >= options.cached_pages.max(1) {
                break;
            }
        }
        let candidates = &candidates[..count];
        if store.runs().is_empty() {
            return Ok(candidates.len());
        }
        let hashed = |(index, candidate): (usize, &Candidate)| match candidate.identity {
            Identity::Hashed(key) => Some((index, key)),
            Identity::Numbered { .. } => None,
        };
        let pages = wanted.iter().enumerate().map(|(at, (key, _))| (candidates.len() + at, *key));
        sorted.sort(candidates.iter().enumerate().filter_map(hashed).chain(pages), |index| {
            match candidates.get(index).map(|candidate| candidate.identity) {
                Some(Identity::Hashed(key)) => key,
                _ => wanted[index - candidates.len()].0,
            }
        });
        let dir = store.dir();
        store.probe(sorted.keys(), buffers, &mut |place, record| {
            let index = sorted.index(place);
            match index.checked_sub(candidates.len()).map(|at| wanted[at].1) {
                None => found.push((index, expect(dir, record, Kind::Hashed, hashed_claim)?)),
                Some(Wanted::Page(page)) => {
                    let read = |fragments: &[u8]| numbers.page_read(page, fragments).then_some(());
                    expect(dir, record, Kind::Page, read)?;
                }
                Some(Wanted::Source(_) | Wanted::Stream(_)) => {}
            }
            Ok(())
        })?;
        // A key that was restored twice is in two runs until they are merged.
        found.sort_unstable_by_key(|(index, claim)| (*index, claim.offset));
        Ok(candidates.len())
    }
}

fn expect<T>(
    dir: &Path,
    record: Record<'_>,
    kind: Kind,
    parse: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<T, DedupError> {
    let parsed = if record.kind == kind { parse(record.payload) } else { None };
    parsed.ok_or_else(|| DedupError::corrupt(dir, format!("a record of kind {kind:?} is malformed")))
}

//! Numbered claims that are not stored yet.
//!
//! They lie in the order in which they were made; those of one page are
//! chained from the last to the first. So the claims below a watermark are a
//! prefix, and a rollback cuts the tail off.
//!
//! Invariant: a stream's `highest` is the maximum of what is stored and what
//! is buffered, at all times.

use super::page::{Slots, page_of, slot_of};
use crate::dedup::Claim;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// One life of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamKey {
    pub source: u128,
    pub incarnation: u64,
}

/// What is known of a stream.
pub struct Stream {
    pub key: StreamKey,
    /// The highest sequence in the store.
    pub stored: Option<u64>,
    /// The highest sequence of all.
    pub highest: Option<u64>,
    /// The page that the last claim went to.
    last_page: u32,
}

/// Claims by what they belong to.
pub struct Groups {
    /// The claims of the first page, then those of the second, and so on.
    order: Vec<u32>,
    /// Where the claims of each page end in `order`.
    ends: Vec<u32>,
    /// Each stream with its highest sequence among the claims.
    pub streams: Vec<(u32, u64)>,
}

impl Groups {
    /// The group of each page that has claims.
    pub fn pages(&self) -> impl Iterator<Item = (usize, &[u32])> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        let groups = begins.zip(&self.ends).map(|(begin, &end)| &self.order[begin as usize..end as usize]);
        groups.enumerate().filter(|(_, group)| !group.is_empty())
    }
}

/// A page that has buffered claims.
pub struct BufferedPage {
    pub stream: u32,
    pub number: u64,
    taken: Slots,
    last: u32,
}

#[derive(Clone, Copy)]
struct BufferedClaim {
    sequence: u64,
    claim: Claim,
    page: u32,
    /// The claim before it in its page.
    before: u32,
}

const NONE: u32 = u32::MAX;

/// Numbered claims by stream and page.
#[derive(Default)]
pub struct Buffer {
    claims: Vec<BufferedClaim>,
    pages: Vec<BufferedPage>,
    page_ids: HashMap<(u32, u64), u32, RandomState>,
    streams: Vec<Stream>,
    stream_ids: HashMap<StreamKey, u32, RandomState>,
}

impl Buffer {
    /// Memory per claim, in bytes.
    pub const CLAIM_BYTES: usize = 32;
    /// Memory per page that has claims, in bytes.
    pub const PAGE_BYTES: usize = 96;

    pub fn len(&self) -> usize {
        self.claims.len()
    }

    pub fn pages(&self) -> &[BufferedPage] {
        &self.pages
    }

    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    pub fn stream_id(&self, key: StreamKey) -> Option<u32> {
        self.stream_ids.get(&key).copied()
    }

    pub fn stream(&self, id: u32) -> &Stream {
        &self.streams[id as usize]
    }

    /// Takes a stream in with the highest sequence that the store has of it.
    pub fn add_stream(&mut self, key: StreamKey, stored: Option<u64>) -> u32 {
        let id = self.streams.len() as u32;
        self.streams.push(Stream { key, stored, highest: stored, last_page: NONE });
        self.stream_ids.insert(key, id);
        id
    }

    /// Who claimed a sequence, if that claim is buffered.
    pub fn get(&self, stream: u32, sequence: u64) -> Option<Claim> {
        let page = &self.pages[*self.page_ids.get(&(stream, page_of(sequence)))? as usize];
        if !page.taken.has(slot_of(sequence)) {
            return None;
        }
        self.chain(page).find(|claim| claim.sequence == sequence).map(|claim| claim.claim)
    }

    /// Adds a claim of a sequence that nobody has.
    pub fn push(&mut self, stream: u32, sequence: u64, claim: Claim) {
        let page_id = self.page_for(stream, page_of(sequence));
        let page = &mut self.pages[page_id as usize];
        page.taken.set(slot_of(sequence));
        let before = std::mem::replace(&mut page.last, self.claims.len() as u32);
        self.claims.push(BufferedClaim { sequence, claim, page: page_id, before });
        let stream = &mut self.streams[stream as usize];
        stream.highest = stream.highest.max(Some(sequence));
    }

    /// How many of the oldest claims lie below an offset.
    pub fn count_below(&self, offset: u64) -> usize {
        self.claims.partition_point(|claim| claim.claim.offset < offset)
    }

    /// The oldest `count` claims, grouped. They are grouped by counting and not
    /// by following the chains, whose every step would wait for memory.
    pub fn group_oldest(&self, count: usize) -> Groups {
        let claims = &self.claims[..count];
        let mut ends = vec![0u32; self.pages.len() + 1];
        let mut highest = vec![None; self.streams.len()];
        for claim in claims {
            ends[claim.page as usize + 1] += 1;
            let highest = &mut highest[self.pages[claim.page as usize].stream as usize];
            *highest = (*highest).max(Some(claim.sequence));
        }
        for page in 1..ends.len() {
            ends[page] += ends[page - 1];
        }
        let mut order = vec![0; count];
        for (at, claim) in claims.iter().enumerate() {
            // Where a page begins moves to where it ends, which is where the
            // next one begins.
            let next = &mut ends[claim.page as usize];
            order[*next as usize] = at as u32;
            *next += 1;
        }
        let streams = highest.into_iter().enumerate();
        Groups {
            order,
            ends,
            streams: streams.filter_map(|(stream, highest)| Some((stream as u32, highest?))).collect(),
        }
    }

    /// The claims of one group, in the order in which they were made.
    pub fn claims_of(&self, group: &[u32]) -> impl ExactSizeIterator<Item = (u64, Claim)> {
        group.iter().map(|&at| {
            let claim = &self.claims[at as usize];
            (claim.sequence, claim.claim)
        })
    }

    /// Takes in that the store has a stream's numbers up to one.
    pub fn stored_up_to(&mut self, stream: u32, stored: u64) {
        let stream = &mut self.streams[stream as usize];
        stream.stored = stream.stored.max(Some(stored));
        stream.highest = stream.highest.max(Some(stored));
    }

    /// Drops all claims but the oldest `kept`.
    pub fn truncate(&mut self, kept: usize) {
        if kept >= self.claims.len() {
            return;
        }
        for dropped in self.claims.drain(kept..).rev() {
            let page = &mut self.pages[dropped.page as usize];
            page.taken.clear(slot_of(dropped.sequence));
            page.last = dropped.before;
        }
        for stream in &mut self.streams {
            stream.highest = stream.stored;
        }
        for kept in &self.claims {
            let stream = &mut self.streams[self.pages[kept.page as usize].stream as usize];
            stream.highest = stream.highest.max(Some(kept.sequence));
        }
    }

    /// The oldest `count` claims are stored now. If there are more than
    /// `streams_max` streams, those that have no other claims are forgotten;
    /// the ids of all streams change then.
    pub fn forget_oldest(&mut self, count: usize, streams_max: usize) {
        for stored in &self.claims[..count] {
            let stream = &mut self.streams[self.pages[stored.page as usize].stream as usize];
            stream.stored = stream.stored.max(Some(stored.sequence));
        }
        let pages = std::mem::take(&mut self.pages);
        let left: Vec<(u32, u64, Claim)> = self.claims[count..]
            .iter()
            .map(|left| (pages[left.page as usize].stream, left.sequence, left.claim))
            .collect();
        self.claims.clear();
        self.page_ids.clear();
        let streams = std::mem::take(&mut self.streams);
        if streams.len() > streams_max {
            self.stream_ids.clear();
            self.stream_ids.shrink_to(streams_max);
            for (stream, sequence, claim) in left {
                let old = &streams[stream as usize];
                let id = match self.stream_id(old.key) {
                    Some(id) => id,
                    None => self.add_stream(old.key, old.stored),
                };
                self.push(id, sequence, claim);
            }
        } else {
            self.streams = streams;
            for stream in &mut self.streams {
                stream.last_page = NONE;
            }
            for (stream, sequence, claim) in left {
                self.push(stream, sequence, claim);
            }
        }
    }

    fn chain(&self, page: &BufferedPage) -> impl Iterator<Item = &BufferedClaim> {
        let at = |at: u32| (at != NONE).then(|| &self.claims[at as usize]);
        std::iter::successors(at(page.last), move |claim| at(claim.before))
    }

    fn page_for(&mut self, stream_id: u32, number: u64) -> u32 {
        let stream = &mut self.streams[stream_id as usize];
        if let Some(page) = self.pages.get(stream.last_page as usize)
            && page.number == number
        {
            return stream.last_page;
        }
        let id = *self.page_ids.entry((stream_id, number)).or_insert_with(|| {
            self.pages.push(BufferedPage { stream: stream_id, number, taken: Slots::default(), last: NONE });
            self.pages.len() as u32 - 1
        });
        stream.last_page = id;
        id
    }
}

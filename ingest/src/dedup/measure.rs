//! Measuring the index, and the obvious design beside it, with as many keys as
//! one likes: `stempoint bench dedup`.
//!
//! Invariant: every verdict is compared with the one that the generated events
//! must get, so a fast wrong index does not pass.

use super::{Candidate, DedupError, Identity, IndexOptions, ShardIndex, Verdict};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, config::PartitioningPolicy};
use serde::Serialize;
use std::{fs, path::Path, time::Instant};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Design {
    /// Random 128-bit identities in a [`ShardIndex`].
    Hashed,
    /// Numbered events of 2,500 sources in a [`ShardIndex`].
    Numbered,
    /// Random 128-bit identities, looked up and inserted one by one in a plain
    /// fjall keyspace with about the same buffers. It is twenty times slower:
    /// ten million keys take minutes.
    PlainStore,
}

/// The figures at one fill level. All are of the stretch since the level
/// before, except where it says otherwise.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FillLevel {
    /// Events checked since the beginning.
    pub keys: u64,
    /// Events per second of elapsed time.
    pub keys_per_second: f64,
    /// CPU time of the whole process per event, in microseconds: merges and
    /// the generation of the events included.
    pub cpu_us_per_key: f64,
    /// The longest time between two batches, in milliseconds.
    pub batch_ms_max: f64,
    /// Highest resident memory of the process since the beginning, in bytes.
    pub peak_rss_bytes: u64,
    /// Bytes on disk per event since the beginning.
    pub disk_bytes_per_key: f64,
    /// Verdicts since the beginning that were wrong; anything but 0 is a bug.
    pub wrong_verdicts: u64,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Events in all.
    pub keys: u64,
    /// Events per batch.
    pub batch: usize,
    /// Figures are taken so many times, at equal distances.
    pub levels: u64,
}

const SOURCES: u64 = 2_500;
/// One event in so many repeats an earlier one.
const REPEAT_EVERY: u64 = 50;
/// One number in so many is left out at first and sent a little later.
const LATE_EVERY: u64 = 100;

/// Fills a fresh index in `dir`, which should be empty, and reports each fill
/// level as it is reached.
///
/// # Errors
/// The index or the store failed.
pub fn measure(
    dir: &Path,
    design: Design,
    load: Load,
    on_level: &mut dyn FnMut(&FillLevel),
) -> Result<Vec<FillLevel>, DedupError> {
    // Starts the count of the highest memory anew; where that is not allowed
    // the figure includes what the process did before.
    fs::write("/proc/self/clear_refs", "5").ok();
    let mut subject = match design {
        Design::PlainStore => Subject::Plain(PlainStore::open(dir)?),
        Design::Hashed | Design::Numbered => {
            Subject::Index(Box::new(ShardIndex::open(dir, 0, &IndexOptions::default())?))
        }
    };
    let mut events = Events::new(design);
    let mut levels = Vec::new();
    let mut candidates = Vec::with_capacity(load.batch);
    let mut expected = Vec::with_capacity(load.batch);
    let mut verdicts = Vec::with_capacity(load.batch);
    let (mut done, mut wrong) = (0, 0);
    for level in 1..=load.levels.max(1) {
        let until = load.keys * level / load.levels.max(1);
        let (begun, cpu, from) = (Instant::now(), cpu_us(), done);
        let mut batch_ms_max = 0f64;
        while done < until {
            let batch = (until - done).min(load.batch.max(1) as u64);
            events.generate(done, batch, &mut candidates, &mut expected);
            let batch_begun = Instant::now();
            subject.check(&candidates, &mut verdicts, done + batch)?;
            batch_ms_max = batch_ms_max.max(batch_begun.elapsed().as_secs_f64() * 1e3);
            wrong += verdicts.iter().zip(&expected).filter(|(got, want)| got != want).count() as u64;
            done += batch;
        }
        let keys = (done - from).max(1) as f64;
        let figures = FillLevel {
            keys: done,
            keys_per_second: keys / begun.elapsed().as_secs_f64(),
            cpu_us_per_key: (cpu_us() - cpu) as f64 / keys,
            batch_ms_max,
            peak_rss_bytes: peak_rss_bytes(),
            disk_bytes_per_key: disk_bytes(dir) as f64 / done.max(1) as f64,
            wrong_verdicts: wrong,
        };
        on_level(&figures);
        levels.push(figures);
    }
    Ok(levels)
}

enum Subject {
    Index(Box<ShardIndex>),
    Plain(PlainStore),
}

impl Subject {
    fn check(&mut self, batch: &[Candidate], verdicts: &mut Vec<Verdict>, watermark: u64) -> Result<(), DedupError> {
        match self {
            Self::Index(index) => {
                index.check_batch(batch, verdicts)?;
                index.committed(watermark)
            }
            Self::Plain(store) => store.check(batch, verdicts),
        }
    }
}

/// The obvious design: one point lookup and one insert per event.
struct PlainStore {
    database: Database,
    claims: Keyspace,
    path: std::path::PathBuf,
}

impl PlainStore {
    fn open(dir: &Path) -> Result<Self, DedupError> {
        let failed = |error| DedupError::store("open", dir, error);
        let database = Database::builder(dir)
            .cache_size(16 << 20)
            .worker_threads(1)
            .manual_journal_persist(true)
            .open()
            .map_err(failed)?;
        // Whole filters would not fit the cache: every lookup would read
        // megabytes.
        let options = || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(8 << 20)
                .manual_journal_persist(true)
                .filter_block_partitioning_policy(PartitioningPolicy::all(true))
                .index_block_partitioning_policy(PartitioningPolicy::all(true))
        };
        let claims = database.keyspace("claims", options).map_err(failed)?;
        Ok(Self { database, claims, path: dir.to_path_buf() })
    }

    fn check(&self, batch: &[Candidate], verdicts: &mut Vec<Verdict>) -> Result<(), DedupError> {
        verdicts.clear();
        let failed = |error| DedupError::store("use", &self.path, error);
        for candidate in batch {
            let Identity::Hashed(key) = candidate.identity else {
                continue;
            };
            let key = key.to_be_bytes();
            let known = self.claims.get(key).map_err(failed)?;
            if let Some(original) = known.and_then(|claim| claim.first_chunk().copied().map(u64::from_le_bytes)) {
                verdicts.push(Verdict::Duplicate { original });
                continue;
            }
            let mut claim = [0; 16];
            claim[..8].copy_from_slice(&candidate.offset.to_le_bytes());
            claim[8..].copy_from_slice(&candidate.fingerprint.to_le_bytes());
            self.claims.insert(key, claim).map_err(failed)?;
            verdicts.push(Verdict::New);
        }
        self.database.persist(PersistMode::SyncAll).map_err(failed)
    }
}

/// Generates events with the verdicts that they must get. Every event can be
/// made again from its offset, so nothing is remembered of old ones.
struct Events {
    random: fastrand::Rng,
    numbered: bool,
    /// Per source: the next number, and a number left out with how many events
    /// of the source ago that was.
    streams: Vec<Stream>,
}

#[derive(Clone, Default)]
struct Stream {
    next: u64,
    left_out: Option<(u64, u64)>,
    last: Option<(u64, u64)>,
}

impl Events {
    fn new(design: Design) -> Self {
        Self {
            random: fastrand::Rng::with_seed(50),
            numbered: design == Design::Numbered,
            streams: vec![Stream { next: 1, ..Stream::default() }; SOURCES as usize],
        }
    }

    fn generate(&mut self, from: u64, count: u64, candidates: &mut Vec<Candidate>, expected: &mut Vec<Verdict>) {
        candidates.clear();
        expected.clear();
        for offset in from..from + count {
            let (candidate, verdict) = if self.numbered { self.numbered(offset) } else { self.hashed(offset) };
            candidates.push(candidate);
            expected.push(verdict);
        }
    }

    /// Every fiftieth event repeats one that is not itself a repeat.
    fn hashed(&mut self, offset: u64) -> (Candidate, Verdict) {
        let repeats = offset % REPEAT_EVERY == REPEAT_EVERY - 1;
        let original = if repeats {
            let earlier = self.random.u64(..offset);
            earlier - u64::from(earlier % REPEAT_EVERY == REPEAT_EVERY - 1)
        } else {
            offset
        };
        let key = u128::from(mixed(original)) << 64 | u128::from(mixed(!original));
        let source = u128::from(mixed(original % SOURCES)) << 64;
        let candidate =
            Candidate { offset, fingerprint: mixed(original ^ 1 << 63), source, identity: Identity::Hashed(key) };
        (candidate, if repeats { Verdict::Duplicate { original } } else { Verdict::New })
    }

    fn numbered(&mut self, offset: u64) -> (Candidate, Verdict) {
        let at = self.random.u64(..SOURCES);
        let stream = &mut self.streams[at as usize];
        let (sequence, verdict) = match (stream.last, stream.left_out) {
            (Some((sequence, original)), _) if offset.is_multiple_of(REPEAT_EVERY) => {
                (sequence, Verdict::Duplicate { original })
            }
            (_, Some((sequence, ripe))) if ripe <= stream.next => {
                stream.left_out = None;
                (sequence, Verdict::New)
            }
            _ => {
                if stream.left_out.is_none() && stream.next.is_multiple_of(LATE_EVERY) {
                    stream.left_out = Some((stream.next, stream.next + 2 * LATE_EVERY));
                    stream.next += 1;
                }
                stream.next += 1;
                stream.last = Some((stream.next - 1, offset));
                (stream.next - 1, Verdict::New)
            }
        };
        let source = u128::from(mixed(at)) << 64;
        let identity = Identity::Numbered { incarnation: 1, sequence };
        (Candidate { offset, fingerprint: mixed(at ^ sequence << 20), source, identity }, verdict)
    }
}

/// A bijection that spreads small numbers over all 64 bits.
fn mixed(number: u64) -> u64 {
    let mut word = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ word >> 31
}

/// CPU time of the process with all its threads, in microseconds; exact to
/// 10 ms, which is Linux's unit here.
fn cpu_us() -> u64 {
    const TICK_US: u64 = 10_000;
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is a name in brackets that may contain spaces.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    ticks.sum::<u64>() * TICK_US
}

fn peak_rss_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

/// Blocks in use below a folder: fjall's journals are mostly holes.
fn disk_bytes(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(names) = fs::read_dir(dir) else {
        return 0;
    };
    names
        .filter_map(|name| {
            let path = name.ok()?.path();
            let metadata = fs::symlink_metadata(&path).ok()?;
            Some(if metadata.is_dir() { disk_bytes(&path) } else { metadata.blocks() * 512 })
        })
        .sum()
}

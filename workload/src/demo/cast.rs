//! Who plays in the demo month. All names are made up.
//!
//! Invariant: every model can be served in every region, so that a call always
//! finds a node.

/// Regions, from the largest to the smallest.
pub const REGIONS: [&str; 3] = ["eu-1", "us-1", "ap-1"];

/// A class of GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gpu {
    /// Its name.
    pub name: &'static str,
    /// Watts when idle.
    pub idle_watts: u64,
    /// Watts when busy.
    pub busy_watts: u64,
    /// Bytes of memory, in GiB.
    pub memory_gib: u64,
    /// Whether its nodes report the energy that they use.
    pub reports_energy: bool,
}

/// GPU classes.
pub const GPUS: [Gpu; 3] = [
    Gpu { name: "H100", idle_watts: 70, busy_watts: 690, memory_gib: 80, reports_energy: true },
    Gpu { name: "L40S", idle_watts: 35, busy_watts: 340, memory_gib: 48, reports_energy: true },
    Gpu { name: "T4", idle_watts: 10, busy_watts: 68, memory_gib: 16, reports_energy: false },
];

/// How many nodes of each class (in the order of [`GPUS`]) stand in each
/// region (in the order of [`REGIONS`]).
const NODES: [[usize; 3]; 3] = [[4, 3, 3], [4, 3, 2], [2, 2, 2]];

/// A node.
pub struct Node {
    /// Its id: the provider that earns.
    pub name: String,
    pub region: usize,
    pub gpu: usize,
}

/// All 25 nodes.
pub fn nodes() -> Vec<Node> {
    let mut nodes = Vec::new();
    for (region, counts) in NODES.iter().enumerate() {
        for (gpu, &count) in counts.iter().enumerate() {
            for number in 1..=count {
                let name = format!("{}-{}-{number:02}", REGIONS[region], GPUS[gpu].name.to_lowercase());
                nodes.push(Node { name, region, gpu });
            }
        }
    }
    nodes
}

/// A gateway: a source of calls.
pub struct Gateway {
    pub key: &'static str,
    pub numbered: bool,
}

/// Two in each region, in the order of [`REGIONS`].
pub const GATEWAYS: [Gateway; 6] = [
    Gateway { key: "gateway/eu-1/000", numbered: true },
    Gateway { key: "gateway/eu-1/001", numbered: false },
    Gateway { key: "gateway/us-1/000", numbered: true },
    Gateway { key: "gateway/us-1/001", numbered: false },
    Gateway { key: "gateway/ap-1/000", numbered: true },
    Gateway { key: "gateway/ap-1/001", numbered: false },
];

/// A model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// Its name.
    pub name: &'static str,
    /// The GPU class that it runs on.
    pub(super) gpu: usize,
    /// Spread of the tokens read, as powers of two.
    pub(super) input: &'static [u32],
    /// Spread of the tokens written; none writes none.
    pub(super) output: &'static [u32],
    /// Microseconds for each token written.
    pub(super) token_us: u64,
    /// Whether it can read tokens from a cache.
    pub(super) caches: bool,
}

/// All models. The last is [`NEW_MODEL`].
pub const MODELS: [Model; 6] = [
    Model {
        name: "chat-small",
        gpu: 1,
        input: &[5, 6, 7, 8, 8, 9, 10],
        output: &[4, 5, 6, 7, 8],
        token_us: 4_000,
        caches: false,
    },
    Model {
        name: CHAT_LARGE,
        gpu: 0,
        input: &[7, 8, 9, 10, 10, 11, 12, 13],
        output: &[5, 6, 7, 8, 9],
        token_us: 14_000,
        caches: true,
    },
    Model {
        name: "code-1",
        gpu: 0,
        input: &[8, 9, 10, 11, 11, 12, 13, 14],
        output: &[3, 4, 5, 6, 7, 8],
        token_us: 9_000,
        caches: true,
    },
    Model { name: "embed-1", gpu: 2, input: &[4, 5, 6, 7, 8, 9], output: &[], token_us: 0, caches: false },
    Model { name: "vision-1", gpu: 1, input: &[8, 9, 10, 11], output: &[5, 6, 7], token_us: 8_000, caches: false },
    Model {
        name: NEW_MODEL,
        gpu: 0,
        input: &[8, 9, 10, 11, 12],
        output: &[8, 9, 10, 11, 12],
        token_us: 16_000,
        caches: true,
    },
];

pub const CHAT_LARGE: &str = "chat-large";
/// Where [`CHAT_LARGE`] is in [`MODELS`].
pub const CHAT_LARGE_INDEX: usize = 1;
/// The model that appears on the 16th.
pub const NEW_MODEL: &str = "reason-2";
/// Where [`NEW_MODEL`] is in [`MODELS`].
pub const NEW_MODEL_INDEX: usize = 5;

/// A customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Customer {
    /// Its pseudonym.
    pub id: &'static str,
    /// Its part of all calls.
    pub(super) calls: u32,
    /// Its part of all leases of GPUs.
    pub(super) leases: u32,
    /// Its region, by index.
    pub(super) region: usize,
    pub(super) rhythm: Rhythm,
    /// How many bursts of calls it has in the month.
    pub(super) bursts: u32,
    /// The models that it calls, by index, each with its part.
    pub(super) models: &'static [(usize, u32)],
}

/// When a customer works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// In office hours, hardly at weekends.
    Office,
    /// In the evening, more at weekends.
    Leisure,
    /// Always the same.
    Steady,
    /// A batch every night.
    Nightly,
}

const OFFICE: [u32; 24] = [1, 1, 1, 1, 1, 2, 5, 12, 25, 34, 36, 33, 24, 28, 35, 34, 30, 22, 12, 7, 4, 3, 2, 1];
const LEISURE: [u32; 24] = [9, 5, 3, 2, 2, 2, 4, 7, 9, 10, 11, 13, 15, 14, 13, 14, 17, 21, 26, 30, 33, 31, 25, 16];
const STEADY: [u32; 24] = [15; 24];
const NIGHTLY: [u32; 24] = [40, 90, 110, 85, 30, 5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 6];

impl Rhythm {
    /// How much goes on in an hour of the local day, in percent of nothing in
    /// particular.
    pub fn weight(self, hour_of_day: usize, weekend: bool) -> u32 {
        let (day, at_weekend) = match self {
            Rhythm::Office => (&OFFICE, 15),
            Rhythm::Leisure => (&LEISURE, 140),
            Rhythm::Steady => (&STEADY, 100),
            Rhythm::Nightly => (&NIGHTLY, 60),
        };
        day[hour_of_day % 24] * if weekend { at_weekend } else { 100 }
    }
}

/// Hours that the clocks of a region are ahead of UTC.
pub const UTC_OFFSET_HOURS: [i64; 3] = [1, -6, 9];

const fn customer(
    id: &'static str,
    [calls, leases]: [u32; 2],
    region: usize,
    (rhythm, bursts): (Rhythm, u32),
    models: &'static [(usize, u32)],
) -> Customer {
    Customer { id, calls, leases, region, rhythm, bursts, models }
}

/// All customers, the largest first.
pub const CUSTOMERS: [Customer; 12] = [
    customer("acme-robotics", [260, 30], 0, (Rhythm::Office, 3), &[(2, 6), (1, 3), (4, 1)]),
    customer("lantern-lane-games", [210, 6], 1, (Rhythm::Leisure, 4), &[(0, 7), (1, 3)]),
    customer("copper-kettle-support", [170, 0], 1, (Rhythm::Steady, 1), &[(0, 6), (1, 2), (3, 2)]),
    customer("blue-door-legal", [110, 0], 0, (Rhythm::Office, 1), &[(1, 7), (3, 3)]),
    customer("paper-boat-search", [90, 10], 2, (Rhythm::Nightly, 0), &[(3, 9), (0, 1)]),
    customer("nine-pines-code", [75, 4], 2, (Rhythm::Office, 2), &[(2, 9), (1, 1)]),
    customer("wren-and-field-news", [50, 0], 0, (Rhythm::Leisure, 5), &[(0, 5), (1, 3), (4, 2)]),
    customer("salt-flat-mapping", [35, 22], 1, (Rhythm::Nightly, 0), &[(4, 8), (3, 2)]),
    customer("quiet-harbour-clinic", [30, 3], 2, (Rhythm::Office, 0), &[(1, 8), (4, 2)]),
    customer("tin-whistle-tutors", [20, 0], 0, (Rhythm::Leisure, 1), &[(0, 8), (1, 2)]),
    customer("long-meadow-genomics", [8, 45], 1, (Rhythm::Steady, 0), &[(1, 10)]),
    customer("half-moon-render", [4, 25], 0, (Rhythm::Nightly, 0), &[(4, 10)]),
];

/// What a call ends with, per thousand.
pub const STATUSES: [(&str, u32); 4] = [("429", 8), ("503", 4), ("499", 3), ("200", 985)];

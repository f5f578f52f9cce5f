//! Who takes part in the benchmark: customers, models, nodes, gateways.
//!
//! Invariant: names are made from the seed alone, and all of one kind have
//! about the same length, so that values have 100 to 200 bytes.

use fastrand::Rng;

use super::zipf::Zipf;
use crate::ulid;

/// How many customers there are where nothing else is said.
pub const CUSTOMERS: usize = 10_000;
/// Models.
pub const MODELS: usize = 50;
/// Nodes; each serves one model.
pub const NODES: usize = 500;
/// Nodes of one model.
pub const NODES_PER_MODEL: usize = NODES / MODELS;
/// Gateways.
pub const SOURCES: usize = 200;
/// The most models of one customer.
pub const MODELS_OF_CUSTOMER_MAX: usize = 4;

const REGIONS: [&str; 5] = ["eu-1", "eu-2", "us-1", "us-2", "ap-1"];
const GPUS: [&str; 5] = ["H100-SXM-80GB", "A100-PCIE-40GB", "L40S", "RTX-4090", "T4"];
const FAMILIES: [&str; 5] = ["alder", "basalt", "cobalt", "dune", "ember"];
const SIZES: [&str; 5] = ["1b", "8b", "32b", "70b", "240b"];
const VARIANTS: [&str; 2] = ["chat", "code-instruct-preview"];

/// Tag, length and 30 characters of a customer's name.
pub type CustomerField = [u8; 32];

/// One customer.
pub struct Customer {
    /// The field `customer` on the wire; it is the same in all payloads.
    pub field: CustomerField,
    models: [u8; MODELS_OF_CUSTOMER_MAX],
    model_count: u8,
}

/// One node, as pieces of payloads.
pub struct Node {
    /// The fields `model` and `provider` of a call.
    pub model_and_provider: Box<[u8]>,
    /// The fields `node` and `gpu` of GPU usage.
    pub node_and_gpu: Box<[u8]>,
    /// The field `region` of a call.
    pub call_region: Box<[u8]>,
    /// The field `region` of GPU usage.
    pub usage_region: Box<[u8]>,
}

/// All of them.
pub struct Population {
    /// By rank: the first uses most.
    pub customers: Vec<Customer>,
    /// How often each customer turns up.
    pub ranks: Zipf,
    /// Those of the first model, then those of the second, …
    pub nodes: Vec<Node>,
    /// Keys of the log, such as `gateway/eu-1/017`.
    pub sources: Vec<String>,
}

impl Population {
    /// The population of a seed, with so many customers.
    pub fn new(seed: u64, customers: u32) -> Population {
        let mut rng = Rng::with_seed(seed);
        Population {
            customers: (0..customers).map(|_| customer(&mut rng)).collect(),
            ranks: Zipf::new(customers),
            nodes: (0..NODES).map(node).collect(),
            sources: (0..SOURCES).map(source).collect(),
        }
    }
}

impl Customer {
    /// One of the customer's models, picked by a random number.
    #[inline]
    pub fn model(&self, random: u8) -> usize {
        usize::from(self.models[(usize::from(random) * usize::from(self.model_count)) >> 8])
    }
}

fn customer(rng: &mut Rng) -> Customer {
    let mut field = [0; 32];
    field[..6].copy_from_slice(&[1 << 3 | 2, 30, b'c', b'u', b's', b'_']);
    field[6..].copy_from_slice(&ulid::ulid(rng.i64(0..1 << 50), [rng.u64(..), rng.u64(..)]));
    // The first few of a shuffled list are different models.
    let mut all: [u8; MODELS] = std::array::from_fn(|model| model as u8);
    let model_count = rng.usize(1..=MODELS_OF_CUSTOMER_MAX);
    for place in 0..model_count {
        all.swap(place, rng.usize(place..MODELS));
    }
    let models = std::array::from_fn(|place| all[place]);
    Customer { field, models, model_count: model_count as u8 }
}

fn node(index: usize) -> Node {
    let model = index / NODES_PER_MODEL;
    let name = format!(
        "{}-{}-{}",
        FAMILIES[model % FAMILIES.len()],
        SIZES[model / FAMILIES.len() % SIZES.len()],
        VARIANTS[model / (FAMILIES.len() * SIZES.len())]
    );
    // Stepping by a number without common factors spreads a model's nodes
    // over regions, and GPU classes over models.
    let region = REGIONS[index * 3 % REGIONS.len()];
    let gpu = GPUS[(index / 7 + model) % GPUS.len()];
    let node = format!("{region}-rack-{:02}-node-{index:04}", index % 40);
    Node {
        model_and_provider: [text(2, &name), text(3, &node)].concat().into(),
        node_and_gpu: [text(2, &node), text(3, gpu)].concat().into(),
        call_region: text(9, region).into(),
        usage_region: text(6, region).into(),
    }
}

fn source(index: usize) -> String {
    let per_region = SOURCES / REGIONS.len();
    format!("gateway/{}/{:03}", REGIONS[index / per_region % REGIONS.len()], index % per_region)
}

/// A text field on the wire; all names are shorter than 128 bytes.
fn text(field: u8, text: &str) -> Vec<u8> {
    let mut bytes = vec![field << 3 | 2, text.len() as u8];
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

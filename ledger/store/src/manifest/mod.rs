//! The signed manifest: the hash of every file of the lake, so that a flipped
//! byte is found in whatever file it is, data or Delta log (invariant 11).
//!
//! Files of a lake never change, so maintenance renews the list by hashing
//! only what is new. What the list names and what lies there must agree, but
//! for files that came later and for those that no table needs any more.
//!
//! Invariant: what was signed once is never signed again with another hash; a
//! file that was changed stays on the list as it was, until somebody mends it.

mod error;
mod files;
mod key;
mod needed;
mod renew;
mod text;
mod verify;

use serde::{Deserialize, Serialize};
use stempoint_schemas::hash::Hash;
use stempoint_schemas::head::Head;
use stempoint_schemas::hex::Hex;

pub use error::ManifestError;
pub use key::PublicKey;
pub use renew::{Renewed, renew};
pub use verify::{Verified, verify};

/// The list's name in its folder.
const LIST: &str = "files.json";

/// The files of a lake at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: String,
    /// All files that this ledger version needs are listed.
    head: Head,
    /// When the listing began, by this machine's clock (microseconds since 1970).
    taken_us: i64,
    /// In the order of their paths.
    files: Vec<Listed>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// Relative to the lake's folder.
    path: String,
    /// Bytes.
    size: u64,
    /// When it was written (nanoseconds since 1970). Copies have another time,
    /// so it only says what need not be hashed again.
    modified_ns: i64,
    blake3: Hex<Hash>,
}

//! Proofs of inclusion: one row, its way to the root of its Merkle tree, and
//! the ledger version that carries the root. Whoever has the published head
//! can check it with nothing else at hand.
//!
//! Invariant (11): [`Proof::read`] accepts exactly the texts that
//! [`Proof::to_text`] writes of a row that the ledger version has; a text with
//! one other byte is an error that names the part.

mod check;
mod content;
mod error;
mod row;
mod settled;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::commit::Commit;
use crate::hash::Hash;
use crate::head::Head;
use crate::hex::Hex;
use crate::inclusion::Inclusion;
use crate::seal::Seal;

pub use content::Content;
pub use error::ProofError;
pub use row::{Accepted, Duplicate, Place, Rejected, Row, Settled};

/// What the first field says.
const FORMAT: &str = "stempoint-proof-1";

/// A proof that a row is in the books.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    format: String,
    /// The head with which the proof must be compared.
    pub head: Head,
    /// The row.
    pub row: Row,
    /// Where the row is in its tree.
    pub leaf: Leaf,
    /// The tree.
    pub tree: TreeRoot,
    /// The hashes beside the way from the leaf to the root, from the bottom.
    pub path: Vec<Hex<Hash>>,
    /// The ledger version that carries the root.
    pub commit: Seal,
}

/// A row as its tree sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// How many leaves come before it.
    pub index: u64,
    /// Its hash.
    pub hash: Hex<Hash>,
}

/// A tree at one ledger version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeRoot {
    /// How many leaves it has.
    pub size: u64,
    /// Its root.
    pub root: Hex<Hash>,
}

impl Proof {
    /// The proof of a row at a ledger version.
    ///
    /// # Errors
    /// What [`Proof::read`] would say of it, so that no proof is given out that
    /// does not hold.
    pub fn new(row: Row, inclusion: Inclusion, commit: &Commit) -> Result<Proof, ProofError> {
        let seal = commit.seal();
        let (size, root) = row.tree_in(&seal)?;
        let proof = Proof {
            format: FORMAT.to_owned(),
            head: Head::from(commit),
            leaf: Leaf { index: inclusion.index, hash: Hex(row.leaf()?) },
            row,
            tree: TreeRoot { size, root: Hex(root) },
            path: inclusion.path.into_iter().map(Hex).collect(),
            commit: seal,
        };
        proof.check()?;
        Ok(proof)
    }

    /// The text of the file.
    pub fn to_text(&self) -> Result<String, ProofError> {
        serde_json::to_string_pretty(self).map(|text| text + "\n").map_err(ProofError::Unreadable)
    }

    /// Reads a file and checks everything in it. What is left to do is to
    /// compare [`Proof::head`] with a published one.
    pub fn read(text: &[u8]) -> Result<Proof, ProofError> {
        let proof: Proof = serde_json::from_slice(text).map_err(ProofError::Unreadable)?;
        proof.check()?;
        let written = proof.to_text()?;
        if written.as_bytes() != text {
            let same = written.bytes().zip(text).take_while(|(a, b)| a == *b);
            let line = 1 + same.filter(|(byte, _)| *byte == b'\n').count();
            return Err(ProofError::Text { line });
        }
        Ok(proof)
    }
}

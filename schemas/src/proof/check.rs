//! What must hold within a proof.

use super::{FORMAT, Proof, ProofError};
use crate::decimal::shorten;
use crate::hash::Hash;
use crate::inclusion;

impl Proof {
    /// Every link from the row that is shown to the head, each by the part of
    /// the proof that breaks it.
    pub(super) fn check(&self) -> Result<(), ProofError> {
        if self.format != FORMAT {
            return Err(ProofError::Format(shorten(&self.format)));
        }
        self.row.check()?;
        if self.row.leaf()? != self.leaf.hash.0 {
            return Err(ProofError::Leaf);
        }
        let path: Vec<Hash> = self.path.iter().map(|hash| hash.0).collect();
        if inclusion::root(self.leaf.hash.0, self.leaf.index, self.tree.size, &path) != Some(self.tree.root.0) {
            return Err(ProofError::Path);
        }
        if self.row.tree_in(&self.commit)? != (self.tree.size, self.tree.root.0) {
            return Err(ProofError::Tree);
        }
        let (offset, end) = self.row.visible_in(&self.commit)?;
        if offset >= end {
            return Err(ProofError::Invisible { offset, end });
        }
        if self.commit.hash() != self.head.hash.0 {
            return Err(ProofError::Commit);
        }
        let (head, commit) = (self.head.version, self.commit.version);
        if head != commit { Err(ProofError::Version { head, commit }) } else { Ok(()) }
    }
}

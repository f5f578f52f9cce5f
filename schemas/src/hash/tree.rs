//! Merkle trees of RFC 6962's shape over BLAKE3.
//!
//! Invariant: a tree is a function of its leaves in order, however they were
//! appended.

use super::{Hash, many};

/// The key that sets the nodes of a tree apart from its leaves. RFC 6962 does
/// so with a first byte, which would make a node longer than one block of
/// BLAKE3 and its hash twice as expensive.
const NODE_KEY: &Hash = b"stempoint: a node of a merkle v1";

/// The node above two others.
pub(crate) fn node(left: &Hash, right: &Hash) -> Hash {
    let mut both = [0u8; 64];
    both[..32].copy_from_slice(left);
    both[32..].copy_from_slice(right);
    *blake3::keyed_hash(NODE_KEY, &both).as_bytes()
}

/// The root of a tree without leaves: the hash of nothing.
pub(crate) fn empty_root() -> Hash {
    *blake3::hash(b"").as_bytes()
}

/// A Merkle tree that only grows: its size and the roots of its perfect
/// subtrees, largest first. That is all that appending needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    peaks: Vec<Hash>,
}

impl Tree {
    /// A tree as it was stored; `None` where the number of peaks does not
    /// fit the size.
    pub fn restore(size: u64, peaks: &[u8]) -> Option<Tree> {
        let (hashes, rest) = peaks.as_chunks::<32>();
        (rest.is_empty() && hashes.len() == size.count_ones() as usize).then(|| Tree { size, peaks: hashes.to_vec() })
    }

    /// How many leaves there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The peaks one after the other, as they are stored.
    pub fn peaks(&self) -> Vec<u8> {
        self.peaks.concat()
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut root = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                root = node(&left, &root);
            }
        }
        self.peaks.push(root);
        self.size += 1;
    }

    /// Appends leaves, one level of nodes after the other: many nodes at once
    /// take a third of the time.
    pub fn extend(&mut self, leaves: &[Hash]) {
        let (mut level, mut size, mut new_peaks) = (leaves.to_vec(), self.size, Vec::new());
        while !level.is_empty() {
            if size & 1 == 1 {
                // The peak of this height is the left neighbour of the first node.
                level.splice(..0, self.peaks.pop());
            }
            size >>= 1;
            let (pairs, rest) = level.as_chunks::<2>();
            new_peaks.extend(rest);
            level = many::nodes(pairs, NODE_KEY);
        }
        self.peaks.extend(new_peaks.iter().rev());
        self.size += leaves.len() as u64;
    }

    /// The tree's root; for an empty tree the hash of nothing.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return empty_root() };
        peaks.fold(*last, |right, left| node(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use super::super::settlement_leaf;
    use super::*;
    use proptest::prelude::*;

    /// RFC 6962, section 2.1, word for word.
    fn slow_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => *blake3::hash(b"").as_bytes(),
            [leaf] => *leaf,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                node(&slow_root(&leaves[..split]), &slow_root(&leaves[split..]))
            }
        }
    }

    proptest! {
        #[test]
        fn the_tree_has_the_shape_of_rfc_6962(count in 0usize..200, cut in 0usize..200) {
            let leaves: Vec<Hash> = (0..count).map(|i| settlement_leaf("t", &i.to_le_bytes())).collect();
            let mut tree = Tree::default();
            for (index, leaf) in leaves.iter().enumerate() {
                if index == cut {
                    tree = Tree::restore(tree.size(), &tree.peaks()).unwrap();
                }
                tree.push(*leaf);
                prop_assert_eq!(tree.root(), slow_root(&leaves[..=index]));
            }
            prop_assert_eq!(tree.root(), slow_root(&leaves));
        }
    }

    #[test]
    fn a_tree_with_the_wrong_number_of_peaks_is_refused() {
        assert!(Tree::restore(3, &[0; 32]).is_none());
        assert!(Tree::restore(1, &[0; 31]).is_none());
        assert!(Tree::restore(0, &[]).is_some());
    }

    proptest! {
        #[test]
        fn many_leaves_at_once_are_the_same_as_one_by_one(cuts in prop::collection::vec(0usize..70, 0..8)) {
            let (mut one_by_one, mut at_once) = (Tree::default(), Tree::default());
            for count in cuts {
                let leaf = |i: usize| settlement_leaf("t", &i.to_le_bytes());
                let leaves: Vec<Hash> = (0..count).map(|i| leaf(one_by_one.size() as usize + i)).collect();
                leaves.iter().for_each(|leaf| one_by_one.push(*leaf));
                at_once.extend(&leaves);
                prop_assert_eq!(&at_once, &one_by_one);
            }
        }
    }

    /// Else a tree with a made-up row in the place of two real ones would have
    /// the same root.
    #[test]
    fn a_node_is_no_leaf() {
        let mut left = [0; 32];
        left[1..3].copy_from_slice(&[1, b't']);
        let mut tree = Tree::default();
        tree.push(left);
        tree.push([9; 32]);
        let row = [&left[3..], &[9; 32]].concat();
        assert_ne!(tree.root(), settlement_leaf("t", &row));
    }
}

//! Proofs that a leaf is in a Merkle tree: RFC 6962's audit paths.
//!
//! Invariant (11): the path that [`PathTree`] finds leads [`root`] from the
//! leaf to the tree's root, and from no other leaf, index or size.

use crate::hash::{Hash, empty_root, node};

/// A tree that only grows and remembers the way of one leaf to the root. Its
/// memory grows with the tree's height.
#[derive(Debug, Clone, Default)]
pub struct PathTree {
    size: u64,
    peaks: Vec<Peak>,
    index: Option<u64>,
    path: Vec<Hash>,
}

#[derive(Debug, Clone, Copy)]
struct Peak {
    root: Hash,
    /// Whether the wanted leaf is below.
    has_leaf: bool,
}

/// Where a leaf is in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// How many leaves come before it.
    pub index: u64,
    /// The hashes beside its way to the root, from the bottom.
    pub path: Vec<Hash>,
}

impl PathTree {
    /// How many leaves there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; `wanted` for the one that is to be proved.
    pub fn push(&mut self, leaf: Hash, wanted: bool) {
        if wanted {
            self.index = Some(self.size);
        }
        let mut peak = Peak { root: leaf, has_leaf: wanted };
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                peak = join(left, peak, &mut self.path);
            }
        }
        self.peaks.push(peak);
        self.size += 1;
    }

    /// The root, and where the wanted leaf is, if it came.
    pub fn finish(mut self) -> (Hash, Option<Inclusion>) {
        let Some(mut right) = self.peaks.pop() else { return (empty_root(), None) };
        while let Some(left) = self.peaks.pop() {
            right = join(left, right, &mut self.path);
        }
        let path = self.path;
        (right.root, self.index.map(|index| Inclusion { index, path }))
    }
}

fn join(left: Peak, right: Peak, path: &mut Vec<Hash>) -> Peak {
    if left.has_leaf {
        path.push(right.root);
    } else if right.has_leaf {
        path.push(left.root);
    }
    Peak { root: node(&left.root, &right.root), has_leaf: left.has_leaf || right.has_leaf }
}

/// The root of the tree of `size` leaves to which the path leads from the leaf
/// at `index`; `None` where the path is too short or too long for that.
pub fn root(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    let mut last = size.checked_sub(1).filter(|last| index <= *last)?;
    let (mut place, mut root) = (index, leaf);
    for beside in path {
        if last == 0 {
            return None;
        }
        if place & 1 == 1 || place == last {
            root = node(beside, &root);
            // A node without a neighbour on the right stands for itself further up.
            while place & 1 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            root = node(&root, beside);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    (last == 0).then_some(root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{Tree, settlement_leaf};
    use proptest::prelude::*;

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|i| settlement_leaf("t", &i.to_le_bytes())).collect()
    }

    fn prove(leaves: &[Hash], wanted: u64) -> (Hash, Option<Inclusion>) {
        let mut tree = PathTree::default();
        for (index, leaf) in leaves.iter().enumerate() {
            tree.push(*leaf, index as u64 == wanted);
        }
        tree.finish()
    }

    #[test]
    fn every_leaf_of_every_small_tree_can_be_proved() {
        for size in 1..70 {
            let leaves = leaves(size);
            let mut tree = Tree::default();
            leaves.iter().for_each(|leaf| tree.push(*leaf));
            for (index, leaf) in (0..).zip(&leaves) {
                let (found, inclusion) = prove(&leaves, index);
                let inclusion = inclusion.expect("the leaf came");
                assert_eq!((found, inclusion.index), (tree.root(), index));
                assert_eq!(root(*leaf, index, size, &inclusion.path), Some(tree.root()), "{index} of {size}");
            }
        }
    }

    #[test]
    fn a_tree_without_the_leaf_proves_nothing() {
        assert_eq!(PathTree::default().finish(), (Tree::default().root(), None));
        assert_eq!(prove(&leaves(5), 7).1, None);
    }

    proptest! {
        /// Another leaf, place or path leads elsewhere; huge numbers too. Another
        /// size can lead to the same root, since the path is the same for some;
        /// the size stands in the ledger version beside the root.
        #[test]
        fn nothing_else_leads_to_the_root(
            size in 1u64..300, wanted in any::<prop::sample::Index>(), other in any::<u64>(), place in any::<usize>(),
        ) {
            let leaves = leaves(size);
            let index = wanted.index(leaves.len());
            let (expected, inclusion) = prove(&leaves, index as u64);
            let (index, leaf, path) = (index as u64, leaves[index], inclusion.expect("the leaf came").path);
            for near in [other, other % size] {
                if near != index {
                    prop_assert_ne!(root(leaf, near, size, &path), Some(expected));
                }
            }
            let mut changed = leaf;
            changed[place % 32] ^= 1;
            prop_assert_ne!(root(changed, index, size, &path), Some(expected));
            prop_assert_eq!(root(leaf, index, 0, &path), None);
            // The answer does not matter, only that there is one.
            root(leaf, index, other, &path);
            root(leaf, other, u64::MAX, &path);
            let mut longer = path.clone();
            longer.push([7; 32]);
            prop_assert_eq!(root(leaf, index, size, &longer), None);
            if !path.is_empty() {
                prop_assert_eq!(root(leaf, index, size, &path[1..]), None);
                let mut changed = path.clone();
                changed[place % path.len()][place % 32] ^= 1;
                prop_assert_ne!(root(leaf, index, size, &changed), Some(expected));
            }
        }
    }
}

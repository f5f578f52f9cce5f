//! Vectors of watermarks: per partition the next offset to read.
//!
//! Invariant: a watermark is exclusive, and merging never moves one back.

use std::fmt;

/// Per partition (the index) the next offset to read, exclusive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Watermarks(Vec<u64>);

impl Watermarks {
    /// Nothing read of `partitions` partitions.
    pub fn zero(partitions: usize) -> Watermarks {
        Watermarks(vec![0; partitions])
    }

    /// From a value per partition.
    pub fn from_vec(values: Vec<u64>) -> Watermarks {
        Watermarks(values)
    }

    /// The next offset of a partition; 0 for one that is not named.
    pub fn get(&self, partition: u32) -> u64 {
        self.0.get(partition as usize).copied().unwrap_or(0)
    }

    /// Sets one partition's next offset.
    pub fn set(&mut self, partition: u32, offset: u64) {
        let index = partition as usize;
        if self.0.len() <= index {
            self.0.resize(index + 1, 0);
        }
        self.0[index] = offset;
    }

    /// How many partitions are named.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no partition is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// (partition, next offset) of each.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.0.iter().enumerate().map(|(p, &o)| (p as u32, o))
    }

    /// The componentwise maximum.
    pub fn merged(&self, other: &Watermarks) -> Watermarks {
        let mut merged = self.clone();
        for (partition, offset) in other.iter() {
            merged.set(partition, merged.get(partition).max(offset));
        }
        merged
    }

    /// Whether every partition is at least as far as in `other`.
    pub fn covers(&self, other: &Watermarks) -> bool {
        other.iter().all(|(p, o)| self.get(p) >= o)
    }

    /// Whether the row at (partition, offset) lies below.
    pub fn is_above(&self, partition: u32, offset: u64) -> bool {
        offset < self.get(partition)
    }
}

impl fmt::Display for Watermarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (partition, offset)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{partition}:{offset}")?;
        }
        Ok(())
    }
}

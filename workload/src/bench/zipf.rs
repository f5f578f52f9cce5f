//! Picks ranks by Zipf's law with exponent 1: rank k is picked with a
//! probability proportional to 1/k.
//!
//! Invariant: one pick costs the same whatever the number of ranks (Walker's
//! alias method). Only divisions and sums of floating-point numbers go into
//! the table, which give the same result on every machine.

/// A table of picks.
pub struct Zipf(Vec<Column>);

/// A column of the table stands for two ranks: its own and another.
#[derive(Clone, Copy)]
struct Column {
    /// The own rank is picked by random numbers below this part of 2^32.
    own_below: u32,
    other: u32,
}

impl Zipf {
    /// The law over so many ranks.
    pub fn new(ranks: u32) -> Zipf {
        let total: f64 = (1..=ranks).map(|rank| 1.0 / f64::from(rank)).sum();
        // Heights of columns whose mean is 1.
        let mut heights: Vec<f64> = (1..=ranks).map(|rank| f64::from(ranks) / (f64::from(rank) * total)).collect();
        let mut columns: Vec<Column> = (0..ranks).map(|other| Column { own_below: u32::MAX, other }).collect();
        let (mut low, mut high): (Vec<usize>, Vec<usize>) = (0..heights.len()).partition(|&i| heights[i] < 1.0);
        while let (Some(short), Some(&tall)) = (low.pop(), high.last()) {
            // The tall rank fills up what the short one leaves of its column.
            columns[short] = Column { own_below: (heights[short] * 4_294_967_296.0) as u32, other: tall as u32 };
            heights[tall] -= 1.0 - heights[short];
            if heights[tall] < 1.0 {
                high.pop();
                low.push(tall);
            }
        }
        Zipf(columns)
    }

    /// The rank, from 0, that 64 random bits pick.
    #[inline]
    pub fn pick(&self, random: u64) -> usize {
        let index = (((random >> 32) * self.0.len() as u64) >> 32) as usize;
        let column = self.0[index];
        if (random as u32) < column.own_below { index } else { column.other as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_gives_each_rank_its_part() {
        let ranks = 1000;
        let zipf = Zipf::new(ranks);
        let mut parts = vec![0.0; ranks as usize];
        for (index, column) in zipf.0.iter().enumerate() {
            let own = f64::from(column.own_below) / 4_294_967_296.0;
            parts[index] += own / f64::from(ranks);
            parts[column.other as usize] += (1.0 - own) / f64::from(ranks);
        }
        let total: f64 = (1..=ranks).map(|rank| 1.0 / f64::from(rank)).sum();
        for (index, part) in parts.iter().enumerate() {
            let expected = 1.0 / ((index + 1) as f64 * total);
            assert!((part / expected - 1.0).abs() < 1e-4, "rank {index}: {part}, expected {expected}");
        }
    }

    #[test]
    fn every_random_number_picks_a_rank() {
        let zipf = Zipf::new(7);
        for random in [0, u64::MAX, u64::from(u32::MAX), u64::MAX << 32] {
            assert!(zipf.pick(random) < 7);
        }
    }
}

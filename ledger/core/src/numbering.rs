//! Numbers of documents: of each series one after the other.
//!
//! Invariant: the numbers of a series have no gap and none is given twice, also
//! after a restart.

use std::collections::BTreeMap;

/// The last number of each series.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers(BTreeMap<String, u64>);

impl Numbers {
    /// The next one of a series, for example `INV-000012` of `INV`.
    pub fn next(&mut self, series: &str) -> String {
        let last = self.0.entry(series.to_owned()).or_default();
        *last += 1;
        format!("{series}-{last:06}")
    }

    /// Takes up a number that was given before a restart.
    pub fn restore(&mut self, number: &str) {
        if let Some((series, count)) = number.rsplit_once('-')
            && let Ok(count) = count.parse::<u64>()
        {
            let last = self.0.entry(series.to_owned()).or_default();
            *last = count.max(*last);
        }
    }
}
